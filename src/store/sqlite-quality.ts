import type { SQLInputValue } from "node:sqlite";
import { firstId } from "../core/calls.ts";
import type { Piece } from "../core/quality-piece.ts";
import { type Conference, mostOfOne, mostPieces, type QualityFilter } from "./quality.ts";
import type { SqliteDatabase } from "./sqlite-database.ts";

const put = "INSERT INTO quality VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET piece = excluded.piece";
const oldest = "SELECT id FROM quality WHERE id < ? ORDER BY id LIMIT ?";
const named = "SELECT piece FROM quality WHERE conference = ? AND customer = ? ORDER BY id DESC LIMIT ?";

/** Reports in one SQLite file, as the one thread that has it open sees them. */
export class QualityTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  write(pieces: readonly Piece[]): void {
    this.#database.whole(() => {
      for (const piece of pieces) {
        const { id, customer, conference = null, bridge = null } = piece;
        this.#database.run(put, [id, customer, conference, bridge, JSON.stringify(piece)]);
      }
    });
  }

  find(filter: QualityFilter): Piece[] {
    const wanted = conditions(filter);
    const where = wanted.length === 0 ? "" : ` WHERE ${wanted.map(([sql]) => sql).join(" AND ")}`;
    const values = wanted.map(([, value]) => value);
    const sql = `SELECT piece FROM quality${where} ORDER BY id DESC LIMIT ?`;
    return this.#pieces(sql, [...values, Math.min(filter.limit, mostPieces)]);
  }

  of(conferences: readonly Conference[]): Piece[] {
    const all = conferences.flatMap(({ customer, conference }) =>
      this.#pieces(named, [conference, customer, mostOfOne]),
    );
    return all.toSorted((one, other) => (one.id > other.id ? -1 : 1));
  }

  forget(before: number, most: number): number {
    return this.#database.whole(() => {
      const sql = `DELETE FROM quality WHERE id IN (${oldest})`;
      return Number(this.#database.db.prepare(sql).run(firstId(before), most).changes);
    });
  }

  #pieces(sql: string, values: readonly SQLInputValue[]): Piece[] {
    this.#database.mustBeThere();
    return this.#database.all(sql, values).map(({ piece }) => JSON.parse(String(piece)) as Piece);
  }
}

type Condition = readonly [sql: string, value: SQLInputValue];

function conditions({ customer, conference, bridge, since, until, after }: QualityFilter): Condition[] {
  const all: readonly (readonly [string, SQLInputValue | undefined])[] = [
    ["customer = ?", customer],
    ["conference = ?", conference],
    ["bridge = ?", bridge],
    ["id >= ?", since === undefined ? undefined : firstId(since)],
    ["id < ?", until === undefined ? undefined : firstId(until)],
    ["id < ?", after],
  ];
  return all.flatMap(([sql, value]) => (value === undefined ? [] : [[sql, value] as const]));
}
