import { closeSync, existsSync, openSync, statSync } from "node:fs";
import { DatabaseSync, type SQLOutputValue, type StatementSync } from "node:sqlite";
import type { Use } from "../core/uses.ts";
import { detailOf } from "./audit-detail.ts";
import { claimsOf } from "./claims.ts";
import { forgottenBy } from "./forgotten-uses.ts";
import type {
  Act,
  AuditHead,
  AuditQuery,
  AuditRow,
  Changes,
  Claim,
  Edit,
  Item,
  Position,
  SealedKey,
  StoredRecord,
  Taken,
  Written,
} from "./port.ts";
import { SealKeys } from "./seal.ts";
import { openAsFar, openItem, recordOf, sealItem } from "./sealed-item.ts";
import { noKeyOpens, otherKey, putBack, sealedOtherwise } from "./sentences.ts";
import { SqliteAudit } from "./sqlite-audit.ts";
import { CallTable } from "./sqlite-calls.ts";
import { sentenceOf } from "./sqlite-fault.ts";
import type { Opening } from "./sqlite-messages.ts";
import { migrate, mustBeKnown } from "./sqlite-schema.ts";
import { SqliteUses } from "./sqlite-uses.ts";

/** Records of one answer: the reader has other things to do between two. */
const page = 500;
/** Milliseconds that a change waits for another process's. */
const patience = 2_000;
const gone = "is not where it was opened: put its file back, or restart to use the one that is there now";

type Row = Readonly<Record<string, SQLOutputValue>>;

/** A store in one SQLite file, as the one thread that has it open sees it: every call waits for the disk. */
export class SqliteFile {
  readonly calls: CallTable;
  readonly #path: string;
  #keys: SealKeys;
  readonly #db: DatabaseSync;
  readonly #inode: bigint;
  readonly #statements = new Map<string, StatementSync>();
  readonly #audit: SqliteAudit;
  readonly #uses: SqliteUses;
  #dataVersion: number;
  /** The highest that was seen. */
  #revision: number;

  /** Made where it is not there. Throws a sentence where it cannot be used. */
  constructor({ path, keys, renew }: Opening) {
    this.#path = path;
    this.#keys = new SealKeys(keys);
    // SQLite would make it readable for everybody that umask allows; its other files get the mode of this one.
    if (!existsSync(path)) closeSync(openSync(path, "a", 0o600));
    this.#db = new DatabaseSync(path, { timeout: patience, enableDoubleQuotedStringLiterals: false });
    this.#audit = new SqliteAudit(this.#db);
    this.#uses = new SqliteUses(this.#db);
    try {
      migrate(this.#db);
      this.#db.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF",
      );
      this.#agreeOnKey(keys, renew);
    } catch (error) {
      this.#db.close();
      throw error;
    }
    this.#inode = inodeOf(path) ?? 0n;
    this.calls = new CallTable(this.#db, () => this.#mustBeThere());
    this.#dataVersion = this.#readDataVersion();
    this.#revision = this.#readRevision();
  }

  /** Whether another process has changed it since the last look. Throws where it cannot be read. */
  isChanged(): boolean {
    this.#mustBeThere();
    const version = this.#readDataVersion();
    const changed = version !== this.#dataVersion;
    this.#dataVersion = version;
    const revision = this.#readRevision();
    if (revision < this.#revision) throw new Error(putBack);
    this.#revision = revision;
    return changed;
  }

  changes({ revision, id }: Position): Changes {
    const rows = this.#all(
      "SELECT id, revision, item FROM customers WHERE (revision, id) > (?, ?) ORDER BY revision, id LIMIT ?",
      [revision, id, page],
    );
    const last = rows.at(-1);
    return {
      records: rows.map((row) => this.#recordOf(row)),
      position: last ? { revision: Number(last.revision), id: String(last.id) } : { revision, id },
      more: rows.length === page,
    };
  }

  get(id: string): StoredRecord | undefined {
    const [row] = this.#all("SELECT id, revision, item FROM customers WHERE id = ? AND item IS NOT NULL", [id]);
    return row && this.#recordOf(row);
  }

  list(after: string, limit: number): StoredRecord[] {
    const sql = "SELECT id, revision, item FROM customers WHERE id > ? AND item IS NOT NULL ORDER BY id LIMIT ?";
    return this.#all(sql, [after, Math.min(limit, page)]).map((row) => this.#recordOf(row));
  }

  taken(claims: readonly Claim[]): Taken[] {
    return claims.flatMap((claim, index) => {
      const owner = this.#ownerOf(claim);
      return owner === undefined ? [] : [{ claim: index, owner }];
    });
  }

  write(edits: readonly Edit[], act: Act): Written {
    try {
      return this.#changing(
        () => this.#writeAll(edits, act),
        ({ kind }) => kind === "written",
      );
    } catch (error) {
      return { kind: "unavailable", sentence: sentenceOf(error) };
    }
  }

  /** Throws where it cannot be written. */
  append(acts: readonly Act[]): AuditHead {
    return this.#changing(
      () =>
        this.#audit.append(
          acts.map((act) => ({ act })),
          this.#keys,
        ),
      () => true,
    );
  }

  audit(query: AuditQuery): AuditRow[] {
    this.#mustBeThere();
    return this.#audit.read(query);
  }

  auditHead(): AuditHead {
    this.#mustBeThere();
    return this.#audit.head();
  }

  auditKeys(): SealedKey[] {
    this.#mustBeThere();
    return this.#audit.olderKeys();
  }

  /** Throws where it cannot be written. */
  addUses(uses: readonly Use[]): void {
    this.#changing(
      () => this.#uses.add(uses),
      () => true,
    );
  }

  uses(customer: string): Use[] {
    this.#mustBeThere();
    return this.#uses.of(customer);
  }

  close(): void {
    // Closing removes the write-ahead log by its name, which is another database's where the file was replaced.
    if (inodeOf(this.#path) === this.#inode) this.#db.close();
  }

  /** One transaction. keep: whether it is to stand. Throws, and nothing has changed, where it cannot be written. */
  #changing<Result>(work: () => Result, keep: (result: Result) => boolean): Result {
    this.#mustBeThere();
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      mustBeKnown(this.#db);
      if (this.#currentKey() !== this.#keys.id) throw new Error(otherKey);
      const result = work();
      this.#db.exec(keep(result) ? "COMMIT" : "ROLLBACK");
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  #writeAll(edits: readonly Edit[], act: Act): Written {
    for (const { id, expected } of edits) {
      if (expected !== undefined && this.#revisionOf(id) !== expected) return { kind: "stale", id };
    }
    const revision = this.#readRevision() + 1;
    this.#run("UPDATE meta SET value = ? WHERE name = 'revision'", [String(revision)]);
    for (const { id } of edits) this.#run("DELETE FROM claims WHERE customer = ?", [id]);
    const entries: Parameters<SqliteAudit["append"]>[0][number][] = [];
    for (const [index, edit] of edits.entries()) {
      const before = this.#itemOf(edit.id);
      const detail = detailOf(before, edit.kind === "put" ? edit.item : undefined, revision);
      entries.push({ act: { ...act, customer: edit.id }, detail });
      this.#uses.forget(edit.id, edit.kind === "put" ? forgottenBy(before, edit.item) : undefined);
      const item = edit.kind === "put" ? sealItem(this.#keys, edit.id, edit.item) : null;
      for (const claim of edit.kind === "put" ? edit.claims : []) {
        const owner = this.#ownerOf(claim);
        if (owner !== undefined && owner !== edit.id) return { kind: "taken", edit: index, claim: claim.kind, owner };
        this.#claim(claim, edit.id);
      }
      const sql = "INSERT INTO customers VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET revision = ?2, item = ?3";
      this.#run(sql, [edit.id, revision, item]);
    }
    this.#audit.append(entries, this.#keys);
    return { kind: "written", revision };
  }

  /** As far as its secrets open. */
  #itemOf(customer: string): Item | undefined {
    const [row] = this.#all("SELECT item FROM customers WHERE id = ? AND item IS NOT NULL", [customer]);
    return row && openAsFar(this.#keys, customer, String(row.item));
  }

  #claim(claim: Claim, customer: string): void {
    this.#run("INSERT OR IGNORE INTO claims VALUES (?, ?, ?)", [claim.kind, this.#nameOf(claim), customer]);
  }

  /** A secret is not kept beside what it is sealed in. */
  #nameOf({ kind, value }: Claim): string {
    return kind === "secret" ? this.#keys.name(value) : value;
  }

  #ownerOf(claim: Claim): string | undefined {
    const sql = "SELECT customer FROM claims WHERE kind = ? AND value = ?";
    const [row] = this.#all(sql, [claim.kind, this.#nameOf(claim)]);
    return row && String(row.customer);
  }

  #revisionOf(id: string): number {
    const [row] = this.#all("SELECT revision FROM customers WHERE id = ? AND item IS NOT NULL", [id]);
    return Number(row?.revision ?? 0);
  }

  #recordOf({ id, revision, item }: Row): StoredRecord {
    return recordOf(this.#keys, { id: String(id), revision: Number(revision) }, item === null ? null : String(item));
  }

  /** The first that opens it decides under which key; who may renew has everything sealed anew under a newer one. */
  #agreeOnKey(texts: readonly string[], renew: boolean): void {
    const newest = this.#keys;
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const current = this.#currentKey() ?? newest.id;
      if (!newest.has(current)) throw new Error(sealedOtherwise);
      this.#keys = renew ? newest : new SealKeys(texts, current);
      if (this.#keys.id !== current) {
        this.#sealAnew();
        this.#audit.renew(new SealKeys(texts, current), this.#keys);
      }
      this.#run("INSERT OR REPLACE INTO meta VALUES ('key', ?)", [this.#keys.id]);
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  #currentKey(): string | undefined {
    const [row] = this.#all("SELECT value FROM meta WHERE name = 'key'", []);
    return row && String(row.value);
  }

  #sealAnew(): void {
    this.#run("DELETE FROM claims WHERE kind = 'secret'", []);
    const rows = this.#db.prepare("SELECT id, item FROM customers WHERE item IS NOT NULL").all();
    for (const { id, item } of rows) {
      const opened = openItem(this.#keys, String(id), String(item));
      if (opened === undefined) throw new Error(noKeyOpens(String(id)));
      const sealed = sealItem(this.#keys, String(id), opened);
      this.#run("UPDATE customers SET item = ? WHERE id = ?", [sealed, String(id)]);
      for (const claim of claimsOf(opened)) if (claim.kind === "secret") this.#claim(claim, String(id));
    }
  }

  #mustBeThere(): void {
    if (inodeOf(this.#path) !== this.#inode) throw new Error(gone);
  }

  #readRevision(): number {
    return Number(this.#all("SELECT value FROM meta WHERE name = 'revision'", [])[0]?.value);
  }

  #readDataVersion(): number {
    return Number(this.#all("PRAGMA data_version", [])[0]?.data_version);
  }

  #all(sql: string, values: readonly (string | number)[]): Row[] {
    return this.#prepared(sql).all(...values);
  }

  #run(sql: string, values: readonly (string | number | null)[]): void {
    this.#prepared(sql).run(...values);
  }

  /** Every text is a value of a statement, never a part of one. */
  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#db.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }
}

const inodeOf = (path: string): bigint | undefined => statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
