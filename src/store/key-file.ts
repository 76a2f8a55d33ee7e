import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";

/** Where the key lies that was made because the config has none. */
export const keyFileOf = (database: string): string => `${database}.key`;

/** Undefined where there is none. Throws what node:fs throws for one that may not be read. */
export function readKeyFile(database: string): string | undefined {
  try {
    return readFileSync(keyFileOf(database), "utf8").replace(/\r?\n$/, "") || undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** A fresh key, for the owner alone. Of two that make one at once both get the same; nobody sees half of it. */
export function makeKeyFile(database: string): string {
  const file = keyFileOf(database);
  const fresh = `${file}.${process.pid}.new`;
  writeFileSync(fresh, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600, flag: "wx", flush: true });
  try {
    linkSync(fresh, file);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  } finally {
    rmSync(fresh, { force: true });
  }
  return readKeyFile(database) ?? "";
}
