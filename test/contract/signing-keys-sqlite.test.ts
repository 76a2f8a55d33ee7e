import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openSqlite } from "../../src/store/sqlite.ts";
import { temporaryDir } from "../helpers/temporary.ts";
import { describeSigningKeys } from "./signing-keys.ts";

describeSigningKeys("SQLite", async () => {
  const folder = temporaryDir("signing-keys");
  return {
    open: (keys, renew) => openSqlite({ path: join(folder, "postern.db"), keys, renew }),
    contents: async () =>
      readdirSync(folder)
        .map((file) => readFileSync(join(folder, file), "latin1"))
        .join(),
    remove: () => rmSync(folder, { recursive: true }),
  };
});
