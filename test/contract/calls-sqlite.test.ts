import { rmSync } from "node:fs";
import { join } from "node:path";
import { openSqlite } from "../../src/store/sqlite.ts";
import { temporaryDir } from "../helpers/temporary.ts";
import { describeCalls } from "./calls.ts";

describeCalls("SQLite", async () => {
  const folder = temporaryDir("calls");
  const opening = { path: join(folder, "postern.db"), keys: ["the-key-of-this-store"], renew: false };
  return {
    database: await openSqlite(opening),
    again: () => openSqlite(opening),
    remove: () => rmSync(folder, { recursive: true }),
  };
});
