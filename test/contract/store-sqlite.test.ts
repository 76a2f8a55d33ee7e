import { rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it, onTestFinished } from "vitest";
import { openSqlite } from "../../src/store/sqlite.ts";
import { noon, ringing } from "../helpers/call-records.ts";
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

it("SQLite: an older schema is brought forward, and who has a removed one's id is known by the audit", async () => {
  const folder = temporaryDir("store");
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "postern.db");
  const opening = { path, keys: ["the-key-of-this-store"], renew: false };
  const { store } = await openSqlite(opening);
  const put = (id: string) => ({ kind: "put", id, item: { id }, claims: [] }) as const;
  const act = { by: "cli:test", what: "customer.change" };
  for (const edit of [put("globex"), put("acme"), { kind: "remove", id: "acme" } as const, put("acme"), put("acme")])
    await store.write([edit], act);
  const before = await store.get("acme");
  await store.close();
  const db = new DatabaseSync(path);
  db.exec("ALTER TABLE customers DROP COLUMN since; PRAGMA user_version = 6");
  db.close();
  const { store: again } = await openSqlite(opening);
  const after = await again.get("acme");
  expect(after).toMatchObject({ since: expect.any(Number) });
  expect(Math.abs(Number(Object(after).since) - Number(Object(before).since))).toBeLessThan(1_000);
  expect(await again.get("globex")).not.toHaveProperty("since");
  await again.close();
});

it("SQLite: what a newer version brought forward meanwhile is read on, and changed no more", async () => {
  const folder = temporaryDir("store");
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "postern.db");
  const { store, calls, quality } = await openSqlite({ path, keys: ["the-key-of-this-store"], renew: false });
  const put = { kind: "put", id: "acme", item: { id: "acme" }, claims: [] } as const;
  const act = { by: "cli:test", what: "customer.add acme" };
  expect(await store.write([put], act)).toMatchObject({ kind: "written" });
  const db = new DatabaseSync(path);
  db.exec("PRAGMA user_version = 99");
  db.close();
  expect(await store.write([put], act)).toEqual({
    ...{ kind: "unavailable", sentence: expect.stringContaining("schema version 99") },
  });
  const by = { gateway: "g1", at: noon };
  const changes = [
    calls.write([{ record: ringing(), owed: false }], by),
    calls.takeOver(by, noon),
    calls.settle(["none"]),
    calls.forget(noon, 1),
    quality.write([]),
    quality.forget(noon, 1),
  ];
  for (const one of await Promise.allSettled(changes))
    expect(one).toMatchObject({
      status: "rejected",
      reason: { message: expect.stringContaining("schema version 99") },
    });
  expect(await calls.find({ limit: 1 })).toEqual([]);
  expect(await store.get("acme")).toMatchObject({ kind: "stored", revision: 1 });
  await store.close();
});
