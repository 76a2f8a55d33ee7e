import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { claimsOf } from "../../../src/store/claims.ts";
import { openStore } from "../../../src/store/open.ts";
import { temporaryDir } from "../../helpers/temporary.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = temporaryDir("store");
  path = join(folder, "postern.db");
});
afterEach(() => rmSync(folder, { recursive: true }));

const act = { by: "cli:test", what: "customer.change" };
const item = { id: "acme", secrets: [{ id: "k1", secret: "the-secret-of-acme-in-tests" }] };
const [first, second] = ["the-first-key-of-the-store", "the-second-key-of-the-store"];

/** Opens it under these keys, does something, and closes it. */
async function opened<T>(
  keys: readonly string[],
  work: (store: NonNullable<Awaited<ReturnType<typeof openStore>>>["store"]) => Promise<T>,
  renew = true,
): Promise<T> {
  const found = await openStore({ store: `sqlite:${path}`, storeNamed: true, storeKeys: keys }, { make: true, renew });
  if (!found) throw new Error("it was not made");
  try {
    return await work(found.store);
  } finally {
    await found.store.close();
  }
}

const fill = (keys: readonly string[]): Promise<unknown> =>
  opened(keys, (store) => store.write([{ kind: "put", id: "acme", item, claims: claimsOf(item) }], act));
const read = (keys: readonly string[]): Promise<unknown> => opened(keys, (store) => store.get("acme"));
const whole = { kind: "stored", id: "acme", revision: 1, item };

const sealed = (): string => {
  const db = new DatabaseSync(path);
  const { item } = db.prepare("SELECT item FROM customers").get() ?? {};
  db.close();
  return String(item);
};

describe("the key of a store", () => {
  it("is made beside it where the config has none, for its owner alone, and is the same from then on", async () => {
    await fill([]);
    expect(statSync(`${path}.key`).mode & 0o777).toBe(0o600);
    const key = readFileSync(`${path}.key`, "utf8");
    expect(key).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    expect(await read([])).toEqual(whole);
    expect(readFileSync(`${path}.key`, "utf8")).toBe(key);
  });

  it("is not made anew for a store that has lost it", async () => {
    await fill([]);
    rmSync(`${path}.key`);
    await expect(read([])).rejects.toThrow(/has lost its key, .*postern\.db\.key: put it back, or set storeKey/);
    expect(existsSync(`${path}.key`)).toBe(false);
  });

  it("is the config's where it has one; another opens nothing", async () => {
    await fill([first]);
    expect(existsSync(`${path}.key`)).toBe(false);
    expect(await read([first])).toEqual(whole);
    await expect(read([second])).rejects.toThrow(/is sealed under another key: set storeKey as it was/);
    expect(await read([first])).toEqual(whole);
  });

  it("is changed: everything is sealed anew under the newer, and the one before opens nothing more", async () => {
    await fill([first]);
    const before = sealed();
    expect(await read([second, first])).toEqual(whole);
    expect(sealed()).not.toBe(before);
    expect(await read([second])).toEqual(whole);
    await expect(read([first])).rejects.toThrow(/sealed under another key/);
    const [, claim] = claimsOf(item);
    expect(await opened([second], (store) => store.taken([claim!]))).toEqual([{ claim: 0, owner: "acme" }]);
  });

  it("stays the one before for who only looks or changes something, until a gateway starts", async () => {
    await fill([first]);
    const other = { id: "globex", apiKeys: [{ id: "a", secret: "the-secret-of-globex-in-tests" }] };
    const both = [item, { ...other, apiKeys: [{ id: "a", secret: item.secrets[0]!.secret }] }, other];
    const written = await opened(
      [second, first],
      (store) =>
        Promise.all(
          both.map((one) => store.write([{ kind: "put", id: one.id, item: one, claims: claimsOf(one) }], act)),
        ),
      false,
    );
    expect(written.map(({ kind }) => kind)).toEqual(["written", "taken", "written"]);
    expect(await opened([first], (store) => store.list("", 9))).toMatchObject([{ item }, { item: other }]);
  });

  it("moves from the file into the config, and the file may go", async () => {
    await fill([]);
    expect(await read([first])).toEqual(whole);
    rmSync(`${path}.key`);
    expect(await read([first])).toEqual(whole);
  });
});

describe("a store", () => {
  it("is not made where it is only looked for", async () => {
    const config = { store: `sqlite:${path}`, storeNamed: false, storeKeys: [] };
    expect(await openStore(config, { make: false, renew: true })).toBeUndefined();
    expect(existsSync(path)).toBe(false);
    expect(existsSync(`${path}.key`)).toBe(false);
  });

  it.each([
    [
      "no database",
      () => writeFileSync(path, "not a database, but a text of some length\n".repeat(50)),
      /is no SQLite database/,
    ],
    [
      "a folder that is not there",
      () => rmSync(folder, { recursive: true }),
      /cannot be made: its folder is not there/,
    ],
  ])("is refused with a sentence: %s", async (_, spoil, sentence) => {
    spoil();
    await expect(fill([first])).rejects.toThrow(sentence);
    if (!existsSync(folder)) folder = temporaryDir("store");
  });

  it("that was damaged is refused, or says of a record that it cannot be read", async () => {
    await fill([first]);
    const db = new DatabaseSync(path);
    db.exec("UPDATE customers SET item = replace(item, 'sealed:', 'sealed:0')");
    db.close();
    expect(await read([first])).toMatchObject({ kind: "unreadable", id: "acme" });
  });
});
