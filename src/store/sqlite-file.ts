import type { SigningKey } from "../core/signing-keys.ts";
import type { Use } from "../core/uses.ts";
import type {
  Act,
  AuditHead,
  AuditQuery,
  AuditRow,
  Changes,
  Claim,
  Edit,
  KeyChange,
  Position,
  SealedKey,
  StoredRecord,
  Taken,
  Written,
} from "./port.ts";
import type { SealKeys } from "./seal.ts";
import { recordOf } from "./sealed-item.ts";
import { putBack } from "./sentences.ts";
import { SqliteAudit } from "./sqlite-audit.ts";
import { CallTable } from "./sqlite-calls.ts";
import { ownerOf } from "./sqlite-claims.ts";
import { type Row, SqliteDatabase } from "./sqlite-database.ts";
import { sentenceOf } from "./sqlite-fault.ts";
import { agreeOnKey, mustBeUnder } from "./sqlite-keys.ts";
import type { Opening } from "./sqlite-messages.ts";
import { QualityTable } from "./sqlite-quality.ts";
import { SqliteSigningKeys } from "./sqlite-signing-keys.ts";
import { SqliteUses } from "./sqlite-uses.ts";
import { writeAll } from "./sqlite-write.ts";

/** Records of one answer: the reader has other things to do between two. */
const page = 500;

/** A store in one SQLite file, as the one thread that has it open sees it: every call waits for the disk. */
export class SqliteFile {
  readonly calls: CallTable;
  readonly quality: QualityTable;
  readonly #database: SqliteDatabase;
  readonly #keys: SealKeys;
  readonly #audit: SqliteAudit;
  readonly #uses: SqliteUses;
  readonly #signingKeys: SqliteSigningKeys;
  #dataVersion: number;
  /** The highest that was seen. */
  #revision: number;

  /** Made where it is not there. Throws a sentence where it cannot be used. */
  constructor({ path, keys, renew }: Opening) {
    this.#database = new SqliteDatabase(path);
    try {
      this.#keys = agreeOnKey(this.#database, keys, renew);
    } catch (error) {
      this.#database.close();
      throw error;
    }
    this.#audit = new SqliteAudit(this.#database.db);
    this.#uses = new SqliteUses(this.#database.db);
    this.#signingKeys = new SqliteSigningKeys(this.#database);
    this.calls = new CallTable(this.#database);
    this.quality = new QualityTable(this.#database);
    this.#dataVersion = this.#database.dataVersion();
    this.#revision = this.#database.revision();
  }

  /** Whether another process has changed it since the last look. Throws where it cannot be read. */
  isChanged(): boolean {
    this.#database.mustBeThere();
    const version = this.#database.dataVersion();
    const changed = version !== this.#dataVersion;
    this.#dataVersion = version;
    const revision = this.#database.revision();
    if (revision < this.#revision) throw new Error(putBack);
    this.#revision = revision;
    return changed;
  }

  changes({ revision, id }: Position): Changes {
    const rows = this.#database.all(
      "SELECT id, revision, item, since FROM customers WHERE (revision, id) > (?, ?) ORDER BY revision, id LIMIT ?",
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
    const [row] = this.#database.all(
      "SELECT id, revision, item, since FROM customers WHERE id = ? AND item IS NOT NULL",
      [id],
    );
    return row && this.#recordOf(row);
  }

  list(after: string, limit: number): StoredRecord[] {
    const sql = "SELECT id, revision, item, since FROM customers WHERE id > ? AND item IS NOT NULL ORDER BY id LIMIT ?";
    return this.#database.all(sql, [after, Math.min(limit, page)]).map((row) => this.#recordOf(row));
  }

  taken(claims: readonly Claim[]): Taken[] {
    return claims.flatMap((claim, index) => {
      const owner = ownerOf(this.#database, this.#keys, claim);
      return owner === undefined ? [] : [{ claim: index, owner }];
    });
  }

  write(edits: readonly Edit[], act: Act): Written {
    try {
      return this.#changing(
        () => writeAll(this.#database, this.#keys, edits, act),
        ({ kind }) => kind === "written",
      );
    } catch (error) {
      return { kind: "unavailable", sentence: sentenceOf(error) };
    }
  }

  /** Throws where it cannot be written. */
  append(acts: readonly Act[]): AuditHead {
    const entries = acts.map((act) => ({ act }));
    return this.#changing(() => this.#audit.append(entries, this.#keys));
  }

  audit(query: AuditQuery): AuditRow[] {
    this.#database.mustBeThere();
    return this.#audit.read(query);
  }

  auditHead(): AuditHead {
    this.#database.mustBeThere();
    return this.#audit.head();
  }

  auditKeys(): SealedKey[] {
    this.#database.mustBeThere();
    return this.#audit.olderKeys();
  }

  /** Throws where it cannot be written. */
  addUses(uses: readonly Use[]): void {
    this.#changing(() => this.#uses.add(uses));
  }

  uses(customer: string): Use[] {
    this.#database.mustBeThere();
    return this.#uses.of(customer);
  }

  signingKeys(): SigningKey[] {
    this.#database.mustBeThere();
    return this.#signingKeys.all(this.#keys);
  }

  /** Throws where it cannot be written. */
  changeSigningKeys(change: KeyChange, act: Act): boolean {
    return this.#changing(
      () => {
        if (!this.#signingKeys.change(change, this.#keys)) return false;
        this.#audit.append([{ act }], this.#keys);
        return true;
      },
      (changed) => changed,
    );
  }

  close(): void {
    this.#database.close();
  }

  /** One transaction, under the key that this was opened with. keep: whether it is to stand. */
  #changing<Result>(work: () => Result, keep?: (result: Result) => boolean): Result {
    return this.#database.whole(() => {
      mustBeUnder(this.#database, this.#keys);
      return work();
    }, keep);
  }

  #recordOf({ id, revision, item, since }: Row): StoredRecord {
    return recordOf(this.#keys, {
      id: String(id),
      revision: Number(revision),
      item: item === null ? null : String(item),
      since: since === null ? null : Number(since),
    });
  }
}
