import { type CallRecord, firstId, plainNumber } from "../core/calls.ts";
import { type Alive, type CallEntry, type CallFilter, type CallRecords, mostRecords, type TakenOver } from "./calls.ts";
import { lost } from "./lost-call.ts";
import { inChunks, keepable, type PostgresConnection, type Row, textArray, type Value } from "./postgres-connection.ts";
import type { PostgresDatabase } from "./postgres-database.ts";

const put = `
  INSERT INTO postern.calls SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
    $7::text[], $8::boolean[], $9::boolean[], $10::text[]) ORDER BY 1
  ON CONFLICT (id) DO UPDATE SET caller = excluded.caller, domain = excluded.domain, owner = excluded.owner,
    standing = excluded.standing, owed = excluded.owed, record = excluded.record`;
const alive = "INSERT INTO postern.gateways VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET seen = excluded.seen";
/** Of two that take over at once each gets what the other has not. */
const ofSilent = `FROM postern.calls JOIN postern.gateways ON gateways.id = calls.owner
  WHERE gateways.seen < $1 AND gateways.id <> $2`;
const eachOnce = "LIMIT $3 FOR UPDATE OF calls SKIP LOCKED";
const forgetSilent = `
  DELETE FROM postern.gateways WHERE seen < $1 AND id <> $2
    AND NOT EXISTS (SELECT FROM postern.calls WHERE owner = gateways.id AND standing)
    AND NOT EXISTS (SELECT FROM postern.calls WHERE owner = gateways.id AND owed)`;
const forgetOldest = `
  WITH gone AS (DELETE FROM postern.calls WHERE id IN (
    SELECT id FROM postern.calls WHERE id < $1 AND NOT standing ORDER BY id LIMIT $2) RETURNING id)
  SELECT count(*) AS count FROM gone`;

export function callsOf(database: PostgresDatabase): CallRecords {
  return {
    write: (entries, by) =>
      database.whole(async (connection) => {
        await write(connection, entries, by.gateway);
        await connection.query(alive, [keepable(by.gateway), by.at]);
      }),
    find: (filter) => database.read((connection) => find(connection, filter)),
    takeOver: (by, silentSince) => database.whole((connection) => takeOver(connection, by, silentSince)),
    settle: (ids) =>
      database.whole(async (connection) => {
        const sql = "UPDATE postern.calls SET owed = false WHERE id = ANY ($1::text[])";
        for (const some of inChunks(ids)) await connection.query(sql, [textArray(some.map(keepable))]);
      }),
    forget: (before, most) =>
      database.whole(async (connection) => {
        const [row] = await connection.query(forgetOldest, [firstId(before), most]);
        return Number(row?.count);
      }),
  };
}

async function write(connection: PostgresConnection, entries: readonly CallEntry[], owner: string): Promise<void> {
  const last = new Map(entries.map((entry) => [entry.record.id, entry]));
  for (const some of inChunks([...last.values()])) {
    const columns = transposed(some.map((entry) => rowOf(entry, owner)));
    await connection.query(put, columns.map(textArray));
  }
}

function rowOf({ record, owed }: CallEntry, owner: string): readonly (string | null)[] {
  const { id, customer, user = null, domain = null, number, callId, end } = record;
  const dialled = number === undefined ? null : plainNumber(number);
  const texts = [id, customer, user, domain, dialled, callId, owner].map((text) => text && keepable(text));
  return [...texts, String(end === undefined), String(owed), JSON.stringify(record)];
}

function transposed(rows: readonly (readonly (string | null)[])[]): (string | null)[][] {
  return (rows[0] ?? []).map((_, column) => rows.map((row) => row[column] ?? null));
}

async function find(connection: PostgresConnection, filter: CallFilter): Promise<CallRecord[]> {
  const wanted = conditions(filter);
  const where = wanted.map(({ sql }, at) => `${at === 0 ? "WHERE" : "AND"} ${sql} $${at + 1}`).join(" ");
  const sql = `SELECT record FROM postern.calls ${where} ORDER BY id DESC LIMIT $${wanted.length + 1}`;
  const values = wanted.map(({ value }) => value);
  return (await connection.query(sql, [...values, Math.min(filter.limit, mostRecords)])).map(recordOf);
}

function conditions({ customer, user, domain, number, callId, since, until, after }: CallFilter) {
  const all: readonly (readonly [string, string | undefined])[] = [
    ["customer =", customer],
    ["caller =", user],
    ["domain =", domain],
    ["number =", number === undefined ? undefined : plainNumber(number)],
    ["call_id =", callId],
    ["id >=", since === undefined ? undefined : firstId(since)],
    ["id <", until === undefined ? undefined : firstId(until)],
    ["id <", after],
  ];
  return all.flatMap(([sql, value]) => (value === undefined ? [] : [{ sql, value: keepable(value) }]));
}

async function takeOver(connection: PostgresConnection, by: Alive, silentSince: number): Promise<TakenOver> {
  const whose: readonly Value[] = [silentSince, keepable(by.gateway), mostRecords];
  const standing = await connection.query(`SELECT record, seen ${ofSilent} AND standing ${eachOnce}`, whose);
  const ended = standing.map((row) => lost(recordOf(row), Number(row.seen)));
  const owed = (await connection.query(`SELECT record ${ofSilent} AND owed ${eachOnce}`, whose)).map(recordOf);
  const entries = [...ended, ...owed].map((record) => ({ record, owed: true }));
  // Who only looks writes nothing.
  if (entries.length > 0) await connection.query(alive, [keepable(by.gateway), by.at]);
  await write(connection, entries, by.gateway);
  await connection.query(forgetSilent, whose.slice(0, 2));
  return { ended, owed };
}

const recordOf = ({ record }: Row): CallRecord => JSON.parse(String(record)) as CallRecord;
