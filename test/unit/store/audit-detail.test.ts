import { describe, expect, it } from "vitest";
import { detailOf } from "../../../src/store/audit-detail.ts";

const secret = "the-secret-of-acme-in-tests";
const acme = { id: "acme", domains: ["acme.example"], secrets: [{ id: "k1", secret }], trunk: "sip:pbx.acme.example" };

describe("what the audit tells of a change", () => {
  it("is which members there are at first, and that they are gone at last", () => {
    expect(detailOf(undefined, acme, 1)).toEqual({
      revision: 1,
      created: true,
      changed: ["domains", "secrets", "trunk"],
      domains: { added: ["acme.example"] },
      secrets: { added: ["k1"] },
      trunk: { before: null, after: "sip:pbx.acme.example" },
    });
    expect(detailOf(acme, undefined, 2)).toEqual({ revision: 2, removed: true });
    expect(detailOf(acme, acme, 3)).toEqual({ revision: 3, changed: [] });
  });

  it("is ids of secrets and keys: which is new, gone, or another one under the same id", () => {
    const before = { ...acme, keys: [{ id: "j1", alg: "HS256", secret }], apiKeys: [{ id: "a1", secret }] };
    const after = {
      ...acme,
      secrets: [
        { id: "k2", secret: `${secret}2` },
        { id: "k1", secret: `${secret}3` },
      ],
      keys: [{ id: "j1", alg: "HS512", secret }],
      apiKeys: [],
    };
    expect(detailOf(before, after, 2)).toEqual({
      revision: 2,
      changed: ["secrets", "keys", "apiKeys"],
      secrets: { added: ["k2"], changed: ["k1"] },
      keys: { changed: ["j1"] },
      apiKeys: { removed: ["a1"] },
    });
    const turned = { ...after, secrets: after.secrets.toReversed() };
    expect(detailOf(after, turned, 3)).toEqual({ revision: 3, changed: ["secrets"], secrets: { reordered: true } });
  });

  it("is who was revoked, until when, and who is taken again", () => {
    const before = { ...acme, revoked: [{ jti: "5e4e0c1b", until: 1_900_000_000, calls: "finish" }] };
    const after = { ...acme, revoked: [{ user: "alice", until: "2099-01-01" }] };
    expect(detailOf(before, after, 2)).toEqual({
      revision: 2,
      changed: ["revoked"],
      revoked: { added: ["user alice until 2099-01-01, end"], removed: ["jti 5e4e0c1b until 1900000000, finish"] },
    });
    const handle = { handle: "N".repeat(3_000), until: 1_900_000_000 };
    const { revoked } = detailOf(acme, { ...acme, revoked: [handle] }, 3) as { revoked: { added: string[] } };
    expect(revoked.added[0]).toBe(`handle ${"N".repeat(200)} until 1900000000, end`);
  });

  it("is no more than a name of what may be or hold a secret, and of what it does not know", () => {
    const webhook = { url: `https://acme.example/?key=${secret}`, secret };
    const after = { ...acme, webhook, permissionUrl: `https://acme.example/${secret}`, later: secret };
    const detail = detailOf(acme, after, 2);
    expect(detail).toEqual({ revision: 2, changed: ["webhook", "permissionUrl", "later"] });
    expect(JSON.stringify(detailOf(undefined, after, 1))).not.toContain(secret);
  });

  it("is bounded: so many of a list, so much of a text, and names alone of what is too long", () => {
    const numbers = Array.from({ length: 50 }, (_, at) => `+32${at}`);
    const { numbers: told } = detailOf(acme, { ...acme, numbers }, 2) as { numbers: Record<string, unknown> };
    expect(told).toEqual({ added: numbers.slice(0, 20), addedMore: 30 });
    const long = numbers.map((number) => number.padEnd(300, "1"));
    expect(detailOf(acme, { ...acme, numbers: long }, 3)).toEqual({ revision: 3, changed: ["numbers"] });
    const members = Object.fromEntries(numbers.map((name) => [name.padEnd(200, "x"), 1]));
    expect(detailOf(acme, { ...acme, ...members }, 4)).toEqual({ revision: 4 });
  });
});
