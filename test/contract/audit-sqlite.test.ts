import { rmSync } from "node:fs";
import { join } from "node:path";
import { openSqlite } from "../../src/store/sqlite.ts";
import { temporaryDir } from "../helpers/temporary.ts";
import { describeAudit } from "./audit.ts";

describeAudit("SQLite", async () => {
  const folder = temporaryDir("audit");
  return {
    open: (keys, renew) => openSqlite({ path: join(folder, "postern.db"), keys, renew }),
    remove: () => rmSync(folder, { recursive: true }),
  };
});
