import type { Use, UsedKind } from "../core/uses.ts";
import type { Uses } from "./port.ts";
import { inChunks, keepable, kept, type PostgresConnection, textArray } from "./postgres-connection.ts";
import type { PostgresDatabase } from "./postgres-database.ts";

const add = `
  INSERT INTO postern.uses AS old SELECT customer, kind, id, sum(count), max(last)
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) AS fresh (customer, kind, id, count, last)
    GROUP BY customer, kind, id
  ON CONFLICT (customer, kind, id) DO UPDATE
    SET count = old.count + excluded.count, last = greatest(old.last, excluded.last)`;

export function usesOf(database: PostgresDatabase): Uses {
  return {
    add: (uses) =>
      database.change(async (connection) => {
        for (const some of inChunks(uses)) await connection.query(add, columns(some));
      }),
    of: (customer) =>
      database.read(async (connection) => {
        const sql = "SELECT kind, id, count, last FROM postern.uses WHERE customer = $1";
        const rows = await connection.query(sql, [keepable(customer)]);
        return rows.map(({ kind, id, count, last }) => ({
          customer,
          kind: kind as UsedKind,
          id: kept(String(id)),
          count: Number(count),
          last: Number(last),
        }));
      }),
  };
}

const columns = (uses: readonly Use[]): string[] => [
  textArray(uses.map(({ customer }) => keepable(customer))),
  textArray(uses.map(({ kind }) => kind)),
  textArray(uses.map(({ id }) => keepable(id))),
  textArray(uses.map(({ count }) => String(count))),
  textArray(uses.map(({ last }) => String(last))),
];

/** Inside a transaction. */
export async function forgetUses(
  connection: PostgresConnection,
  customers: readonly string[],
  some: readonly Omit<Use, "count" | "last">[],
): Promise<void> {
  for (const ids of inChunks(customers)) {
    const sql = "DELETE FROM postern.uses WHERE customer = ANY ($1::text[])";
    await connection.query(sql, [textArray(ids.map(keepable))]);
  }
  for (const ones of inChunks(some)) {
    await connection.query(
      `DELETE FROM postern.uses USING unnest($1::text[], $2::text[], $3::text[]) AS gone (customer, kind, id)
         WHERE uses.customer = gone.customer AND uses.kind = gone.kind AND uses.id = gone.id`,
      columns(ones.map((one) => ({ ...one, count: 0, last: 0 }))).slice(0, 3),
    );
  }
}
