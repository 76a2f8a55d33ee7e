import { describe, expect, it } from "vitest";
import { isJsonObject, parseStrictJson } from "../../../src/core/strict-json.ts";
import { addCustomer, changeCustomer, removeCustomer } from "../../../src/manage/change.ts";
import { fault } from "../../../src/manage/edit.ts";
import { addText } from "../../../src/manage/lists.ts";
import { customerRights, type Rights } from "../../../src/manage/rights.ts";
import { createSecret } from "../../../src/manage/secrets.ts";
import { mergePatch } from "../../../src/manage/whole.ts";
import type { Item } from "../../../src/store/port.ts";
import { act, DeskStore, desk, deskNow } from "../../helpers/desk.ts";

const acme = { id: "acme", domains: ["acme.example"], secrets: [{ id: "k1", secret: "the-secret-of-acme-1" }] };
const globex = { id: "globex", domains: ["globex.example"], numbers: ["+49*"] };
const rights = customerRights(() => true);
/** As it comes out of a body: objects without prototype. */
const own = (item: object): Item => {
  const read = parseStrictJson(JSON.stringify(item));
  if (read.kind !== "value" || !isJsonObject(read.value)) throw new Error("no object");
  return read.value;
};

describe("a change", () => {
  it("is written with the revision that it was made on", async () => {
    const store = new DeskStore(acme);
    const outcome = await changeCustomer("acme", addText("origins", "https://a.example"), desk(store), { act });
    expect(outcome).toMatchObject({ kind: "changed", revision: 2, told: { added: true } });
    expect(store.item("acme")).toEqual({ ...acme, origins: ["https://a.example"] });
  });

  it("stands in the audit with what it became", async () => {
    const store = new DeskStore(acme);
    const wish = { act: ({ id }: { id: unknown }) => ({ by: "operator:ops", what: `secret.add ${id}` }) };
    await changeCustomer("acme", createSecret({}), desk(store), wish);
    expect(store.acts).toEqual([{ by: "operator:ops", what: "secret.add k2" }]);
  });

  it("is refused with every fault at once, and nothing is changed", async () => {
    const store = new DeskStore(acme, globex);
    const patch = mergePatch({ domains: ["globex.example"], maxTtl: 0, numbers: ["x"], invented: 1, trunk: "pbx" });
    expect(await changeCustomer("acme", patch, desk(store), { act })).toMatchObject({
      kind: "refused",
      denied: false,
      faults: expect.arrayContaining(
        ["domains[0]", "maxTtl", "numbers[0]", "invented", "trunk"].map((path) => expect.objectContaining({ path })),
      ),
    });
    expect(store.item("acme")).toBe(acme);
  });

  it.each([null, {}, [{}], { a: {} }, 1, true])(
    "is refused where %j stands for anything in it, and is no fault of ours",
    async (odd) => {
      const members = ["secrets", "keys", "apiKeys", "origins", "inbound", "limits", "revoked", "webhook", "trunkAuth"];
      for (const name of members) {
        for (const value of [[odd], [{ id: odd, secret: odd, jwksUri: odd, user: odd }]]) {
          const store = new DeskStore(acme);
          const outcome = await changeCustomer("acme", mergePatch(own({ [name]: value })), desk(store), {
            act,
            rights,
          });
          expect([name, outcome.kind]).toEqual([name, "refused"]);
        }
      }
      const added = await addCustomer(own({ id: odd, secrets: [{ id: odd, secret: odd }] }), desk(new DeskStore()), {
        act,
      });
      expect(added.kind).toBe("refused");
    },
  );

  it("is denied to who has no right to it, with what else is wrong", async () => {
    const store = new DeskStore(acme);
    const wish = { act, rights };
    const outcome = await changeCustomer("acme", mergePatch({ dial: ["+*"], origins: ["x"] }), desk(store), wish);
    if (outcome.kind !== "refused") return expect.fail(outcome.kind);
    expect(outcome.denied).toBe(true);
    expect(outcome.faults.map(({ path }) => path).toSorted()).toEqual(["dial", "origins[0]"]);
    expect(await changeCustomer("acme", mergePatch({ origins: [] }), desk(store), wish)).toMatchObject({
      kind: "changed",
    });
  });

  it("that is too much to be judged is judged no further", async () => {
    const store = new DeskStore(acme);
    const room: Rights = () => [fault("origins", "has more than 100 entries")];
    const wish = { act, rights: () => expect.fail("it was judged"), room };
    expect(await changeCustomer("acme", mergePatch({ origins: [1] }), desk(store), wish)).toEqual({
      ...{ kind: "refused", denied: true, faults: room({}, {}) },
    });
    expect(store.item("acme")).toBe(acme);
  });

  it("is made anew on what somebody else wrote meanwhile, unless a revision was asked for", async () => {
    const store = new DeskStore(acme);
    const other = { ...acme, maxTtl: 60 };
    store.before = () => store.put(other);
    await changeCustomer("acme", addText("origins", "https://a.example"), desk(store), { act });
    expect(store.item("acme")).toEqual({ ...other, origins: ["https://a.example"] });
    const { revision = 0 } = store.items.get("acme") ?? {};
    const edit = addText("origins", "https://b.example");
    store.before = () => store.put(other);
    expect(await changeCustomer("acme", edit, desk(store), { act, expected: [revision] })).toEqual({ kind: "stale" });
    expect(await changeCustomer("acme", edit, desk(store), { act, expected: [1] })).toEqual({ kind: "stale" });
    expect(store.item("acme")).toBe(other);
  });

  it("gives up after five times", async () => {
    const store = new DeskStore(acme);
    let times = 0;
    const write = store.write.bind(store);
    const busy = Object.assign(store, {
      write: (...asked: Parameters<typeof write>) => {
        times++;
        store.put(acme);
        return write(...asked);
      },
    });
    const outcome = await changeCustomer("acme", createSecret({}), desk(busy), { act });
    expect([times, outcome]).toEqual([5, { kind: "unavailable", sentence: expect.stringContaining("try again") }]);
  });

  it("finds what somebody else was given meanwhile", async () => {
    const store = new DeskStore(acme);
    store.before = () => store.put(globex);
    const outcome = await changeCustomer("acme", mergePatch({ domains: ["globex.example"] }), desk(taking(store)), {
      act,
    });
    expect(outcome).toMatchObject({ kind: "refused", faults: [{ path: "domains[0]", message: /globex has it/ }] });
  });

  it("drops revocations that have ended", async () => {
    const store = new DeskStore({ ...acme, revoked: [{ user: "a", until: deskNow - 1 }] });
    await changeCustomer("acme", addText("origins", "https://a.example"), desk(store), { act });
    expect(store.item("acme")).not.toHaveProperty("revoked");
  });

  it("of nobody, of somebody unreadable, and on a store that fails, says so", async () => {
    const store = new DeskStore(acme);
    expect(await changeCustomer("nobody", createSecret({}), desk(store), { act })).toEqual({ kind: "unknown" });
    const sentence = "a secret of it does not open";
    const unreadable = Object.assign(new DeskStore(acme), {
      get: async () => ({ kind: "unreadable", id: "acme", revision: 1, sentence }),
    });
    expect(await changeCustomer("acme", createSecret({}), desk(unreadable), { act })).toEqual({
      ...{ kind: "unreadable", sentence },
    });
    store.fault = "the store is gone";
    expect(await changeCustomer("acme", createSecret({}), desk(store), { act })).toEqual({
      ...{ kind: "unavailable", sentence: "the store is gone" },
    });
  });

  it("tells who is not to know it nothing of others", async () => {
    const store = new DeskStore(acme, { ...globex, secrets: [{ id: "k1", secret: "the-secret-of-globex" }] });
    const of = desk(store);
    const edit = createSecret({ secret: "the-secret-of-globex" });
    const told = async (discreet: boolean): Promise<string> =>
      JSON.stringify(
        await changeCustomer("acme", edit, { ...of, surroundings: { ...of.surroundings, discreet } }, { act }),
      );
    expect(await told(true)).not.toContain("globex");
    expect(await told(true)).toContain("somebody else has it");
    expect(await told(false)).toContain("customer globex has it");
  });
});

describe("a customer", () => {
  it("is added once, and removed", async () => {
    const store = new DeskStore(acme);
    expect(await addCustomer(globex, desk(store), { act })).toMatchObject({ kind: "changed", revision: 2 });
    expect(await addCustomer({ ...globex, maxTtl: 0 }, desk(store), { act })).toMatchObject({
      ...{ kind: "refused", faults: [{ path: "maxTtl" }, { path: "id" }] },
    });
    expect(await removeCustomer("globex", desk(store), { act, expected: [1] })).toEqual({ kind: "stale" });
    expect(await removeCustomer("globex", desk(store), { act, expected: [2] })).toMatchObject({ kind: "changed" });
    expect(await removeCustomer("globex", desk(store), { act })).toEqual({ kind: "unknown" });
    expect(store.item("acme")).toBe(acme);
  });

  it("without an id, or declared in the config, is refused", async () => {
    const store = new DeskStore();
    const owners = new Map([["id acme", "customer acme of the config has it"]]);
    expect(await addCustomer({}, desk(store), { act })).toMatchObject({ kind: "refused", faults: [{ path: "id" }] });
    expect(await addCustomer(acme, desk(store, owners), { act })).toMatchObject({
      ...{ kind: "refused", faults: [{ path: "id", message: expect.stringContaining("of the config has it") }] },
    });
  });
});

/** Its database itself refuses what two would have. */
function taking(store: DeskStore): DeskStore {
  const write = store.write.bind(store);
  let first = true;
  return Object.assign(store, {
    write: async (...asked: Parameters<typeof write>) => {
      if (!first) return write(...asked);
      first = false;
      await write([], asked[1]);
      return { kind: "taken", edit: 0, claim: "domain", owner: "globex" };
    },
  });
}
