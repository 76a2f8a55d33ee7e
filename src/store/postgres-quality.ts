import { firstId } from "../core/calls.ts";
import type { Piece } from "../core/quality-piece.ts";
import { inChunks, keepable, type PostgresConnection, type Row, textArray } from "./postgres-connection.ts";
import type { PostgresDatabase } from "./postgres-database.ts";
import { type Conference, mostOfOne, mostPieces, type QualityFilter, type QualityRecords } from "./quality.ts";

const put = `
  INSERT INTO postern.quality SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) ORDER BY 1
  ON CONFLICT (id) DO UPDATE SET piece = excluded.piece`;
const named = `
  SELECT piece FROM unnest($1::text[], $2::text[]) AS wanted (customer, conference) CROSS JOIN LATERAL (
    SELECT id, piece FROM postern.quality WHERE quality.customer = wanted.customer
      AND quality.conference = wanted.conference ORDER BY id DESC LIMIT $3) AS found ORDER BY id DESC`;
const forgetOldest = `
  WITH gone AS (DELETE FROM postern.quality WHERE id IN (
    SELECT id FROM postern.quality WHERE id < $1 ORDER BY id LIMIT $2) RETURNING id)
  SELECT count(*) AS count FROM gone`;

export function qualityOf(database: PostgresDatabase): QualityRecords {
  return {
    write: (pieces) => database.whole((connection) => write(connection, pieces)),
    find: (filter) => database.read((connection) => find(connection, filter)),
    of: (conferences) => database.read((connection) => ofThese(connection, conferences)),
    forget: (before, most) =>
      database.whole(async (connection) => {
        const [row] = await connection.query(forgetOldest, [firstId(before), most]);
        return Number(row?.count);
      }),
  };
}

async function write(connection: PostgresConnection, pieces: readonly Piece[]): Promise<void> {
  const last = new Map(pieces.map((piece) => [piece.id, piece]));
  for (const some of inChunks([...last.values()])) {
    const column = (name: "id" | "customer" | "conference" | "bridge"): string =>
      textArray(some.map((piece) => (piece[name] === undefined ? null : keepable(piece[name]))));
    const texts = textArray(some.map((piece) => JSON.stringify(piece)));
    await connection.query(put, [column("id"), column("customer"), column("conference"), column("bridge"), texts]);
  }
}

async function find(connection: PostgresConnection, filter: QualityFilter): Promise<Piece[]> {
  const wanted = conditions(filter);
  const where = wanted.map(({ sql }, at) => `${at === 0 ? "WHERE" : "AND"} ${sql} $${at + 1}`).join(" ");
  const sql = `SELECT piece FROM postern.quality ${where} ORDER BY id DESC LIMIT $${wanted.length + 1}`;
  const values = wanted.map(({ value }) => value);
  return (await connection.query(sql, [...values, Math.min(filter.limit, mostPieces)])).map(pieceOf);
}

async function ofThese(connection: PostgresConnection, conferences: readonly Conference[]): Promise<Piece[]> {
  if (conferences.length === 0) return [];
  const customers = textArray(conferences.map(({ customer }) => keepable(customer)));
  const names = textArray(conferences.map(({ conference }) => keepable(conference)));
  return (await connection.query(named, [customers, names, mostOfOne])).map(pieceOf);
}

function conditions({ customer, conference, bridge, since, until, after }: QualityFilter) {
  const all: readonly (readonly [string, string | undefined])[] = [
    ["customer =", customer],
    ["conference =", conference],
    ["bridge =", bridge],
    ["id >=", since === undefined ? undefined : firstId(since)],
    ["id <", until === undefined ? undefined : firstId(until)],
    ["id <", after],
  ];
  return all.flatMap(([sql, value]) => (value === undefined ? [] : [{ sql, value: keepable(value) }]));
}

const pieceOf = ({ piece }: Row): Piece => JSON.parse(String(piece)) as Piece;
