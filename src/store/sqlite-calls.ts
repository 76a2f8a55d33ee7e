import type { SQLInputValue, StatementSync } from "node:sqlite";
import { type CallRecord, firstId, plainNumber } from "../core/calls.ts";
import { type Alive, type CallEntry, type CallFilter, mostRecords, type TakenOver } from "./calls.ts";
import { lost } from "./lost-call.ts";
import type { Row, SqliteDatabase } from "./sqlite-database.ts";

const put = `
  INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET user = excluded.user, domain = excluded.domain, owner = excluded.owner,
    standing = excluded.standing, owed = excluded.owed, record = excluded.record`;
const alive = "INSERT INTO gateways VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET seen = ?2";
const ofSilent = "FROM calls JOIN gateways ON gateways.id = calls.owner WHERE gateways.seen < ? AND gateways.id <> ?";
const forgetSilent = `
  DELETE FROM gateways WHERE seen < ? AND id <> ?
    AND NOT EXISTS (SELECT 1 FROM calls WHERE owner = gateways.id AND standing = 1)
    AND NOT EXISTS (SELECT 1 FROM calls WHERE owner = gateways.id AND owed = 1)`;
const oldest = "SELECT id FROM calls WHERE id < ? AND standing = 0 ORDER BY id LIMIT ?";

/** Calls in one SQLite file, as the one thread that has it open sees them. */
export class CallTable {
  readonly #database: SqliteDatabase;
  readonly #put: StatementSync;
  readonly #alive: StatementSync;

  constructor(database: SqliteDatabase) {
    this.#database = database;
    this.#put = database.db.prepare(put);
    this.#alive = database.db.prepare(alive);
  }

  write(entries: readonly CallEntry[], { gateway, at }: Alive): void {
    this.#database.whole(() => {
      for (const entry of entries) this.#write(entry, gateway);
      this.#alive.run(gateway, at);
    });
  }

  find(filter: CallFilter): CallRecord[] {
    this.#database.mustBeThere();
    const wanted = conditions(filter);
    const where = wanted.length === 0 ? "" : ` WHERE ${wanted.map(([sql]) => sql).join(" AND ")}`;
    const values = wanted.map(([, value]) => value);
    const sql = `SELECT record FROM calls${where} ORDER BY id DESC LIMIT ?`;
    return this.#records(sql, [...values, Math.min(filter.limit, mostRecords)]);
  }

  takeOver(by: Alive, silentSince: number): TakenOver {
    return this.#database.whole(() => {
      const whose = [silentSince, by.gateway, mostRecords];
      const rows = this.#all(`SELECT record, seen ${ofSilent} AND standing = 1 LIMIT ?`, whose);
      const ended = rows.map(({ record, seen }) => lost(JSON.parse(String(record)) as CallRecord, Number(seen)));
      const owed = this.#records(`SELECT record ${ofSilent} AND owed = 1 LIMIT ?`, whose);
      for (const record of [...ended, ...owed]) this.#write({ record, owed: true }, by.gateway);
      // Who only looks writes nothing.
      if (ended.length + owed.length > 0) this.#alive.run(by.gateway, by.at);
      this.#run(forgetSilent, [silentSince, by.gateway]);
      return { ended, owed };
    });
  }

  settle(ids: readonly string[]): void {
    this.#database.whole(() => {
      for (const id of ids) this.#run("UPDATE calls SET owed = 0 WHERE id = ?", [id]);
    });
  }

  forget(before: number, most: number): number {
    return this.#database.whole(() => this.#run(`DELETE FROM calls WHERE id IN (${oldest})`, [firstId(before), most]));
  }

  #write({ record, owed }: CallEntry, owner: string): void {
    const { id, customer, user = null, domain = null, number, callId, end } = record;
    const dialled = number === undefined ? null : plainNumber(number);
    const state = [Number(end === undefined), Number(owed)];
    this.#put.run(id, customer, user, domain, dialled, callId, owner, ...state, JSON.stringify(record));
  }

  #records(sql: string, values: readonly SQLInputValue[]): CallRecord[] {
    return this.#all(sql, values).map(({ record }) => JSON.parse(String(record)) as CallRecord);
  }

  /** Every text is a value of a statement, never a part of one. */
  #all(sql: string, values: readonly SQLInputValue[]): Row[] {
    return this.#database.db.prepare(sql).all(...values);
  }

  #run(sql: string, values: readonly SQLInputValue[]): number {
    return Number(this.#database.db.prepare(sql).run(...values).changes);
  }
}

type Condition = readonly [sql: string, value: SQLInputValue];

function conditions({ customer, user, domain, number, callId, since, until, after }: CallFilter): Condition[] {
  const all: readonly (readonly [string, SQLInputValue | undefined])[] = [
    ["customer = ?", customer],
    ["user = ?", user],
    ["domain = ?", domain],
    ["number = ?", number === undefined ? undefined : plainNumber(number)],
    ["call_id = ?", callId],
    ["id >= ?", since === undefined ? undefined : firstId(since)],
    ["id < ?", until === undefined ? undefined : firstId(until)],
    ["id < ?", after],
  ];
  return all.flatMap(([sql, value]) => (value === undefined ? [] : [[sql, value] as const]));
}
