import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { chainStart, type Entry, nextRow } from "./chain.ts";
import type { AuditHead, AuditQuery, AuditRow, SealedKey } from "./port.ts";
import type { SealKeys } from "./seal.ts";

/** Rows of one answer. */
const page = 1_000;

/** The audit in a SQLite file. What writes is called in a transaction. */
export class SqliteAudit {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  head(): AuditHead {
    const row = this.#db.prepare("SELECT seq, mac FROM audit ORDER BY seq DESC LIMIT 1").get();
    return row ? { seq: Number(row.seq), mac: String(row.mac) } : chainStart;
  }

  /** Each of them follows the one before. */
  append(acts: readonly Entry[], keys: SealKeys): AuditHead {
    const insert = this.#db.prepare("INSERT INTO audit VALUES (?, ?, ?)");
    const stamp = { at: Date.now(), key: keys.chainKey };
    return acts.reduce((head, { act, detail }) => {
      const row = nextRow(head, act, { ...stamp, ...(detail && { detail }) });
      insert.run(row.seq, row.text, row.mac);
      return { seq: row.seq, mac: row.mac };
    }, this.head());
  }

  read({ after, before, limit, customer, by, since }: AuditQuery): AuditRow[] {
    const where = [
      ["seq > ?", after],
      ["seq < ?", before],
      ["json_extract(entry, '$.customer') = ?", customer],
      ["json_extract(entry, '$.by') = ?", by],
      ["json_extract(entry, '$.at') >= ?", since],
    ] as const;
    const asked = where.filter(([, value]) => value !== undefined);
    const condition = asked.length === 0 ? "" : `WHERE ${asked.map(([sql]) => sql).join(" AND ")}`;
    const order = after === undefined ? "DESC" : "ASC";
    const rows = this.#db
      .prepare(`SELECT seq, entry, mac FROM audit ${condition} ORDER BY seq ${order} LIMIT ?`)
      .all(...asked.map(([, value]) => value!), Math.max(0, Math.min(limit, page)));
    const found = rows.map(rowOf);
    return after === undefined ? found.reverse() : found;
  }

  olderKeys(): SealedKey[] {
    const rows = this.#db.prepare("SELECT id, sealed FROM audit_keys").all();
    return rows.map(({ id, sealed }) => ({ id: String(id), sealed: String(sealed) }));
  }

  /** The keys of older entries are sealed anew, and an entry under the newer key vouches for all before it. */
  renew(before: SealKeys, now: SealKeys): void {
    const keep = this.#db.prepare("INSERT OR REPLACE INTO audit_keys VALUES (?, ?)");
    for (const key of [...before.olderChainKeys(this.olderKeys()), before.chainKey]) {
      if (key.id !== now.id) keep.run(key.id, now.sealChainKey(key));
    }
    this.#db.prepare("DELETE FROM audit_keys WHERE id = ?").run(now.id);
    this.append([{ act: { by: "gateway", what: "store.key" } }], now);
  }
}

const rowOf = ({ seq, entry, mac }: Readonly<Record<string, SQLOutputValue>>): AuditRow => ({
  seq: Number(seq),
  text: String(entry),
  mac: String(mac),
});
