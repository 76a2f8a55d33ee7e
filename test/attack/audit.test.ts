import { cpSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { nextRow } from "../../src/store/chain.ts";
import { SealKeys } from "../../src/store/seal.ts";
import { ConfigFolder, least } from "../helpers/config-file.ts";
import { change, onStore, type Said } from "../helpers/stored.ts";

// Each test starts several processes, one after the other.
vi.setConfig({ testTimeout: 60_000 });

/** Entries of the audit that each attack begins with. */
const entries = 6;
let folder: ConfigFolder;
let head: string;
let verified: Said;

beforeAll(async () => {
  folder = new ConfigFolder();
  folder.write("postern.yaml", least);
  await change(folder.path, "customer", "add", "acme", "--domain", "acme.example");
  await change(folder.path, "customer", "add", "globex", "--domain", "globex.example");
  for (let at = 0; at < 3; at++) await change(folder.path, "secret", "add", "acme");
  await change(folder.path, "customer", "remove", "globex");
  verified = await onStore(folder.path, ["audit", "verify"]);
  head = String(verified.data.head);
}, 60_000);
afterAll(() => folder.remove());

/** The same store, after somebody who may write its file, and has not its key, has been at it. */
async function attacked(attack: (db: DatabaseSync) => void, ...args: readonly string[]): Promise<Said> {
  const copy = new ConfigFolder();
  cpSync(folder.path, copy.path, { recursive: true });
  const db = new DatabaseSync(join(copy.path, "postern.db"));
  db.exec("DROP TRIGGER audit_follows; DROP TRIGGER audit_stays; DROP TRIGGER audit_remains");
  attack(db);
  db.close();
  const said = await onStore(copy.path, ["audit", "verify", ...args]);
  copy.remove();
  return said;
}

const swap = `
  UPDATE audit SET seq = 100 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 100;
`;
const move = "UPDATE audit SET seq = seq - 1 WHERE seq > 3";

/** As whoever knows how, but has another key: the id of the right one is no secret. */
function forge(db: DatabaseSync): void {
  const last = db.prepare("SELECT seq, mac, entry FROM audit ORDER BY seq DESC LIMIT 1").get() ?? {};
  const { key: id } = JSON.parse(String(last.entry)) as { key: string };
  const { key } = new SealKeys(["another-key-of-another-store"]).chainKey;
  const before = { seq: Number(last.seq), mac: String(last.mac) };
  const row = nextRow(before, { by: "cli:root", what: "customer.add" }, { at: Date.now(), key: { id, key } });
  db.prepare("INSERT INTO audit VALUES (?, ?, ?)").run(row.seq, row.text, row.mac);
}

describe("the audit", () => {
  it("verifies as it was written, with the head of its end and of any entry before", async () => {
    expect([verified.exit, verified.data]).toEqual([0, { ok: true, entries, head }]);
    expect((await onStore(folder.path, ["audit", "verify", "--head", head])).exit).toBe(0);
    const db = new DatabaseSync(join(folder.path, "postern.db"));
    const { mac } = db.prepare("SELECT mac FROM audit WHERE seq = 2").get() ?? {};
    db.close();
    expect((await onStore(folder.path, ["audit", "verify", "--head", `2:${String(mac)}`])).exit).toBe(0);
    expect((await attacked(() => {})).exit).toBe(0);
  });

  it.each<[string, number, string, string | ((db: DatabaseSync) => void)]>([
    ["a removed entry", 3, "entry 3 is missing", "DELETE FROM audit WHERE seq = 3"],
    ["a removed first entry", 1, "entry 1 is missing", "DELETE FROM audit WHERE seq = 1"],
    ["a removed entry whose place is filled", 3, "entry 3 is not the one", `DELETE FROM audit WHERE seq = 3; ${move}`],
    ["a swapped pair", 3, "entry 3 is not the one", swap],
    [
      "a changed entry",
      4,
      "entry 4 was changed",
      "UPDATE audit SET entry = replace(entry, 'cli:', 'gui:') WHERE seq = 4",
    ],
    [
      "a changed mac",
      4,
      "entry 4 was changed",
      "UPDATE audit SET mac = (SELECT mac FROM audit WHERE seq = 2) WHERE seq = 4",
    ],
    ["an entry that is none", 5, "entry 5 is not the one", "UPDATE audit SET entry = '[]' WHERE seq = 5"],
    ["a forged entry", entries + 1, `entry ${entries + 1} was changed, or put there`, forge],
  ])("shows %s", async (_, entry, sentence, attack) => {
    const found = await attacked((db) => (typeof attack === "string" ? db.exec(attack) : attack(db)));
    expect(found).toMatchObject({ exit: 1, data: { ok: false, entry, entries: entry - 1 } });
    expect(found.data.sentence).toContain(sentence);
    expect(found.stderr).toContain(sentence);
  });

  it("shows an end that was cut off, with the head that the log has", async () => {
    const cut = (db: DatabaseSync): void => db.exec(`DELETE FROM audit WHERE seq > ${entries - 2}`);
    expect((await attacked(cut)).exit).toBe(0);
    expect(await attacked(cut, "--head", head)).toMatchObject({
      exit: 1,
      data: { entry: entries - 1, sentence: `entries ${entries - 1} to ${entries} are missing: the end was cut off` },
    });
    const all = await attacked((db) => db.exec("DELETE FROM audit"), "--head", head);
    expect(all).toMatchObject({ exit: 1, data: { entry: 1, entries: 0 } });
  });

  it("lets nobody change or remove an entry, or write over one, who does not take its guards away", () => {
    const db = new DatabaseSync(join(folder.path, "postern.db"));
    for (const attack of [
      "UPDATE audit SET entry = '{}' WHERE seq = 1",
      "DELETE FROM audit WHERE seq = 6",
      "INSERT OR REPLACE INTO audit VALUES (2, '{}', '')",
      "INSERT INTO audit VALUES (9, '{}', '')",
    ])
      expect(() => db.exec(attack), attack).toThrow(/an entry of the audit/);
    db.close();
  });
});
