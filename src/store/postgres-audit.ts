import { chainStart, type Entry, nextRow } from "./chain.ts";
import type { Audit, AuditHead, AuditQuery, AuditRow, SealedKey } from "./port.ts";
import { inChunks, type PostgresConnection, type Row, textArray, type Value } from "./postgres-connection.ts";
import type { PostgresDatabase } from "./postgres-database.ts";
import type { SealKeys } from "./seal.ts";

/** Rows of one answer. */
const page = 1_000;

export function auditOf(database: PostgresDatabase): Audit {
  return {
    append: (acts) => {
      const entries = acts.map((act) => ({ act }));
      return database.change((connection) => append(connection, entries, database.keys));
    },
    read: (query) => database.read((connection) => read(connection, query)),
    head: () => database.read(head),
    olderKeys: () => database.read(olderKeys),
  };
}

/** Each of them follows the one before. Inside a transaction that nobody else's is beside. */
export async function append(
  connection: PostgresConnection,
  entries: readonly Entry[],
  keys: SealKeys,
): Promise<AuditHead> {
  const stamp = { at: Date.now(), key: keys.chainKey };
  let last = await head(connection);
  for (const some of inChunks(entries)) {
    const rows = some.map(({ act, detail }) => {
      const row = nextRow(last, act, { ...stamp, ...(detail && { detail }) });
      last = { seq: row.seq, mac: row.mac };
      return row;
    });
    await connection.query(
      `INSERT INTO postern.audit
         SELECT seq, entry, mac FROM unnest($1::bigint[], $2::text[], $3::text[]) AS fresh (seq, entry, mac) ORDER BY seq`,
      [
        textArray(rows.map(({ seq }) => String(seq))),
        textArray(rows.map(({ text }) => text)),
        textArray(rows.map(({ mac }) => mac)),
      ],
    );
  }
  return last;
}

async function head(connection: PostgresConnection): Promise<AuditHead> {
  const [row] = await connection.query("SELECT seq, mac FROM postern.audit ORDER BY seq DESC LIMIT 1");
  return row ? { seq: Number(row.seq), mac: String(row.mac) } : chainStart;
}

async function read(connection: PostgresConnection, query: AuditQuery): Promise<AuditRow[]> {
  const { after, before, limit, customer, by, since } = query;
  const where: readonly (readonly [string, Value | undefined])[] = [
    ["seq > ", after],
    ["seq < ", before],
    [`${member("customer")} = `, customer && inner(customer)],
    [`${member("by")} = `, by && inner(by)],
    [`substring(entry FROM '"at":([0-9]+)')::bigint >= `, since],
  ];
  const asked = where.flatMap(([sql, value]) => (value === undefined ? [] : [{ sql, value }]));
  const condition = asked.map(({ sql }, at) => `${at === 0 ? "WHERE" : "AND"} ${sql}$${at + 1}`).join(" ");
  const order = after === undefined ? "DESC" : "ASC";
  const rows = await connection.query(
    `SELECT seq, entry, mac FROM postern.audit ${condition} ORDER BY seq ${order} LIMIT $${asked.length + 1}`,
    [...asked.map(({ value }) => value), Math.max(0, Math.min(limit, page))],
  );
  const found = rows.map(rowOf);
  return after === undefined ? found.reverse() : found;
}

/** As it stands in the index of postgres-schema.ts. Of JSON's own functions none takes every text that JSON can hold. */
const member = (name: "customer" | "by"): string => `substring(entry FROM '"${name}":"((?:[^"\\\\]|\\\\.)*)"')`;

/** A text as it stands between quotes. */
const inner = (text: string): string => JSON.stringify(text).slice(1, -1);

const rowOf = ({ seq, entry, mac }: Row): AuditRow => ({ seq: Number(seq), text: String(entry), mac: String(mac) });

async function olderKeys(connection: PostgresConnection): Promise<SealedKey[]> {
  const rows = await connection.query("SELECT id, sealed FROM postern.audit_keys");
  return rows.map(({ id, sealed }) => ({ id: String(id), sealed: String(sealed) }));
}

/** The keys of older entries are sealed anew, and an entry under the newer key vouches for all before it. */
export async function renew(connection: PostgresConnection, before: SealKeys, now: SealKeys): Promise<void> {
  const older = before.olderChainKeys(await olderKeys(connection));
  const sql = "INSERT INTO postern.audit_keys VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET sealed = $2";
  for (const key of [...older, before.chainKey]) {
    if (key.id !== now.id) await connection.query(sql, [key.id, now.sealChainKey(key)]);
  }
  await connection.query("DELETE FROM postern.audit_keys WHERE id = $1", [now.id]);
  await append(connection, [{ act: { by: "gateway", what: "store.key" } }], now);
}
