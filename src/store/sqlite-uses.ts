import type { DatabaseSync } from "node:sqlite";
import type { Use, UsedKind } from "../core/uses.ts";

const add = `
  INSERT INTO uses VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (customer, kind, id) DO UPDATE SET count = count + excluded.count, last = max(last, excluded.last)`;

/** Counts of uses in a SQLite file. What writes is called in a transaction. */
export class SqliteUses {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  add(uses: readonly Use[]): void {
    const statement = this.#db.prepare(add);
    for (const { customer, kind, id, count, last } of uses) statement.run(customer, kind, id, count, last);
  }

  of(customer: string): Use[] {
    const rows = this.#db.prepare("SELECT kind, id, count, last FROM uses WHERE customer = ?").all(customer);
    return rows.map(({ kind, id, count, last }) => ({
      customer,
      kind: kind as UsedKind,
      id: String(id),
      count: Number(count),
      last: Number(last),
    }));
  }

  /** some: absent: all of the customer's. */
  forget(customer: string, some?: readonly Pick<Use, "kind" | "id">[]): void {
    if (!some) this.#db.prepare("DELETE FROM uses WHERE customer = ?").run(customer);
    for (const { kind, id } of some ?? [])
      this.#db.prepare("DELETE FROM uses WHERE customer = ? AND kind = ? AND id = ?").run(customer, kind, id);
  }
}
