import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { ImportThread } from "../../../src/manage/import-thread.ts";
import { openStore } from "../../../src/store/open.ts";
import { act, DeskStore, desk } from "../../helpers/desk.ts";
import { temporaryDir } from "../../helpers/temporary.ts";

const folder = temporaryDir("import-thread");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { surroundings } = desk(new DeskStore());
const store = {
  store: `sqlite:${join(folder, "postern.db")}`,
  storeNamed: true,
  storeKeys: ["the-key-of-these-tests"],
};
const jobOf = (text: string) => ({
  ...{ store, surroundings, bytes: new Uint8Array(Buffer.from(text)), csv: false, replace: false, check: false },
  act: act(),
});

it("an import that takes more memory than it may have ends by itself; the next one is made", async () => {
  await (await openStore(store, { make: true, renew: false }))?.store.close();
  const thread = new ImportThread(48);
  const wide = `{"id":"globex","domains":[${"{},".repeat(300_000)}{}]}\n`.repeat(8);
  expect(await thread.run(jobOf(wide))).toMatchObject({
    ...{ kind: "unavailable", sentence: expect.stringContaining("more memory") },
  });
  expect(await thread.run(jobOf('{"id":"globex"}'))).toMatchObject({ kind: "imported", added: 1 });
}, 60_000);
