import { rmSync } from "node:fs";
import { join } from "node:path";
import { openSqlite } from "../../src/store/sqlite.ts";
import { temporaryDir } from "../helpers/temporary.ts";
import { describeQuality } from "./quality.ts";

describeQuality("SQLite", async () => {
  const folder = temporaryDir("quality");
  return {
    ports: await openSqlite({ path: join(folder, "postern.db"), keys: ["the-key-of-this-store"], renew: false }),
    remove: () => rmSync(folder, { recursive: true }),
  };
});
