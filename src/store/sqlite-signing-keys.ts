import type { SigningKey } from "../core/signing-keys.ts";
import type { KeyChange } from "./port.ts";
import type { SealKeys } from "./seal.ts";
import { areAll, type KeyRow, openKey, sealKey } from "./sealed-key.ts";
import type { SqliteDatabase } from "./sqlite-database.ts";

/** The gateway's own keys in a SQLite file. What writes is called in a transaction. */
export class SqliteSigningKeys {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  all(keys: SealKeys): SigningKey[] {
    return this.#rows().map((row) => openKey(keys, row));
  }

  /** False where others are there than were known. */
  change({ known, add, forget }: KeyChange, keys: SealKeys): boolean {
    if (!areAll(known, this.#rows())) return false;
    if (add) this.#put(sealKey(keys, add));
    for (const kid of forget) this.#database.run("DELETE FROM signing_keys WHERE kid = ?", [kid]);
    return true;
  }

  /** keys: open what is there, and seal it anew under the first of them. */
  sealAnew(keys: SealKeys): void {
    for (const key of this.all(keys)) this.#put(sealKey(keys, key));
  }

  #put({ kid, made, signs, sealed }: KeyRow): void {
    this.#database.run("INSERT OR REPLACE INTO signing_keys VALUES (?, ?, ?, ?)", [kid, made, signs, sealed]);
  }

  #rows(): KeyRow[] {
    return this.#database
      .all("SELECT kid, made, signs, sealed FROM signing_keys ORDER BY signs, made", [])
      .map(({ kid, made, signs, sealed }) => ({
        kid: String(kid),
        made: Number(made),
        signs: Number(signs),
        sealed: String(sealed),
      }));
  }
}
