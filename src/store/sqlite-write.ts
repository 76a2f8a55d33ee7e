import { entryOf } from "./audit-detail.ts";
import type { Entry } from "./chain.ts";
import { forgottenBy } from "./forgotten-uses.ts";
import type { Act, Edit, Item, Written } from "./port.ts";
import type { SealKeys } from "./seal.ts";
import { openAsFar, sealItem } from "./sealed-item.ts";
import { SqliteAudit } from "./sqlite-audit.ts";
import { claim, ownerOf } from "./sqlite-claims.ts";
import type { SqliteDatabase } from "./sqlite-database.ts";
import { SqliteUses } from "./sqlite-uses.ts";

/** since: of a removed one when that was; who has its id next begins then or later, whatever the clocks say. */
const put = `
  INSERT INTO customers VALUES (?1, ?2, ?3, iif(?3 IS NULL, ?4, NULL))
  ON CONFLICT (id) DO UPDATE SET revision = ?2, item = ?3,
    since = iif(item IS NULL OR ?3 IS NULL, max(coalesce(since, 0), ?4), since)`;

/** In a transaction, which is to stand where it was written. */
export function writeAll(database: SqliteDatabase, keys: SealKeys, edits: readonly Edit[], act: Act): Written {
  for (const { id, expected } of edits) {
    if (expected !== undefined && revisionOf(database, id) !== expected) return { kind: "stale", id };
  }
  const revision = database.revision() + 1;
  database.run("UPDATE meta SET value = ? WHERE name = 'revision'", [String(revision)]);
  for (const { id } of edits) database.run("DELETE FROM claims WHERE customer = ?", [id]);
  const uses = new SqliteUses(database.db);
  const now = Date.now();
  const entries: Entry[] = [];
  for (const [index, edit] of edits.entries()) {
    const before = itemOf(database, keys, edit.id);
    entries.push(entryOf(act, edit, before, revision));
    uses.forget(edit.id, edit.kind === "put" ? forgottenBy(before, edit.item) : undefined);
    const item = edit.kind === "put" ? sealItem(keys, edit.id, edit.item) : null;
    for (const one of edit.kind === "put" ? edit.claims : []) {
      const owner = ownerOf(database, keys, one);
      if (owner !== undefined && owner !== edit.id) return { kind: "taken", edit: index, claim: one.kind, owner };
      claim(database, keys, one, edit.id);
    }
    database.run(put, [edit.id, revision, item, now]);
  }
  new SqliteAudit(database.db).append(entries, keys);
  return { kind: "written", revision };
}

function revisionOf(database: SqliteDatabase, id: string): number {
  const [row] = database.all("SELECT revision FROM customers WHERE id = ? AND item IS NOT NULL", [id]);
  return Number(row?.revision ?? 0);
}

/** As far as its secrets open. */
function itemOf(database: SqliteDatabase, keys: SealKeys, customer: string): Item | undefined {
  const [row] = database.all("SELECT item FROM customers WHERE id = ? AND item IS NOT NULL", [customer]);
  return row && openAsFar(keys, customer, String(row.item));
}
