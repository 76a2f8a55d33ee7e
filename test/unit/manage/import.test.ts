import { describe, expect, it } from "vitest";
import { importMany, mostAtOnce, readLines, readTable } from "../../../src/manage/import.ts";
import { SealKeys } from "../../../src/store/seal.ts";
import { act, DeskStore, desk } from "../../helpers/desk.ts";

const keys = new SealKeys(["the-key-of-these-tests"]);
const owners = new Map([["domain acme.example", "customer acme of the config has it"]]);
const globex = {
  id: "globex",
  domains: ["globex.example"],
  secrets: [{ id: "k1", secret: "the-secret-of-globex-01" }],
};

const bring = (
  many: ReturnType<typeof readTable>,
  store: DeskStore,
  more: { replace?: boolean; check?: boolean } = {},
) => importMany(many, desk(store, owners), { replace: false, check: false, keys, act: act(), ...more });

describe("many customers of one file", () => {
  it("are written at once, where nothing is wrong with any", async () => {
    const store = new DeskStore();
    const many = readTable(
      '\ufeffid,domains,origins,numbers,calls\r\n"globex","globex.example\r\nwww.globex.example",,+4930* +4931*,5\r\nhooli,hooli.example,"https://hooli.example",,\r\n',
    );
    expect(await bring(many, store)).toMatchObject({ kind: "imported", added: 2, replaced: 0 });
    expect(store.acts).toHaveLength(1);
    expect(store.item("globex")).toEqual({
      id: "globex",
      domains: ["globex.example", "www.globex.example"],
      numbers: ["+4930*", "+4931*"],
      limits: { calls: 5 },
    });
    expect(store.item("hooli")).toMatchObject({ origins: ["https://hooli.example"] });
  });

  it("are refused with their lines where ids are no texts", async () => {
    const store = new DeskStore(globex);
    for (const odd of ["{}", "[{}]", "null", "1"]) {
      const line = (id: string, secret: string) =>
        `{"id":${id},"secrets":[{"id":${secret},"secret":"the-secret-of-${id.length}-hooli"}]}\n`;
      const outcome = await bring(readLines(line(odd, '"k1"') + line('"globex"', odd)), store, { replace: true });
      expect(outcome).toMatchObject({
        kind: "refused",
        faults: [
          { line: 1, path: "id" },
          { line: 2, path: "secrets[0].id" },
        ],
      });
    }
  });

  it("are refused whole where some are faulty, each with its line: formulas, what stands twice, what others have", async () => {
    const store = new DeskStore(globex);
    const many = readTable(
      [
        "id,domains,numbers,trunk,calls",
        "hooli,hooli.example,+4940*,sip:pbx.hooli.example,5",
        "=1+1,a.example,,,",
        '"@SUM(1)",b.example,,,',
        '"=HYPERLINK(""http://evil.example"")",c.example,,,',
        "d1,d.example,,=cmd|' /C calc'!A0,",
        "d2,e.example,,,=5",
        "hooli,f.example,,,",
        "d3,HOOLI.example,,,",
        "d4,g.example,4940*,,",
        "d5,globex.example,,,",
        "d6,acme.example,,,",
        "globex,h.example,,,",
        "d7,i.example",
      ].join("\n"),
    );
    const outcome = await bring(many, store);
    expect(outcome.kind).toBe("refused");
    const faults = outcome.kind === "refused" ? outcome.faults : [];
    expect(faults.map(({ line, path }) => [line, path])).toEqual([
      [3, "id"],
      [4, "id"],
      [5, "id"],
      [6, "trunk"],
      [7, "limits.calls"],
      [8, "id"],
      [9, "domains[0]"],
      [10, "numbers[0]"],
      [11, "domains[0]"],
      [12, "domains[0]"],
      [13, "id"],
      [14, ""],
    ]);
    expect(JSON.stringify(faults)).not.toMatch(/HYPERLINK|calc/);
    expect(store.acts).toEqual([]);
    expect([...store.items.keys()]).toEqual(["globex"]);
  });

  it("are all told of, though thousands are faulty", async () => {
    const lines = Array.from({ length: 3_000 }, (_, at) => JSON.stringify({ id: `c${at}`, operator: true }));
    const outcome = await bring(readLines(lines.join("\n")), new DeskStore());
    expect(outcome.kind === "refused" && outcome.faults.map(({ line }) => line)).toEqual(lines.map((_, at) => at + 1));
  });

  it("are told of in so many faults that there is room for", async () => {
    const item = JSON.stringify({ id: "globex", domains: Array.from({ length: 30_000 }, () => 1) });
    const outcome = await bring(readLines(`${item}\n${item}`), new DeskStore());
    if (outcome.kind !== "refused") return expect.fail(outcome.kind);
    expect(outcome.faults).toHaveLength(20_001);
    expect(outcome.faults.at(-1)).toEqual({
      path: "",
      line: 1,
      message: "and maybe more: mend these, and look again",
    });
  });

  it("of which one is longer than any are refused before it is read", async () => {
    const outcome = await bring(readLines(`{"id":"hooli"}\n[${"1,".repeat(600_000)}`), new DeskStore());
    expect(outcome).toEqual({
      kind: "refused",
      faults: [{ path: "", line: 2, message: "is longer than any customer" }],
    });
  });

  it("keep the secrets of those that they replace, and nothing else", async () => {
    const store = new DeskStore({ ...globex, numbers: ["+4930*"] });
    const many = readLines('{"id":"globex","domains":["globex.example"]}\r\n\r\n{"id":"hooli"}\r\n');
    expect(await bring(many, store, { replace: true })).toMatchObject({ kind: "imported", added: 1, replaced: 1 });
    expect(store.item("globex")).toEqual(globex);
  });

  it("are not written over what somebody else writes meanwhile", async () => {
    const store = new DeskStore(globex);
    store.before = () => store.put({ ...globex, trunk: "sip:pbx.globex.example" });
    const many = readLines('{"id":"globex"}');
    expect(await bring(many, store, { replace: true })).toEqual({ kind: "stale", id: "globex" });
    expect(store.item("globex")).toMatchObject({ trunk: "sip:pbx.globex.example" });
  });

  it("ask a store for so many at a time that it can answer", async () => {
    const lines = Array.from({ length: 3_000 }, (_, at) => ({ id: `c${at}` }));
    const store = new DeskStore();
    for (const item of lines) store.put(item);
    let [now, most] = [0, 0];
    const answer = store.get.bind(store);
    store.taken = async (claims) => claims.map(({ value }, claim) => ({ claim, owner: value }));
    store.get = async (id) => {
      most = Math.max(most, ++now);
      return answer(id).finally(() => now--);
    };
    const many = readLines(lines.map((item) => JSON.stringify(item)).join("\n"));
    expect(await bring(many, store, { replace: true })).toMatchObject({ replaced: 3_000 });
    expect(most).toBeLessThanOrEqual(200);
  });

  it("are at most so many, for others wait meanwhile", async () => {
    const lines = Array.from({ length: mostAtOnce + 1 }, (_, at) => `{"id":"c${at}"}`);
    const outcome = await bring(readLines(lines.join("\n")), new DeskStore());
    expect(outcome).toMatchObject({ kind: "refused", faults: [{ line: mostAtOnce + 1 }] });
  });
});
