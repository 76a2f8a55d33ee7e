import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { StoreEvent } from "./port.ts";
import type { Call, Opening, Told } from "./sqlite-messages.ts";

/** Calls that the thread has not answered yet. */
const mostWaiting = 1_000;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Opens the database, or makes it. Rejects with a sentence where it cannot be used. */
export async function startThread(opening: Opening): Promise<SqliteThread> {
  const execArgv = ["--disable-warning=ExperimentalWarning"];
  const worker = new Worker(new URL("./sqlite-worker.ts", import.meta.url), { workerData: opening, execArgv });
  const [told] = (await once(worker, "message")) as [Told];
  if (told.kind === "unusable") throw new Error(`the store ${opening.path} ${told.sentence}`);
  return new SqliteThread(worker, opening.path);
}

/** The thread that waits for the disk, as the others see it, who do not. */
export class SqliteThread {
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

  /** The answer has the type that the call's name stands for. Rejects with a sentence. */
  ask(call: Call): Promise<unknown> {
    if (this.#over) return Promise.reject(new Error(this.sentence("is closed")));
    if (this.#waiting.size >= mostWaiting && call.name !== "close")
      return Promise.reject(new Error(this.sentence("has too much to do: try again")));
    const number = this.#number++;
    this.#worker.postMessage({ number, call });
    return new Promise((resolve, reject) => this.#waiting.set(number, { resolve, reject }));
  }

  watch(listener: (event: StoreEvent) => void): void {
    this.#listeners.add(listener);
  }

  say(event: StoreEvent): void {
    const told = event.kind === "troubled" ? { ...event, sentence: this.sentence(event.sentence) } : event;
    for (const listener of this.#listeners) listener(told);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    if (!this.#over) await this.ask({ name: "close" });
    await this.#ended;
  }

  sentence(what: string): string {
    return `the store ${this.#path} ${what}`;
  }

  #hear(told: Told): void {
    if (told.kind === "event") this.say(told.event);
    if (told.kind !== "answer" && told.kind !== "failed") return;
    const waiting = this.#waiting.get(told.number);
    this.#waiting.delete(told.number);
    if (told.kind === "answer") waiting?.resolve(told.value);
    else waiting?.reject(new Error(this.sentence(told.sentence)));
  }

  /** Nobody waits for a thread that is no more. */
  #fail(): void {
    if (this.#over) return;
    this.#over = true;
    const sentence = this.sentence("is closed");
    for (const { reject } of this.#waiting.values()) reject(new Error(sentence));
    this.#waiting.clear();
    this.say({ kind: "troubled", sentence: "is closed" });
  }
}
