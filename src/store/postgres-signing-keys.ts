import type { KeyChange, SigningKeys } from "./port.ts";
import { append } from "./postgres-audit.ts";
import { type PostgresConnection, textArray } from "./postgres-connection.ts";
import type { PostgresDatabase } from "./postgres-database.ts";
import type { SealKeys } from "./seal.ts";
import { areAll, type KeyRow, openKey, sealKey } from "./sealed-key.ts";

/** The gateway's own keys. */
export function signingKeysOf(database: PostgresDatabase): SigningKeys {
  return {
    all: () =>
      database.read(async (connection) => {
        await database.agree(connection);
        return (await readRows(connection)).map((row) => openKey(database.keys, row));
      }),
    change: (change, act) =>
      database.change(
        async (connection) => {
          if (!(await changeKeys(connection, database.keys, change))) return false;
          await append(connection, [{ act }], database.keys);
          return true;
        },
        (changed) => changed,
      ),
  };
}

async function changeKeys(
  connection: PostgresConnection,
  keys: SealKeys,
  { known, add, forget }: KeyChange,
): Promise<boolean> {
  if (!areAll(known, await readRows(connection))) return false;
  if (add) await put(connection, sealKey(keys, add));
  await connection.query("DELETE FROM postern.signing_keys WHERE kid = ANY ($1::text[])", [textArray(forget)]);
  return true;
}

/** Inside a transaction. keys: open what is there, and seal it anew under the first of them. */
export async function sealKeysAnew(connection: PostgresConnection, keys: SealKeys): Promise<void> {
  for (const row of await readRows(connection)) await put(connection, sealKey(keys, openKey(keys, row)));
}

async function put(connection: PostgresConnection, { kid, made, signs, sealed }: KeyRow): Promise<void> {
  await connection.query(
    `INSERT INTO postern.signing_keys VALUES ($1, $2, $3, $4)
       ON CONFLICT (kid) DO UPDATE SET made = $2, signs = $3, sealed = $4`,
    [kid, made, signs, sealed],
  );
}

async function readRows(connection: PostgresConnection): Promise<KeyRow[]> {
  const rows = await connection.query("SELECT kid, made, signs, sealed FROM postern.signing_keys ORDER BY signs, made");
  return rows.map(({ kid, made, signs, sealed }) => ({
    kid: String(kid),
    made: Number(made),
    signs: Number(signs),
    sealed: String(sealed),
  }));
}
