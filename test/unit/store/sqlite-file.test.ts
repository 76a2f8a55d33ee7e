import { rmSync } from "node:fs";
import { join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, it } from "vitest";
import { SqliteFile } from "../../../src/store/sqlite-file.ts";
import { temporaryDir } from "../../helpers/temporary.ts";

const folder = temporaryDir("sqlite-file");
const [path, copy] = [join(folder, "postern.db"), join(folder, "copy.db")];
const act = { by: "cli:root", what: "customer.add" };
const put = (id: string) => ({ kind: "put", id, item: { id }, claims: [], expected: 0 }) as const;
const open = (): SqliteFile => new SqliteFile({ path, keys: ["the-key-of-this-store"], renew: false });

async function copied(from: string, to: string): Promise<void> {
  const db = new DatabaseSync(from);
  await backup(db, to);
  db.close();
}

afterEach(() => rmSync(folder, { recursive: true }));

describe("a SQLite file that is put back to an earlier state while it is open", () => {
  it("is said to be so at each look, and is taken up by who opens it anew; a later state is a change", async () => {
    const [gateway, command] = [open(), open()];
    command.write([put("acme")], act);
    await copied(path, copy);
    expect([gateway.isChanged(), gateway.isChanged()]).toEqual([true, false]);
    command.write([put("globex")], act);
    expect(gateway.isChanged()).toBe(true);
    await copied(copy, path);
    for (let look = 0; look < 2; look++) expect(() => gateway.isChanged()).toThrow(/put back to an earlier state/);
    const restarted = open();
    expect(restarted.isChanged()).toBe(false);
    expect(restarted.get("acme")).toMatchObject({ kind: "stored" });
    expect(restarted.get("globex")).toBeUndefined();
    for (const file of [gateway, command, restarted]) file.close();
  });
});
