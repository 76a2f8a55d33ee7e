import { claimsOf } from "./claims.ts";
import { SealKeys } from "./seal.ts";
import { openItem, sealItem } from "./sealed-item.ts";
import { noKeyOpens, otherKey, sealedOtherwise } from "./sentences.ts";
import { SqliteAudit } from "./sqlite-audit.ts";
import { claim } from "./sqlite-claims.ts";
import type { SqliteDatabase } from "./sqlite-database.ts";
import { SqliteSigningKeys } from "./sqlite-signing-keys.ts";

/** The first that opens it decides under which key; who may renew has everything sealed anew under a newer one. */
export function agreeOnKey(database: SqliteDatabase, texts: readonly string[], renew: boolean): SealKeys {
  const newest = new SealKeys(texts);
  return database.whole(() => {
    const current = currentKey(database) ?? newest.id;
    if (!newest.has(current)) throw new Error(sealedOtherwise);
    const before = new SealKeys(texts, current);
    const keys = renew ? newest : before;
    if (keys.id !== current) {
      sealAnew(database, keys);
      new SqliteSigningKeys(database).sealAnew(keys);
      new SqliteAudit(database.db).renew(before, keys);
    }
    database.run("INSERT OR REPLACE INTO meta VALUES ('key', ?)", [keys.id]);
    return keys;
  });
}

/** Throws where it was sealed anew under another one meanwhile. */
export function mustBeUnder(database: SqliteDatabase, keys: SealKeys): void {
  if (currentKey(database) !== keys.id) throw new Error(otherKey);
}

function currentKey(database: SqliteDatabase): string | undefined {
  const [row] = database.all("SELECT value FROM meta WHERE name = 'key'", []);
  return row && String(row.value);
}

function sealAnew(database: SqliteDatabase, keys: SealKeys): void {
  database.run("DELETE FROM claims WHERE kind = 'secret'", []);
  const rows = database.all("SELECT id, item FROM customers WHERE item IS NOT NULL", []);
  for (const { id, item } of rows) {
    const opened = openItem(keys, String(id), String(item));
    if (opened === undefined) throw new Error(noKeyOpens(String(id)));
    const sealed = sealItem(keys, String(id), opened);
    database.run("UPDATE customers SET item = ? WHERE id = ?", [sealed, String(id)]);
    for (const one of claimsOf(opened)) if (one.kind === "secret") claim(database, keys, one, String(id));
  }
}
