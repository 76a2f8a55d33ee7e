import type { PostgresConnection, PostgresServer } from "./postgres-connection.ts";
import { isServers, postgresSentence } from "./postgres-fault.ts";
import { NotBegun, PostgresPool, patience } from "./postgres-pool.ts";
import { keysFor, mustBeKnown, readMeta } from "./postgres-schema.ts";
import type { SealKeys } from "./seal.ts";
import { otherKey } from "./sentences.ts";

type Work<T> = (connection: PostgresConnection) => Promise<T>;

const begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
const unknownEnd = "lost the connection while it was changed: look whether it was before you try again";

/** Whether it is known how a transaction ended. */
interface End {
  asked: boolean;
}

/** A database of ours that is in use, by all of its ports. What is told of it is a sentence. */
export class PostgresDatabase {
  readonly #name: string;
  readonly #pool: PostgresPool;
  readonly #texts: readonly string[];
  #keys: SealKeys;

  /** texts: all keys; keys: in the order in which they are in use. */
  constructor(server: PostgresServer, texts: readonly string[], keys: SealKeys) {
    this.#name = server.name;
    this.#pool = new PostgresPool(server);
    [this.#texts, this.#keys] = [texts, keys];
  }

  /** What was sealed under any of them can be read. */
  get keys(): SealKeys {
    return this.#keys;
  }

  /** Rejects with a sentence. */
  read<T>(work: Work<T>): Promise<T> {
    return this.#pool.run(work).catch((error: unknown) => Promise.reject(new Error(this.sentence(error))));
  }

  /** All of it or nothing, of this version's schema. Rejects with a sentence, as change does. */
  whole<T>(work: Work<T>, ms = patience): Promise<T> {
    const known: Work<T> = async (connection) => {
      mustBeKnown(await readMeta(connection));
      return work(connection);
    };
    return this.#transact(known, () => true, ms);
  }

  /**
   * The same for what changes customers or the audit: one after the other, whoever else does so. work gets the revision of
   * this change; keep: whether it is to stand. Rejects with a sentence, as Unchanged where nothing was changed for certain.
   */
  async change<T>(
    work: (connection: PostgresConnection, revision: number) => Promise<T>,
    keep: (result: T) => boolean = () => true,
    ms = patience,
  ): Promise<T> {
    const locked: Work<T> = async (connection) => {
      const [row] = await connection.query("SELECT value FROM postern.meta WHERE name = 'revision' FOR UPDATE");
      await this.agree(connection);
      return work(connection, Number(row?.value) + 1);
    };
    return this.#transact(locked, keep, ms);
  }

  /** Another gateway may have sealed everything anew, or brought the schema further, since this one was started. */
  async agree(connection: PostgresConnection): Promise<void> {
    const meta = await readMeta(connection);
    mustBeKnown(meta);
    this.#keys = keysFor(this.#texts, this.#keys, meta.get("key"), otherKey);
  }

  sentence(error: unknown): string {
    return `the store ${this.#name} ${postgresSentence(error)}`;
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async #transact<T>(work: Work<T>, keep: (result: T) => boolean, ms: number): Promise<T> {
    const end: End = { asked: false };
    try {
      return await this.#pool.run((connection) => transact(connection, work, keep, end), ms);
    } catch (error) {
      if (error instanceof NotBegun) throw new Error(this.sentence(error));
      if (end.asked) throw new Error(this.sentence(new Error(unknownEnd)));
      throw new Unchanged(this.sentence(error));
    }
  }
}

/** Nothing has changed; the message is a sentence with the store's name. */
export class Unchanged extends Error {}

async function transact<T>(
  connection: PostgresConnection,
  work: Work<T>,
  keep: (result: T) => boolean,
  end: End,
): Promise<T> {
  await connection.query(begin);
  try {
    const result = await work(connection);
    end.asked = keep(result);
    await connection.query(end.asked ? "COMMIT" : "ROLLBACK");
    end.asked = false;
    return result;
  } catch (error) {
    if (isServers(error)) end.asked = false;
    if (!end.asked) await connection.query("ROLLBACK").catch(() => connection.destroy());
    throw error;
  }
}
