import { rmSync } from "node:fs";
import { join } from "node:path";
import { openSqlite } from "../../src/store/sqlite.ts";
import { temporaryDir } from "../helpers/temporary.ts";
import { describeUses } from "./uses.ts";

describeUses("SQLite", async () => {
  const folder = temporaryDir("uses");
  const opening = { path: join(folder, "postern.db"), keys: ["the-key-of-this-store"], renew: false };
  return { ports: await openSqlite(opening), remove: () => rmSync(folder, { recursive: true }) };
});
