import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Kamailio } from "./kamailio.ts";

/** The Contacts that Kamailio's usrloc has of an address, from the database that it writes through to, and may be writing just now. */
export function bindingsOf({ dir }: Pick<Kamailio, "dir">, address: string): string[] {
  const [user = "", domain = ""] = address.split("@");
  const database = new DatabaseSync(join(dir, "kamailio.sqlite"), { readOnly: true, timeout: 5_000 });
  const rows = database.prepare("SELECT contact FROM location WHERE username = ? AND domain = ?").all(user, domain);
  database.close();
  return rows.map(({ contact }) => String(contact));
}
