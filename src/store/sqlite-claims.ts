import { nameOf } from "./claims.ts";
import type { Claim } from "./port.ts";
import type { SealKeys } from "./seal.ts";
import type { SqliteDatabase } from "./sqlite-database.ts";

/** In a transaction. */
export function claim(database: SqliteDatabase, keys: SealKeys, one: Claim, customer: string): void {
  database.run("INSERT OR IGNORE INTO claims VALUES (?, ?, ?)", [one.kind, nameOf(keys, one), customer]);
}

export function ownerOf(database: SqliteDatabase, keys: SealKeys, one: Claim): string | undefined {
  const sql = "SELECT customer FROM claims WHERE kind = ? AND value = ?";
  const [row] = database.all(sql, [one.kind, nameOf(keys, one)]);
  return row && String(row.customer);
}
