import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { CallRecord } from "../../src/core/calls.ts";
import type { CallFilter } from "../../src/store/calls.ts";
import { openStore } from "../../src/store/open.ts";

export interface Delivery {
  readonly signature: string;
  readonly body: string;
  readonly calls: readonly CallRecord[];
  readonly status: number;
}

type Wanted = (record: CallRecord) => boolean;

/** A customer's service that is told of calls that have ended. */
export class HookServer {
  readonly deliveries: Delivery[] = [];
  /** What the next requests are answered with; then 204. */
  readonly answers: number[] = [];
  /** Takes requests and answers none. */
  hangs = false;
  readonly #server: Server;
  readonly #looks = new Set<() => void>();

  private constructor() {
    this.#server = createServer((request, response) => {
      if (this.hangs) return;
      void this.#take(request).then((status) => response.writeHead(status).end());
    });
  }

  static async open(): Promise<HookServer> {
    const hook = new HookServer();
    await new Promise<void>((resolve) => hook.#server.listen(0, "127.0.0.1", resolve));
    return hook;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/calls`;
  }

  /** Of what was taken. */
  records(): CallRecord[] {
    return this.deliveries.filter(({ status }) => status < 300).flatMap(({ calls }) => calls);
  }

  /** The first one that was taken, or is yet to come. */
  record(wanted: Wanted): Promise<CallRecord> {
    return this.#until(() => this.records().find(wanted));
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #take(request: IncomingMessage): Promise<number> {
    const body = await text(request);
    const { calls } = JSON.parse(body) as { calls: CallRecord[] };
    const status = this.answers.shift() ?? 204;
    this.deliveries.push({ signature: String(request.headers["postern-signature"]), body, calls, status });
    for (const look of this.#looks) look();
    return status;
  }

  #until<Found>(find: () => Found | undefined): Promise<Found> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = find();
        if (found === undefined) return;
        settle();
        resolve(found);
      };
      const settle = (): void => {
        clearTimeout(timer);
        this.#looks.delete(look);
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`no such record came, only ${JSON.stringify(this.records())}`));
      }, 15_000);
      this.#looks.add(look);
      look();
    });
  }
}

/** The calls in a folder's store, as another process reads them. */
export async function storedCalls(folder: string, filter: Partial<CallFilter> = {}): Promise<readonly CallRecord[]> {
  const config = { store: `sqlite:${folder}/postern.db`, storeNamed: true, storeKeys: [] };
  const opened = await openStore(config, { make: false, renew: false });
  if (!opened) throw new Error("there is no store");
  const found = await opened.calls.find({ limit: 500, ...filter });
  await opened.store.close();
  return found;
}

type AllWanted = (records: readonly CallRecord[]) => boolean;

/** The same, as soon as they are as wanted: the store tells nobody of them. */
export const untilStored = (
  folder: string,
  filter: Partial<CallFilter>,
  wanted: AllWanted,
  patience?: number,
): Promise<readonly CallRecord[]> => until(() => storedCalls(folder, filter), wanted, patience);

/** Those in the file, as soon as they are as wanted. */
export const untilFiled = (path: string, wanted: AllWanted): Promise<readonly CallRecord[]> =>
  until(async () => linesOf(path), wanted);

function linesOf(path: string): CallRecord[] {
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
  return lines.map((line) => JSON.parse(line) as CallRecord);
}

async function until(
  read: () => Promise<readonly CallRecord[]>,
  wanted: AllWanted,
  patience = 10_000,
): Promise<readonly CallRecord[]> {
  for (const end = Date.now() + patience; ; ) {
    const found = await read();
    if (wanted(found)) return found;
    if (Date.now() > end) throw new Error(`not as wanted within ${patience} ms: ${JSON.stringify(found)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
