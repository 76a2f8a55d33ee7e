import { type Config, storeTls } from "../config.ts";
import type { Customer } from "../core/identity.ts";
import { type Finding, fail, isForOthers, ok, type System, warn } from "./finding.ts";

/** What came of reading the store; without one it has no customers. */
export type StoredRead =
  | { readonly kind: "customers"; readonly customers: readonly Customer[] }
  | { readonly kind: "unusable"; readonly sentence: string };

export const customersIn = (stored: StoredRead): readonly Customer[] =>
  stored.kind === "customers" ? stored.customers : [];

/** A gateway reads it at its start, and does not start without. */
export function checkStore({ customers, store }: Pick<Config, "customers" | "store">, stored: StoredRead): Finding {
  if (stored.kind === "unusable") return fail("store", stored.sentence, unusable);
  const beside = `${stored.customers.length} customers in the store, ${customers.length} in the config`;
  const open = storeTls(store);
  return open === undefined ? ok("store", beside) : warn("store", `${beside}; ${open}`, tlsWanted);
}

/** The database beside what SQLite has open with it, and the key that its secrets are sealed under. */
export function checkStoreFiles({ store }: Pick<Config, "store">, system: System): Finding[] {
  if (!store.startsWith("sqlite:")) return [];
  const path = store.slice("sqlite:".length);
  const open = ["", "-wal", "-shm", ".key"].map((end) => path + end).filter((file) => isForOthers(file, system));
  return open.map((file) => warn("store file", `${file} may be read or written by every user`, `chmod o= ${file}`));
}

const unusable =
  "mend it: until then no gateway starts, and one that runs goes on with what it read last; of a file, run doctor as the gateway's user";
const tlsWanted = "turn ssl on at its server, and take sslmode out of the URL or set verify-full";
