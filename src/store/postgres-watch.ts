import { setTimeout as pause } from "node:timers/promises";
import { PostgresConnection, type PostgresServer } from "./postgres-connection.ts";

/** Milliseconds between looks of its own, should a notice be lost on its way. */
const lookEvery = 1_000;
/** Milliseconds that an answer may take. */
const patience = 4_000;
/** Milliseconds until the next attempt to connect: the first, doubled by each that fails, and the longest. */
const [firstPause, longestPause] = [100, 1_000];

/** The channel that each change is told on. */
export const channel = "postern";

export interface Heard {
  /** The revision that the store has; a look began when it was known to have the one before at least. */
  revision(now: number, before: number): void;
  well(): void;
  troubled(error: unknown): void;
  /** The newest that this process knows of. */
  known(): number;
}

/** A connection that is told of each change, and made anew whenever it is lost. */
export class PostgresWatch {
  readonly #server: PostgresServer;
  readonly #heard: Heard;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(server: PostgresServer, heard: Heard) {
    this.#server = server;
    this.#heard = heard;
    this.#ended = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #run(): Promise<void> {
    for (let failed = 0; !this.#stop.signal.aborted; failed++) {
      await this.#follow(() => {
        failed = 0;
      }).catch((error: unknown) => this.#heard.troubled(error));
      await this.#wait(Math.min(firstPause * 2 ** failed, longestPause));
    }
  }

  /** Until it is stopped; rejects when the connection is lost or says nothing any more. listening: it goes well. */
  async #follow(listening: () => void): Promise<void> {
    let wake = Promise.withResolvers<void>();
    const connection = new PostgresConnection(this.#server, {
      notified: () => wake.resolve(),
      lost: () => wake.resolve(),
    });
    const stopped = (): void => wake.resolve();
    this.#stop.signal.addEventListener("abort", stopped);
    try {
      await inTime(connection, connection.query(`LISTEN ${channel}`));
      for (let first = true; !this.#stop.signal.aborted; first = false) {
        await this.#look(connection);
        if (first) this.#heard.well();
        listening();
        await Promise.race([wake.promise, this.#wait(lookEvery)]);
        wake = Promise.withResolvers();
      }
      await connection.end();
    } finally {
      this.#stop.signal.removeEventListener("abort", stopped);
      connection.destroy();
    }
  }

  async #look(connection: PostgresConnection): Promise<void> {
    const before = this.#heard.known();
    const [row] = await inTime(connection, connection.query("SELECT value FROM postern.meta WHERE name = 'revision'"));
    this.#heard.revision(Number(row?.value ?? 0), before);
  }

  async #wait(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined); // by close alone
  }
}

async function inTime<T>(connection: PostgresConnection, answer: Promise<T>): Promise<T> {
  const timer = setTimeout(() => connection.destroy("TOO_LATE"), patience);
  return answer.finally(() => clearTimeout(timer));
}
