import { readFileSync } from "node:fs";
import type { PostgresTarget } from "../config/store-url.ts";
import type {
  Act,
  Changes,
  Claim,
  Edit,
  Ports,
  Position,
  Store,
  StoredRecord,
  StoreEvent,
  Taken,
  Written,
} from "./port.ts";
import { auditOf } from "./postgres-audit.ts";
import { callsOf } from "./postgres-calls.ts";
import { keepable, kept, PostgresConnection, type PostgresServer, type Row } from "./postgres-connection.ts";
import { PostgresDatabase, Unchanged } from "./postgres-database.ts";
import { postgresSentence } from "./postgres-fault.ts";
import { agreeOnKey } from "./postgres-keys.ts";
import { patience } from "./postgres-pool.ts";
import { qualityOf } from "./postgres-quality.ts";
import { migrate, readMeta } from "./postgres-schema.ts";
import { signingKeysOf } from "./postgres-signing-keys.ts";
import { usesOf } from "./postgres-uses.ts";
import { PostgresWatch } from "./postgres-watch.ts";
import { ownersOf, writeAll } from "./postgres-write.ts";
import { recordOf } from "./sealed-item.ts";
import { putBack } from "./sentences.ts";

/** Records of one answer: the reader has other things to do between two. */
const page = 500;
/** Milliseconds that the first connection may take, and all that a start may have to bring forward or seal anew. */
const [openPatience, longestOpen] = [10_000, 900_000];

export interface PostgresOpening {
  readonly target: PostgresTarget;
  /** Newest first. */
  readonly keys: readonly string[];
  /** Where another key is the newest now, everything is sealed anew under it. */
  readonly renew: boolean;
  readonly make: boolean;
}

/** Undefined where nothing is there and nothing is to be made. Rejects with a sentence where it cannot be used. */
export async function openPostgres({ target, keys: texts, renew, make }: PostgresOpening): Promise<Ports | undefined> {
  let connection: PostgresConnection | undefined;
  const late = (): void => connection?.destroy("TOO_LATE");
  let timer = setTimeout(late, openPatience);
  try {
    const server = serverOf(target);
    connection = new PostgresConnection(server);
    await connection.query("SELECT 1");
    clearTimeout(timer);
    timer = setTimeout(late, longestOpen);
    if (!(await migrate(connection, make))) return undefined;
    const keys = await agreeOnKey(connection, texts, renew);
    const revision = Number((await readMeta(connection)).get("revision"));
    const database = new PostgresDatabase(server, texts, keys);
    return {
      store: new PostgresStore(server, database, revision),
      audit: auditOf(database),
      calls: callsOf(database),
      uses: usesOf(database),
      quality: qualityOf(database),
      signingKeys: signingKeysOf(database),
    };
  } catch (error) {
    throw new Error(`the store ${target.name} ${postgresSentence(error)}`);
  } finally {
    clearTimeout(timer);
    await connection?.end();
  }
}

function serverOf(target: PostgresTarget): PostgresServer {
  if (target.authorities === undefined) return target;
  try {
    return { ...target, certificates: readFileSync(target.authorities, "utf8") };
  } catch {
    throw new Error("cannot be reached: the file of sslrootcert cannot be read"); // whatever the reason
  }
}

/** Customers in the schema `postern` of a PostgreSQL database. */
class PostgresStore implements Store {
  readonly #server: PostgresServer;
  readonly #database: PostgresDatabase;
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  /** The newest revision that was told of. */
  #known: number;
  #watch: PostgresWatch | undefined;
  #troubled = false;

  constructor(server: PostgresServer, database: PostgresDatabase, revision: number) {
    [this.#server, this.#database, this.#known] = [server, database, revision];
  }

  changes({ revision, id }: Position): Promise<Changes> {
    const sql = `SELECT id, revision, item, since FROM postern.customers WHERE (revision, id) > ($1, $2)
      ORDER BY revision, id LIMIT $3`;
    return this.#database.read(async (connection) => {
      const records = this.#recordsOf(await connection.query(sql, [revision, keepable(id), page]));
      const last = records.at(-1);
      const position = last ? { revision: last.revision, id: last.id } : { revision, id };
      return { records, position, more: records.length === page };
    });
  }

  async get(id: string): Promise<StoredRecord | undefined> {
    const sql = "SELECT id, revision, item, since FROM postern.customers WHERE id = $1 AND item IS NOT NULL";
    const rows = await this.#database.read((connection) => connection.query(sql, [keepable(id)]));
    return this.#recordsOf(rows)[0];
  }

  async list(after: string, limit: number): Promise<readonly StoredRecord[]> {
    const sql = `SELECT id, revision, item, since FROM postern.customers WHERE id > $1 AND item IS NOT NULL ORDER BY id LIMIT $2`;
    const values = [keepable(after), Math.min(limit, page)];
    return this.#recordsOf(await this.#database.read((connection) => connection.query(sql, values)));
  }

  taken(claims: readonly Claim[]): Promise<readonly Taken[]> {
    return this.#database.read(async (connection) => {
      await this.#database.agree(connection);
      const owners = await ownersOf(connection, this.#database.keys, claims);
      return [...owners].sort(([a], [b]) => a - b).map(([claim, owner]) => ({ claim, owner }));
    });
  }

  /** The statements of many edits take longer. */
  async write(edits: readonly Edit[], act: Act): Promise<Written> {
    const work = this.#database.change(
      (connection, revision) => writeAll(connection, this.#database.keys, { edits, act, revision }),
      ({ kind }: Written) => kind === "written",
      patience + 2 * edits.length,
    );
    const written = await work.catch((error: unknown): Written => {
      if (error instanceof Unchanged) return { kind: "unavailable", sentence: error.message };
      throw error;
    });
    if (written.kind === "written") this.#seen(written.revision);
    return written;
  }

  watch(listener: (event: StoreEvent) => void): void {
    this.#listeners.add(listener);
    this.#watch ??= new PostgresWatch(this.#server, {
      known: () => this.#known,
      revision: (now, before) => {
        if (now < before) throw new Error(putBack);
        this.#seen(now);
      },
      well: () => this.#tell(undefined),
      troubled: (error) => this.#tell(error),
    });
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    await Promise.all([this.#watch?.close(), this.#database.close()]);
  }

  /** Each revision is told once, whoever made it. */
  #seen(revision: number): void {
    if (revision <= this.#known) return;
    this.#known = revision;
    this.#say({ kind: "changed" });
  }

  /** Each trouble is told once, and its end. */
  #tell(trouble: unknown): void {
    const troubled = trouble !== undefined;
    if (troubled === this.#troubled) return;
    this.#troubled = troubled;
    this.#say(troubled ? { kind: "troubled", sentence: this.#database.sentence(trouble) } : { kind: "well" });
  }

  #say(event: StoreEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #recordsOf(rows: readonly Row[]): StoredRecord[] {
    const { keys } = this.#database;
    return rows.map(({ id, revision, item, since }) =>
      recordOf(keys, {
        id: kept(String(id)),
        revision: Number(revision),
        item: item === null ? null : String(item),
        since: since === null ? null : Number(since),
      }),
    );
  }
}
