import { PostgresConnection, type PostgresServer } from "./postgres-connection.ts";
import { fault } from "./postgres-fault.ts";
import { tooMuch } from "./sentences.ts";

/** Connections at once; a change holds one while it waits for another gateway's. */
const mostConnections = 3;
/** Calls that nobody has answered yet, those under way among them. */
const mostWaiting = 1_000;
/** Milliseconds that a call may take, its wait for a connection included. */
export const patience = 8_000;

type Work<T> = (connection: PostgresConnection) => Promise<T>;

interface Job {
  readonly run: (connection: PostgresConnection) => Promise<void>;
  readonly isOver: () => boolean;
}

/** The call was not begun: the store is closed, or has too much to do. */
export class NotBegun extends Error {}

/** A few connections, each for one call at a time, and those that wait for one in the order in which they came. */
export class PostgresPool {
  readonly #server: PostgresServer;
  readonly #idle = new Set<PostgresConnection>();
  readonly #busy = new Set<PostgresConnection>();
  readonly #queue: Job[] = [];
  #open = 0;
  #closed = false;
  #drained: (() => void) | undefined;

  constructor(server: PostgresServer) {
    this.#server = server;
  }

  /** Rejects with the fault of the database, or with NotBegun. What is not done in time is cut off, with its connection. */
  run<T>(work: Work<T>, ms = patience): Promise<T> {
    if (this.#closed) return Promise.reject(new NotBegun("is closed"));
    if (this.#open >= mostWaiting) return Promise.reject(new NotBegun(tooMuch));
    this.#open++;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let mine: PostgresConnection | undefined;
    let over = false;
    const settle = (how: () => void): void => {
      if (over) return;
      over = true;
      this.#open--;
      clearTimeout(timer);
      how();
      if (this.#open === 0) this.#drained?.();
    };
    const timer = setTimeout(() => {
      settle(() => reject(fault("TOO_LATE")));
      if (mine) this.#suspect(mine);
    }, ms);
    const run = async (connection: PostgresConnection): Promise<void> => {
      mine = connection;
      await work(connection).then(
        (value) => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(error)),
      );
    };
    this.#queue.push({ run, isOver: () => over });
    this.#next();
    return promise;
  }

  /** What is under way is finished, what comes is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#open > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    await Promise.all([...this.#idle, ...this.#busy].map((connection) => connection.end()));
  }

  #next(): void {
    while (this.#queue[0]?.isOver()) this.#queue.shift();
    const connection = this.#queue.length > 0 ? this.#take() : undefined;
    if (!connection) return;
    const job = this.#queue.shift();
    this.#busy.add(connection);
    void job?.run(connection).then(() => {
      this.#busy.delete(connection);
      if (!connection.isOver) this.#idle.add(connection);
      this.#next();
    });
  }

  #take(): PostgresConnection | undefined {
    for (const connection of this.#idle) {
      this.#idle.delete(connection);
      if (!connection.isOver) return connection;
    }
    if (this.#busy.size >= mostConnections) return undefined;
    const connection: PostgresConnection = new PostgresConnection(this.#server, {
      lost: () => this.#idle.delete(connection),
    });
    return connection;
  }

  /** Where one says nothing any more, those that nobody waits for may be as dead. */
  #suspect(connection: PostgresConnection): void {
    for (const one of [connection, ...this.#idle]) one.destroy("TOO_LATE");
  }
}
