import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { entryOf } from "../../src/store/chain.ts";
import { claimsOf } from "../../src/store/claims.ts";
import type { Act, AuditEntry, AuditQuery, Edit, Item, Ports } from "../../src/store/port.ts";
import { SealKeys } from "../../src/store/seal.ts";
import { verifyChain } from "../../src/store/verify-chain.ts";

/** An empty database, and how to open it: keys newest first; renew: everything is sealed anew where another is the newest. */
export interface AuditBackend {
  open(keys: readonly string[], renew: boolean): Promise<Ports>;
  remove(): void | Promise<void>;
}

const [first, second, third] = ["the-first-key-of-the-store", "the-second-key-of-the-store", "the-third-key-of-it"];
const act: Act = { by: "cli:test", what: "customer.change" };

const put = (item: Item): Edit => ({ kind: "put", id: String(item.id), item, claims: claimsOf(item) });
const acme = { id: "acme", domains: ["acme.example"], secrets: [{ id: "k1", secret: "the-secret-of-acme-0123" }] };
const globex = { id: "globex", domains: ["globex.example"], trunk: "sip:pbx.globex.example" };

/** What every backend of the audit does. make: a new database each time. */
export function describeAudit(name: string, make: () => Promise<AuditBackend>): void {
  describe(`an audit in ${name}`, () => {
    let backend: AuditBackend;
    let ports: Ports;

    beforeEach(async () => {
      backend = await make();
      ports = await backend.open([first], true);
    });
    afterEach(async () => {
      await ports.store.close();
      await backend.remove();
    });

    const reopen = async (keys: readonly string[], renew = true): Promise<void> => {
      await ports.store.close();
      ports = await backend.open(keys, renew);
    };

    const entries = async (query: Partial<AuditQuery> = {}): Promise<AuditEntry[]> =>
      (await ports.audit.read({ after: 0, limit: 100, ...query })).map(({ text }) => entryOf(text)!);

    it("has an entry for each customer of a change, with what changed and no secret", async () => {
      await ports.store.write([put(acme), put(globex)], { ...act, address: "192.0.2.7" });
      const another = { id: "k2", secret: "another-secret-of-acme-0123", algorithm: "sha256" };
      const changed = { ...acme, domains: ["www.acme.example"], secrets: [another, ...acme.secrets] };
      await ports.store.write([put(changed)], { by: "customer:acme/a1", what: "secret.add k2" });
      await ports.store.write([{ kind: "remove", id: "globex" }], act);
      const all = await entries();
      expect(all).toMatchObject([
        { seq: 1, by: "cli:test", what: "customer.change", customer: "acme", address: "192.0.2.7" },
        { seq: 2, customer: "globex", detail: { revision: 1, created: true, changed: ["domains", "trunk"] } },
        { seq: 3, by: "customer:acme/a1", what: "secret.add k2", customer: "acme" },
        { seq: 4, customer: "globex", detail: { revision: 3, removed: true } },
      ]);
      expect(all[2]?.detail).toEqual({
        revision: 2,
        changed: ["domains", "secrets"],
        domains: { added: ["www.acme.example"], removed: ["acme.example"] },
        secrets: { added: ["k2"] },
      });
      expect(all[0]!.at).toBeGreaterThan(1_700_000_000_000);
      expect(JSON.stringify(await ports.audit.read({ limit: 100 }))).not.toMatch(/secret-of-acme|sealed:/);
    });

    it("has no entry for what was not written", async () => {
      await ports.store.write([put(acme)], act);
      await ports.store.write([put({ ...globex, domains: ["acme.example"] })], act);
      await ports.store.write([{ ...put(acme), expected: 7 }], act);
      expect(await ports.audit.head()).toMatchObject({ seq: 1 });
    });

    it("takes what changes nobody, and makes all of it fit for a line", async () => {
      const head = await ports.audit.append([{ by: "gateway", what: "start" }]);
      const evil = { by: `cli:x\n\u001b[2J\u202e"${"y".repeat(500)}`, what: "verify\r\n", address: "\u0000" };
      await ports.audit.append([evil, { by: "cli:root", what: "mint", customer: "acme" }]);
      const [start, odd, mint] = await entries();
      expect(start).toMatchObject({ by: "gateway", what: "start" });
      expect(head).toMatchObject({ seq: 1 });
      expect(odd).toMatchObject({ what: "verify\ufffd\ufffd", address: "\ufffd" });
      expect([...odd!.by].length).toBe(160);
      expect(odd!.by).not.toMatch(/\p{Cc}|\u202e/u);
      expect(mint).toMatchObject({ by: "cli:root", what: "mint", customer: "acme" });
    });

    it("is read from an entry on, or from the end, by customer, by whom and since when", async () => {
      await ports.store.write([put(acme), put(globex)], act);
      await ports.audit.append([{ by: "operator:ops", what: "sign-in" }]);
      const seqs = async (query: AuditQuery): Promise<number[]> =>
        (await ports.audit.read(query)).map(({ seq }) => seq);
      expect(await seqs({ after: 0, limit: 2 })).toEqual([1, 2]);
      expect(await seqs({ after: 2, limit: 2 })).toEqual([3]);
      expect(await seqs({ limit: 2 })).toEqual([2, 3]);
      expect(await seqs({ before: 3, limit: 1 })).toEqual([2]);
      expect(await seqs({ customer: "globex", limit: 9 })).toEqual([2]);
      expect(await seqs({ by: "operator:ops", limit: 9 })).toEqual([3]);
      expect(await seqs({ since: (await entries())[0]!.at, limit: 9 })).toEqual([1, 2, 3]);
      expect(await seqs({ since: Date.now() + 60_000, limit: 9 })).toEqual([]);
      expect(await seqs({ customer: "' OR 1=1 --", limit: 9 })).toEqual([]);
    });

    it("is one chain, whole, whoever writes", async () => {
      expect(await ports.audit.head()).toEqual({ seq: 0, mac: "" });
      const other = await backend.open([first], false);
      await Promise.all(
        Array.from({ length: 40 }, (_, at) =>
          at % 2
            ? other.audit.append([{ ...act, what: `number ${at}` }])
            : ports.store.write([put({ id: `c${at}` })], act),
        ),
      );
      await other.store.close();
      const { head, broken } = await verifyChain(ports.audit, new SealKeys([first]));
      expect([head.seq, broken]).toEqual([40, undefined]);
      expect(head).toEqual(await ports.audit.head());
    });

    it("verifies over changes of the store's key, also after the ones before are gone, and under no foreign key", async () => {
      await ports.store.write([put(acme)], act);
      const early = await ports.audit.head();
      await reopen([second, first]);
      await ports.store.write([put(globex)], act);
      await reopen([third, second]);
      await reopen([third]);
      await ports.audit.append([act]);
      const all = await entries();
      expect(all.map(({ what }) => what)).toEqual([act.what, "store.key", act.what, "store.key", act.what]);
      expect(new Set(all.map(({ key }) => key)).size).toBe(3);
      const good = await verifyChain(ports.audit, new SealKeys([third]), early);
      expect([good.head.seq, good.broken]).toEqual([5, undefined]);
      expect((await verifyChain(ports.audit, new SealKeys([first]))).broken).toBeDefined();
    });

    it("takes nothing more from who has the key before, once everything is sealed anew", async () => {
      const late = await backend.open([first], false);
      await reopen([second, first]);
      await expect(late.audit.append([act])).rejects.toThrow(/sealed anew under another key/);
      expect(await late.store.write([put(acme)], act)).toMatchObject({ kind: "unavailable" });
      await late.store.close();
      expect((await verifyChain(ports.audit, new SealKeys([second]))).broken).toBeUndefined();
    });
  });
}
