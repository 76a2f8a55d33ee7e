import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Use, UsedKind } from "../../src/core/uses.ts";
import { claimsOf } from "../../src/store/claims.ts";
import { beginning, type Edit, type Item, type Ports } from "../../src/store/port.ts";

/** A backend under test, empty. */
export interface UsesBackend {
  readonly ports: Ports;
  remove(): void | Promise<void>;
}

const act = { by: "cli:test", what: "customer.change" };
const put = (item: Item): Edit => ({ kind: "put", id: String(item.id), item, claims: claimsOf(item) });
const use = (id: string, count: number, last: number, kind: UsedKind = "secret", customer = "acme"): Use => ({
  customer,
  kind,
  id,
  count,
  last,
});

const acme = {
  id: "acme",
  secrets: [{ id: "k1", secret: "the-secret-of-acme-0123" }],
  keys: [{ id: "k1", alg: "HS256", secret: "a-shared-secret-of-32-bytes-long" }],
  apiKeys: [{ id: "a1", secret: "the-api-keys-secret" }],
};

/** What every backend does with counts of uses. */
export function describeUses(name: string, open: () => Promise<UsesBackend>): void {
  describe(`uses of secrets in ${name}`, () => {
    let backend: UsesBackend;
    let ports: Ports;

    beforeEach(async () => {
      backend = await open();
      ports = backend.ports;
      await ports.store.write([put(acme), put({ id: "globex" })], act);
    });
    afterEach(async () => {
      await ports.store.close();
      await backend.remove();
    });

    const counted = async (customer = "acme"): Promise<string[]> =>
      (await ports.uses.of(customer)).map(({ kind, id, count, last }) => `${kind} ${id} ${count} ${last}`).toSorted();

    it("are added up, each under its customer, kind and id, and the latest is kept", async () => {
      await ports.uses.add([use("k1", 3, 2_000), use("k1", 1, 1_500, "key"), use("k1", 7, 9, "secret", "globex")]);
      await ports.uses.add([use("k1", 2, 1_000), use("a1", 1, 1_700_000_000_000, "apiKey")]);
      expect(await counted()).toEqual(["apiKey a1 1 1700000000000", "key k1 1 1500", "secret k1 5 2000"]);
      expect(await counted("globex")).toEqual(["secret k1 7 9"]);
      expect(await counted("initech")).toEqual([]);
    });

    it("are no change of a customer, and no entry of the audit", async () => {
      const { position } = await ports.store.changes(beginning);
      const head = await ports.audit.head();
      await ports.uses.add([use("k1", 1, 1)]);
      expect(await ports.store.changes(position)).toMatchObject({ records: [] });
      expect(await ports.audit.head()).toEqual(head);
    });

    it("stay with a secret whose time or place changes, and go with it, and with its customer", async () => {
      await ports.uses.add([use("k1", 1, 1), use("k1", 2, 2, "key"), use("a1", 3, 3, "apiKey")]);
      const retired = [
        { id: "k2", secret: "another-secret-of-acme-0123" },
        { ...acme.secrets[0], notAfter: 9 },
      ];
      await ports.store.write([put({ ...acme, secrets: retired })], act);
      expect(await counted()).toEqual(["apiKey a1 3 3", "key k1 2 2", "secret k1 1 1"]);
      const other = [{ id: "k1", secret: "one-more-secret-of-acme-0123" }];
      await ports.store.write([put({ ...acme, secrets: other, apiKeys: [] })], act);
      expect(await counted()).toEqual(["key k1 2 2"]);
      await ports.store.write([{ kind: "remove", id: "acme" }], act);
      expect(await counted()).toEqual([]);
    });

    it("stay where a change is refused", async () => {
      await ports.uses.add([use("k1", 1, 1)]);
      const written = await ports.store.write(
        [
          { kind: "remove", id: "acme" },
          { ...put({ id: "x" }), expected: 3 },
        ],
        act,
      );
      expect(written.kind).toBe("stale");
      const taken = [put({ ...acme, secrets: [] }), put({ id: "globex", apiKeys: acme.apiKeys })];
      expect((await ports.store.write(taken, act)).kind).toBe("taken");
      expect(await counted()).toEqual(["secret k1 1 1"]);
    });
  });
}
