import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { claimsOf } from "../../src/store/claims.ts";
import { beginning, type Changes, type Edit, type Item, type Store, type StoreEvent } from "../../src/store/port.ts";

/** A backend under test, empty. */
export interface OpenedStore {
  readonly store: Store;
  /** The same database as another process has it open; closed by the test. */
  again(): Promise<Store>;
  /** After the stores are closed. */
  remove(): void | Promise<void>;
}

const itemOf = (id: string, more: Item = {}): Item => ({
  id,
  domains: [`${id}.example`],
  secrets: [{ id: "k1", secret: `the-secret-of-${id}-0123` }],
  ...more,
});

const put = (item: Item, expected?: number): Edit => ({
  kind: "put",
  id: String(item.id),
  item,
  claims: claimsOf(item),
  ...(expected !== undefined && { expected }),
});

const act = { by: "cli:test", what: "customer.change" };

/** What every backend does. open: a new one each time. */
export function describeStore(name: string, open: () => Promise<OpenedStore>): void {
  describe(`a store in ${name}`, () => {
    let opened: OpenedStore;
    let store: Store;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(async () => {
      await store.close();
      await opened.remove();
    });

    const all = async (of = store): Promise<Changes["records"]> => {
      const records = [];
      let [position, more] = [beginning, true];
      while (more) {
        const page = await of.changes(position);
        records.push(...page.records);
        ({ position, more } = page);
      }
      return records;
    };

    it("is closed however much it has to do", async () => {
      const asked = Promise.allSettled(Array.from({ length: 1_100 }, () => store.get("acme")));
      await store.close();
      const kinds = (await asked).map(({ status }) => status);
      expect(kinds).toHaveLength(1_100);
      expect(kinds).toContain("fulfilled");
    });

    it("knows since when there is one whose id a removed one had, and of no other", async () => {
      const sinceOf = async (id: string) => {
        const record = await store.get(id);
        return record?.kind === "stored" ? record.since : undefined;
      };
      const remove: Edit = { kind: "remove", id: "acme" };
      await store.write([put(itemOf("acme")), put(itemOf("globex"))], act);
      await store.write([put(itemOf("acme", { maxTtl: 60 }))], act);
      expect(await sinceOf("acme")).toBeUndefined();
      const removed = Date.now();
      await store.write([remove], act);
      await store.write([put(itemOf("acme"))], act);
      const since = await sinceOf("acme");
      expect(since).toBeGreaterThanOrEqual(removed);
      expect(since).toBeLessThanOrEqual(Date.now());
      await store.write([put(itemOf("acme", { maxTtl: 60 })), put(itemOf("globex", { maxTtl: 60 }))], act);
      expect([await sinceOf("acme"), await sinceOf("globex")]).toEqual([since, undefined]);
      expect(await all()).toMatchObject([{ id: "acme", since }, { id: "globex" }]);
      expect(await store.list("", 10)).toMatchObject([{ id: "acme", since }, { id: "globex" }]);
    });

    it("gives back what was put, secrets and all, and nothing else", async () => {
      const item = itemOf("acme", {
        keys: [{ id: "j1", alg: "HS256", secret: "a-shared-secret-of-32-bytes-long" }],
        apiKeys: [{ id: "a1", secret: "the-api-keys-secret" }],
        permissionUrl: "https://acme.example/may?token=in-its-query",
        inbound: { "+3225887000": "reception" },
        limits: { calls: 3 },
        webhook: { url: "https://acme.example/calls", secret: "the-secret-of-its-webhook" },
        trunkAuth: { username: "acme-trunk", password: "the-password-of-its-trunk" },
      });
      expect(await store.write([put(item)], act)).toEqual({ kind: "written", revision: 1 });
      expect(await store.get("acme")).toEqual({ kind: "stored", id: "acme", revision: 1, item });
      expect(await store.get("ACME")).toBeUndefined();
      expect(await all()).toEqual([{ kind: "stored", id: "acme", revision: 1, item }]);
    });

    it("counts each change, whatever is in it, and tells a reader what came after the last that it saw", async () => {
      await store.write([put(itemOf("acme")), put(itemOf("globex"))], act);
      const { position } = await store.changes(beginning);
      expect(await store.changes(position)).toEqual({ records: [], position, more: false });
      await store.write([put(itemOf("initech"))], act);
      await store.write([{ kind: "remove", id: "acme" }], act);
      const { records } = await store.changes(position);
      expect(records.map(({ kind, id, revision }) => [kind, id, revision])).toEqual([
        ["stored", "initech", 2],
        ["removed", "acme", 3],
      ]);
      expect(await store.get("acme")).toBeUndefined();
    });

    it("gives many in pages, each once, though others change meanwhile", async () => {
      const ids = Array.from({ length: 1_200 }, (_, at) => `c${String(at).padStart(4, "0")}`);
      await store.write(
        ids.map((id) => put(itemOf(id))),
        act,
      );
      const first = await store.changes(beginning);
      expect(first.more).toBe(true);
      const moved = first.records[0]!.id;
      await store.write([put(itemOf(moved, { maxTtl: 60 }))], act);
      const seen = [...first.records];
      let { position, more } = first;
      while (more) {
        const page = await store.changes(position);
        seen.push(...page.records);
        ({ position, more } = page);
      }
      expect(seen.map(({ id }) => id).toSorted()).toEqual([...ids, moved].toSorted());
      expect(seen.at(-1)).toMatchObject({ id: moved, item: { maxTtl: 60 } });
    });

    it("lists by id, after one, and never what was removed", async () => {
      await store.write(
        ["d", "b", "c", "a"].map((id) => put(itemOf(id))),
        act,
      );
      await store.write([{ kind: "remove", id: "b" }], act);
      expect((await store.list("", 2)).map(({ id }) => id)).toEqual(["a", "c"]);
      expect((await store.list("c", 10)).map(({ id }) => id)).toEqual(["d"]);
    });

    it.each([
      ["a domain", "domain", { domains: ["acme.example"] }],
      ["a domain in capitals", "domain", { domains: ["ACME.example"] }],
      ["a number", "number", { numbers: ["3225887*"] }],
      ["a number of its calls from outside", "number", { inbound: { "003225887000": "x" } }],
      ["an API key's id", "api-key", { apiKeys: [{ id: "A1", secret: "another-api-keys-secret" }] }],
      ["a secret", "secret", { keys: [{ id: "x", alg: "HS256", secret: "the-secret-of-acme-0123" }] }],
    ])("gives %s to one customer, and says who has it", async (_, claim, wanted) => {
      const acme = itemOf("acme", {
        numbers: ["+3225887*"],
        inbound: { "+3225887000": "reception" },
        apiKeys: [{ id: "a1", secret: "the-api-keys-secret" }],
      });
      await store.write([put(acme)], act);
      const globex = itemOf("globex", wanted);
      const written = await store.write([put(itemOf("hooli")), put(globex)], act);
      expect(written).toEqual({ kind: "taken", edit: 1, claim, owner: "acme" });
      expect(await store.get("hooli")).toBeUndefined();
      const claims = claimsOf(globex);
      expect((await store.taken(claims)).map((one) => [claims[one.claim]?.kind, one.owner])).toEqual([[claim, "acme"]]);
      await store.write([{ kind: "remove", id: "acme" }], act);
      expect(await store.write([put(globex)], act)).toMatchObject({ kind: "written" });
    });

    it("lets what one gives up be another's in the same change", async () => {
      await store.write([put(itemOf("acme"))], act);
      const swapped = [put(itemOf("globex", { domains: ["acme.example"] })), put(itemOf("acme", { domains: [] }))];
      expect(await store.write(swapped, act)).toMatchObject({ kind: "written" });
      const [claim] = claimsOf({ domains: ["acme.example"] });
      expect(await store.taken([claim!])).toEqual([{ claim: 0, owner: "globex" }]);
    });

    it("changes nothing for who has seen another state than there is", async () => {
      await store.write([put(itemOf("acme"), 0)], act);
      expect(await store.write([put(itemOf("acme"), 0)], act)).toEqual({ kind: "stale", id: "acme" });
      await store.write([put(itemOf("acme", { maxTtl: 60 }), 1)], act);
      const late: Edit[] = [put(itemOf("globex")), { kind: "remove", id: "acme", expected: 1 }];
      expect(await store.write(late, act)).toEqual({ kind: "stale", id: "acme" });
      expect(await store.get("globex")).toBeUndefined();
      expect(await store.get("acme")).toMatchObject({ revision: 2, item: { maxTtl: 60 } });
    });

    it("takes any text as a text", async () => {
      const texts = ["'", '"', "'; DROP TABLE customers; --", "%", "_", "\\", "\u0000", "ü\u0308\u{1f600}", "NULL"];
      const items = texts.map((text, at) =>
        itemOf(`c${at}`, { domains: [text], secrets: [{ id: text, secret: `${text} and sixteen more` }] }),
      );
      expect(
        await store.write(
          items.map((item) => put(item)),
          act,
        ),
      ).toMatchObject({ kind: "written" });
      expect((await all()).map((record) => record.kind === "stored" && record.item)).toEqual(items);
      for (const text of texts) expect(await store.get(text)).toBeUndefined();
    });

    it("tells who watches of its own changes, and of another process's, by itself", async () => {
      const other = await opened.again();
      const waiting = (of: Store): Promise<StoreEvent> => new Promise((resolve) => of.watch(resolve));
      const [own, foreign] = [waiting(store), waiting(other)];
      await store.write([put(itemOf("acme"))], act);
      expect(await own).toEqual({ kind: "changed" });
      expect(await foreign).toEqual({ kind: "changed" });
      expect(await all(other)).toMatchObject([{ id: "acme" }]);
      await other.close();
    });

    it("loses no change of two that write at once, and gives neither what the other got", async () => {
      const other = await opened.again();
      const written = await Promise.all(
        Array.from({ length: 40 }, (_, at) =>
          [store, other][at % 2]!.write([put(itemOf(`c${at}`, { numbers: [`+32${at >> 1}`] }))], act),
        ),
      );
      const won = written.filter(({ kind }) => kind === "written");
      expect(won).toHaveLength(20);
      expect(written.filter(({ kind }) => kind === "taken")).toHaveLength(20);
      expect(new Set(won.map((one) => one.kind === "written" && one.revision)).size).toBe(20);
      expect(await all()).toHaveLength(20);
      await other.close();
    });

    it("bounds the calls that wait for it", async () => {
      const asked = await Promise.allSettled(Array.from({ length: 1_100 }, () => store.get("acme")));
      expect(asked.filter(({ status }) => status === "rejected")).toHaveLength(100);
      expect(await store.get("acme")).toBeUndefined();
    });

    it("answers nobody once it is closed", async () => {
      await store.close();
      await expect(store.get("acme")).rejects.toThrow(/closed/);
      await expect(store.write([put(itemOf("acme"))], act)).rejects.toThrow(/closed/);
    });
  });
}
