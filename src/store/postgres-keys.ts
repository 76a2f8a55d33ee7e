import { claimsOf } from "./claims.ts";
import { renew as renewAudit } from "./postgres-audit.ts";
import { kept, type PostgresConnection, textArray } from "./postgres-connection.ts";
import { alone, keysFor, readMeta } from "./postgres-schema.ts";
import { sealKeysAnew } from "./postgres-signing-keys.ts";
import { SealKeys } from "./seal.ts";
import { openItem, sealItem } from "./sealed-item.ts";
import { noKeyOpens } from "./sentences.ts";

/** Items that are sealed anew in one statement. */
const page = 500;

/** The first that opens it decides under which key; who may renew has everything sealed anew under a newer one. */
export async function agreeOnKey(
  connection: PostgresConnection,
  texts: readonly string[],
  renew: boolean,
): Promise<SealKeys> {
  const newest = new SealKeys(texts);
  const current = (await readMeta(connection)).get("key");
  const keys = keysFor(texts, newest, current);
  if (current !== undefined && (!renew || current === newest.id)) return keys;
  return alone(connection, async () => {
    await connection.query("SELECT value FROM postern.meta WHERE name = 'revision' FOR UPDATE");
    const now = (await readMeta(connection)).get("key");
    const agreed = keysFor(texts, newest, now);
    const chosen = renew ? newest : agreed;
    if (now !== undefined && now !== chosen.id) {
      await sealAnew(connection, chosen);
      await sealKeysAnew(connection, chosen);
      await renewAudit(connection, agreed, chosen);
    }
    const sql = "INSERT INTO postern.meta VALUES ('key', $1) ON CONFLICT (name) DO UPDATE SET value = $1";
    await connection.query(sql, [chosen.id]);
    return chosen;
  });
}

async function sealAnew(connection: PostgresConnection, keys: SealKeys): Promise<void> {
  await connection.query("DELETE FROM postern.claims WHERE kind = 'secret'");
  const sql = "SELECT id, item FROM postern.customers WHERE id > $1 AND item IS NOT NULL ORDER BY id LIMIT $2";
  for (let after: string | undefined = ""; after !== undefined; ) {
    const rows = await connection.query(sql, [after, page]);
    await sealPage(connection, keys, rows as readonly { id: string; item: string }[]);
    after = rows.length < page ? undefined : String(rows.at(-1)?.id);
  }
}

async function sealPage(
  connection: PostgresConnection,
  keys: SealKeys,
  rows: readonly { readonly id: string; readonly item: string }[],
): Promise<void> {
  const claims: { id: string; name: string }[] = [];
  const sealed = rows.map(({ id, item }) => {
    const opened = openItem(keys, kept(id), item);
    if (opened === undefined) throw new Error(noKeyOpens(kept(id)));
    for (const { kind, value } of claimsOf(opened)) if (kind === "secret") claims.push({ id, name: keys.name(value) });
    return sealItem(keys, kept(id), opened);
  });
  await connection.query(
    `UPDATE postern.customers AS old SET item = fresh.item
       FROM unnest($1::text[], $2::text[]) AS fresh (id, item) WHERE old.id = fresh.id`,
    [textArray(rows.map(({ id }) => id)), textArray(sealed)],
  );
  await connection.query(
    `INSERT INTO postern.claims SELECT 'secret', name, customer FROM unnest($1::text[], $2::text[]) AS fresh (name, customer)
       ON CONFLICT DO NOTHING`,
    [textArray(claims.map(({ name }) => name)), textArray(claims.map(({ id }) => id))],
  );
}
