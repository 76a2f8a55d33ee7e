import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Changes, Claim, Edit, Position, Store, StoredRecord, StoreEvent, Taken, Written } from "./port.ts";
import type { Call, Opening, Told } from "./sqlite-messages.ts";

/** Calls that the thread has not answered yet. */
const mostWaiting = 1_000;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Opens the database, or makes it. Rejects with a sentence where it cannot be used. */
export async function openSqlite(opening: Opening): Promise<Store> {
  const execArgv = ["--disable-warning=ExperimentalWarning"];
  const worker = new Worker(new URL("./sqlite-worker.ts", import.meta.url), { workerData: opening, execArgv });
  const [told] = (await once(worker, "message")) as [Told];
  if (told.kind === "unusable") throw new Error(`the store ${opening.path} ${told.sentence}`);
  return new SqliteStore(worker, opening.path);
}

/** The side of the thread that does not wait for the disk. */
class SqliteStore implements Store {
  readonly #worker: Worker;
  readonly #path: string;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  readonly #ended: Promise<unknown>;
  #number = 0;
  #over = false;

  constructor(worker: Worker, path: string) {
    this.#worker = worker;
    this.#path = path;
    this.#ended = new Promise((resolve) => worker.once("exit", resolve));
    worker.on("message", (told: Told) => this.#hear(told));
    worker.on("error", () => this.#fail());
    worker.on("exit", () => this.#fail());
  }

  changes(since: Position): Promise<Changes> {
    return this.#ask({ name: "changes", since }) as Promise<Changes>;
  }

  get(id: string): Promise<StoredRecord | undefined> {
    return this.#ask({ name: "get", id }) as Promise<StoredRecord | undefined>;
  }

  list(after: string, limit: number): Promise<readonly StoredRecord[]> {
    return this.#ask({ name: "list", after, limit }) as Promise<readonly StoredRecord[]>;
  }

  taken(claims: readonly Claim[]): Promise<readonly Taken[]> {
    return this.#ask({ name: "taken", claims }) as Promise<readonly Taken[]>;
  }

  async write(edits: readonly Edit[]): Promise<Written> {
    const written = (await this.#ask({ name: "write", edits })) as Written;
    if (written.kind === "written") this.#say({ kind: "changed" });
    return written.kind === "unavailable" ? { ...written, sentence: this.#sentence(written.sentence) } : written;
  }

  watch(listener: (event: StoreEvent) => void): void {
    this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    if (!this.#over) await this.#ask({ name: "close" });
    await this.#ended;
  }

  #ask(call: Call): Promise<unknown> {
    if (this.#over) return Promise.reject(new Error(this.#sentence("is closed")));
    if (this.#waiting.size >= mostWaiting)
      return Promise.reject(new Error(this.#sentence("has too much to do: try again")));
    const number = this.#number++;
    this.#worker.postMessage({ number, call });
    return new Promise((resolve, reject) => this.#waiting.set(number, { resolve, reject }));
  }

  #hear(told: Told): void {
    if (told.kind === "event") this.#say(told.event);
    if (told.kind !== "answer" && told.kind !== "failed") return;
    const waiting = this.#waiting.get(told.number);
    this.#waiting.delete(told.number);
    if (told.kind === "answer") waiting?.resolve(told.value);
    else waiting?.reject(new Error(this.#sentence(told.sentence)));
  }

  #say(event: StoreEvent): void {
    const told = event.kind === "troubled" ? { ...event, sentence: this.#sentence(event.sentence) } : event;
    for (const listener of this.#listeners) listener(told);
  }

  /** Nobody waits for a thread that is no more. */
  #fail(): void {
    if (this.#over) return;
    this.#over = true;
    const sentence = this.#sentence("is closed");
    for (const { reject } of this.#waiting.values()) reject(new Error(sentence));
    this.#waiting.clear();
    this.#say({ kind: "troubled", sentence: "is closed" });
  }

  #sentence(what: string): string {
    return `the store ${this.#path} ${what}`;
  }
}
