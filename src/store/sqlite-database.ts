import { closeSync, existsSync, openSync, statSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { migrate, mustBeKnown } from "./sqlite-schema.ts";

/** Milliseconds that a change waits for another process's. */
const patience = 2_000;
const gone = "is not where it was opened: put its file back, or restart to use the one that is there now";

export type Row = Readonly<Record<string, SQLOutputValue>>;

/** One SQLite file of this version's schema, and whether it is still the one that was opened. */
export class SqliteDatabase {
  readonly db: DatabaseSync;
  readonly #path: string;
  readonly #inode: bigint;
  readonly #statements = new Map<string, StatementSync>();

  /** Made where it is not there. Throws a sentence where it cannot be used. */
  constructor(path: string) {
    this.#path = path;
    // SQLite would make it readable for everybody that umask allows; its other files get the mode of this one.
    if (!existsSync(path)) closeSync(openSync(path, "a", 0o600));
    this.db = new DatabaseSync(path, { timeout: patience, enableDoubleQuotedStringLiterals: false });
    try {
      migrate(this.db);
      this.db.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF",
      );
    } catch (error) {
      this.db.close();
      throw error;
    }
    this.#inode = inodeOf(path) ?? 0n;
  }

  mustBeThere(): void {
    if (!this.#isThere) throw new Error(gone);
  }

  /** Another one whenever another process has changed it. */
  dataVersion(): number {
    return Number(this.all("PRAGMA data_version", [])[0]?.data_version);
  }

  /** Of the last change of a customer. */
  revision(): number {
    return Number(this.all("SELECT value FROM meta WHERE name = 'revision'", [])[0]?.value);
  }

  /**
   * One transaction, of the schema that this was opened with. keep: whether it is to stand. Throws, and nothing has
   * changed, where it cannot be written.
   */
  whole<Result>(work: () => Result, keep: (result: Result) => boolean = () => true): Result {
    this.mustBeThere();
    this.db.exec("BEGIN IMMEDIATE");
    try {
      mustBeKnown(this.db);
      const result = work();
      this.db.exec(keep(result) ? "COMMIT" : "ROLLBACK");
      return result;
    } catch (error) {
      if (this.db.isTransaction) this.db.exec("ROLLBACK");
      throw error;
    }
  }

  all(sql: string, values: readonly SQLInputValue[]): Row[] {
    return this.#prepared(sql).all(...values);
  }

  run(sql: string, values: readonly SQLInputValue[]): void {
    this.#prepared(sql).run(...values);
  }

  close(): void {
    // Closing removes the write-ahead log by its name, which is another database's where the file was replaced.
    if (this.#isThere) this.db.close();
  }

  get #isThere(): boolean {
    return inodeOf(this.#path) === this.#inode;
  }

  /** Every text is a value of a statement, never a part of one. */
  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.db.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }
}

const inodeOf = (path: string): bigint | undefined => statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
