import { rmSync } from "node:fs";
import { join } from "node:path";
import { openSqlite } from "../../src/store/sqlite.ts";
import { temporaryDir } from "../helpers/temporary.ts";
import { describeStore } from "./store.ts";

describeStore("SQLite", async () => {
  const folder = temporaryDir("store");
  const opening = { path: join(folder, "postern.db"), keys: ["the-key-of-this-store"], renew: false };
  return {
    store: (await openSqlite(opening)).store,
    again: async () => (await openSqlite(opening)).store,
    remove: () => rmSync(folder, { recursive: true }),
  };
});
