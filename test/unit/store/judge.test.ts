import { afterAll, describe, expect, it } from "vitest";
import { judge, surroundingsOf } from "../../../src/store/judge.ts";
import { ConfigFolder, least } from "../../helpers/config-file.ts";

const folder = new ConfigFolder();
afterAll(() => folder.remove());
const config = folder.config(`gateway: { domains: [voice.gateway.example] }\n${least}`);

/** What is wrong with a customer to be stored beside that config, as path and the beginning of the sentence. */
async function faults(more: object): Promise<string[]> {
  const item = { id: "acme", domains: ["acme.example"], trunk: "sip:pbx.acme.example", ...more };
  const found = await judge([{ item, line: 1 }], surroundingsOf(config), undefined);
  return found.map(({ path, message }) => `${path} ${message}`);
}

describe("a customer to be stored", () => {
  it("is held to what a declared one is held to", async () => {
    expect(await faults({ numbers: ["+3225887*"], dial: ["+*"] })).toEqual([]);
    expect(
      await faults({
        numbers: ["*", "+32*"],
        trunk: "sip:127.0.0.1:8088",
        trunk2: "sip:voice.gateway.example",
        secrets: [
          { id: "k1", secret: "change-me-change-me" },
          { id: "k2", secret: "0123456789abcdef" },
        ],
        apiKeys: [{ id: "a1", secret: "zzzzzzzzzzzzzzzz" }],
      }),
    ).toEqual([
      expect.stringMatching(/^secrets\[0\].secret is one that anybody would try/),
      expect.stringMatching(/^apiKeys\[0\].secret is one that anybody would try/),
      expect.stringMatching(/^numbers\[0\] matches every number/),
      expect.stringMatching(/^trunk is gateway.listen, the gateway itself/),
      expect.stringMatching(/^trunk2 is one of gateway.domains, the gateway itself/),
    ]);
  });

  it("is looked through no further where it has as many faults as anybody is told", async () => {
    const given = Array.from({ length: 40_000 }, () => ({}));
    let read = 0;
    const get = (one: object, name: PropertyKey): unknown => {
      read++;
      return Reflect.get(one, name);
    };
    const secrets = given.map((entry) => new Proxy(entry, { get }));
    const found = await faults({ secrets });
    expect(found).toHaveLength(201);
    expect(found.at(-1)).toBe(" and maybe more: mend these, and look again");
    expect(read).toBeLessThan(20_000);
  });

  it("twin: has its faults told wherever they stand in a long list", async () => {
    const numbers = Array.from({ length: 1_000 }, (_, at) => `+3225${at + 1_000}`);
    const dial = Array.from({ length: 1_000 }, (_, at) => (at === 777 ? "none" : `+49${at + 1_000}`));
    const revoked = Array.from({ length: 1_001 }, () => ({ user: "alice", until: 2_000_000_000 }));
    expect(await faults({ numbers, dial })).toEqual([expect.stringMatching(/^dial\[777\] is no number/)]);
    expect(await faults({ numbers, revoked })).toEqual(["revoked has more than 1000 entries"]);
  });

  it.each([
    ["upstream.urls", "sip:127.0.0.1:5080"],
    ["admin.listen", "sip:127.0.0.1:8089"],
  ])("has no trunk that is %s", async (what, trunk) => {
    expect(await faults({ trunk })).toEqual([expect.stringContaining(what)]);
  });
});
