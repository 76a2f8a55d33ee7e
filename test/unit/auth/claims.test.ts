import { describe, expect, it } from "vitest";
import { type Claims, readClaims } from "../../../src/auth/claims.ts";
import { claimedCustomer, identify, timeVerdict } from "../../../src/auth/token-verdict.ts";
import { Customers } from "../../../src/core/customers.ts";
import type { Customer, VerificationKey } from "../../../src/core/identity.ts";
import type { JsonObject, JsonValue } from "../../../src/core/strict-json.ts";
import { customer } from "../../helpers/customers.ts";

const start = 1_700_000_000;
const hash = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const usual: JsonObject = { sub: "alice", exp: start + 300 };

function claims(changes: { readonly [name: string]: JsonValue | undefined } = {}): Claims {
  const read = readClaims(changed(changes));
  if (read.kind === "refused") throw new Error(read.refusal.sentence);
  return read.claims;
}

const changed = (changes: { readonly [name: string]: JsonValue | undefined }): JsonObject =>
  Object.fromEntries(
    Object.entries({ ...usual, ...changes }).filter((entry): entry is [string, JsonValue] => entry[1] !== undefined),
  );

/** The sentence, if it is malformed. */
function fault(changes: { readonly [name: string]: JsonValue | undefined }): string | undefined {
  const read = readClaims(changed(changes));
  if (read.kind === "claims") return undefined;
  expect(read.refusal.code).toBe("credential-malformed");
  expect(read.refusal.sentence).toMatch(/^[ !#-[\]-~]+$/);
  return read.refusal.sentence;
}

describe("the user of a token", () => {
  it.each([
    [{ sub: "alice" }, "alice", undefined],
    [{ sub: "alice@acme.example" }, "alice", "acme.example"],
    [{ sub: "alice@ACME.example" }, "alice", "acme.example"],
    [{ sub: undefined, userID: "alice" }, "alice", undefined],
    [{ sub: "alice", userID: "alice" }, "alice", undefined],
    [{ sub: "-_.!~*'()&=+$,a" }, "-_.!~*'()&=+$,a", undefined],
    [{ sub: "a".repeat(64) }, "a".repeat(64), undefined],
    [{ sub: "a@b@c" }, "a", "b@c"],
    [{ sub: "alice@" }, "alice", ""],
  ])("%j is %s in %s", (changes, user, domain) => {
    expect(claims(changes)).toMatchObject({ user, domain });
  });

  it.each([
    [{ sub: undefined }, "no user"],
    [{ sub: "alice", userID: "bob" }, "another userID"],
    [{ sub: "alice", userID: "alice@acme.example" }, "another userID"],
    [{ sub: "" }, "has a user that is not"],
    [{ sub: "@acme.example" }, "has a user that is not"],
    [{ sub: "a".repeat(65) }, "has a user that is not"],
    [{ sub: "al ice" }, "has a user that is not"],
    [{ sub: "alice|trunk=sip:evil.example" }, "has a user that is not"],
    [{ sub: "al\u0131ce" }, "has a user that is not"],
    [{ sub: "alice\n" }, "has a user that is not"],
    [{ sub: 7 }, "sub that is not a text"],
    [{ sub: null }, "sub that is not a text"],
    [{ userID: ["alice"] }, "userID that is not a text"],
  ])("%j is malformed", (changes, sentence) => {
    expect(fault(changes)).toContain(sentence);
  });
});

describe("names among the claims", () => {
  it("appID may be a number or a text", () => {
    expect(claims({ appID: 123_456_789 }).appId).toBe("123456789");
    expect(claims({ appID: "123456789" }).appId).toBe("123456789");
    expect(claims({ appID: 0 }).appId).toBe("0");
    expect(claims().appId).toBeUndefined();
  });

  it.each([1.5, -1, 2 ** 53, true, null, [], {}])("appID %j is malformed", (appID) => {
    expect(fault({ appID })).toContain("appID");
  });

  it.each(["iss", "keyID", "jti"])("%s is a text", (name) => {
    expect(fault({ [name]: "abc" })).toBeUndefined();
    expect(fault({ [name]: 1 })).toBe(`the token has a ${name} that is not a text`);
    expect(fault({ [name]: null })).toBe(`the token has a ${name} that is not a text`);
  });

  it("jti has up to 256 characters", () => {
    expect(claims({ jti: "j".repeat(256) }).id).toHaveLength(256);
    expect(fault({ jti: "j".repeat(257) })).toContain("longer than 256");
  });

  it("aud is a text or a list of texts", () => {
    expect(claims({ aud: "a" }).audiences).toEqual(["a"]);
    expect(claims({ aud: ["a", "b"] }).audiences).toEqual(["a", "b"]);
    expect(claims({ aud: [] }).audiences).toEqual([]);
    expect(claims().audiences).toBeUndefined();
    for (const aud of [1, null, {}, ["a", 1], [["a"]]]) expect(fault({ aud }), JSON.stringify(aud)).toContain("aud");
  });

  it("others are passed over, whatever they are", () => {
    expect(fault({ name: 1, scope: null, sid: {}, ist: "project" })).toBeUndefined();
  });
});

describe("the times of a token", () => {
  it("are seconds, perhaps with a fraction", () => {
    const times = claims({ exp: start + 0.75, nbf: start - 0.5, iat: start + 0.25 });
    expect(times).toMatchObject({ expiry: start + 0.75, notBefore: start - 0.5, issuedAt: start + 0.25 });
    expect(claims({ exp: 2 ** 32 - 1, nbf: 0 })).toMatchObject({ expiry: 2 ** 32 - 1, notBefore: 0 });
  });

  it("need an end", () => {
    expect(fault({ exp: undefined })).toBe("the token has no exp: say when it ends, in Unix seconds");
  });

  it.each([
    ["a text", String(start), "not a number"],
    ["null", null, "not a number"],
    ["a list", [start], "not a number"],
    ["milliseconds", start * 1000, "milliseconds"],
    ["negative", -1, "no Unix time"],
    ["a little below 0", -0.001, "no Unix time"],
    ["above 32 bits", 2 ** 32, "no Unix time"],
    ["huge", 1.7e308, "milliseconds"],
  ])("are malformed as %s", (_what, value, sentence) => {
    for (const name of ["exp", "nbf", "iat"]) expect(fault({ [name]: value }), name).toContain(sentence);
  });

  const acme = customer();
  const at = (changes: { readonly [name: string]: JsonValue }, now: number, of: Customer = acme): string | undefined =>
    timeVerdict(claims(changes), of, now * 1000)?.code;

  it("are good until the second of exp is over", () => {
    const times = { exp: start + 10 };
    expect([at(times, start), at(times, start + 10.999), at(times, start + 11)]).toEqual([
      undefined,
      undefined,
      "credential-expired",
    ]);
    expect([at({ exp: start + 10.9 }, start + 10.999), at({ exp: start + 10.9 }, start + 11)]).toEqual([
      undefined,
      "credential-expired",
    ]);
  });

  it("are good from the very moment of nbf, and from 5 s before iat", () => {
    for (const times of [{ nbf: start + 0.5 }, { iat: start + 5.5 }]) {
      const all = { exp: start + 10, ...times };
      expect([at(all, start + 0.499), at(all, start + 0.5)]).toEqual(["credential-rejected", undefined]);
    }
    const early = timeVerdict(claims({ nbf: start + 1 }), acme, start * 1000);
    expect(early?.sentence).toContain("not yet valid");
  });

  it("leave one second where nbf is exp", () => {
    const times = { nbf: start, exp: start };
    expect([start - 0.001, start, start + 0.999, start + 1].map((now) => at(times, now))).toEqual([
      "credential-rejected",
      undefined,
      undefined,
      "credential-expired",
    ]);
  });

  it("may be wrong by the customer's clockSkew on both sides", () => {
    const skewed = customer({ clockSkew: 5 });
    expect([at({ exp: start }, start + 5.9, skewed), at({ exp: start }, start + 6, skewed)]).toEqual([
      undefined,
      "credential-expired",
    ]);
    const early = { nbf: start, iat: start, exp: start + 60 };
    expect([at(early, start - 5, skewed), at(early, start - 5.001, skewed)]).toEqual([
      undefined,
      "credential-rejected",
    ]);
  });

  it("are at most maxTtl ahead", () => {
    const short = customer({ maxTtl: 60, clockSkew: 5 });
    expect([at({ exp: start + 65.5 }, start, short), at({ exp: start + 66 }, start, short)]).toEqual([
      undefined,
      "credential-ttl",
    ]);
  });
});

describe("the narrowing claims", () => {
  it("are kept as they are", () => {
    const given = {
      methods: ["INVITE", "BYE"],
      numbers: ["+3225887000", "+32*"],
      maxSeconds: 60.9,
      callerId: "+3225887001",
      permissions: ["CreateConference", "*"],
    };
    expect(claims(given)).toMatchObject({ narrowing: { ...given, maxSeconds: 60 }, oneCall: false });
    expect(claims({ oneCall: true }).oneCall).toBe(true);
    expect(claims({ oneCall: false }).oneCall).toBe(false);
    expect(claims().narrowing).toEqual({});
  });

  it("allow nothing where their list is empty", () => {
    expect(claims({ methods: [], numbers: [], permissions: [] }).narrowing).toEqual({
      methods: [],
      numbers: [],
      permissions: [],
    });
  });

  it("are lists of 50 at most", () => {
    const numbers = Array.from({ length: 50 }, (_, at) => `+32${at}`);
    expect(claims({ numbers }).narrowing.numbers).toEqual(numbers);
    expect(fault({ numbers: [...numbers, "+33"] })).toContain("numbers");
  });

  it.each([
    ["methods", ["INVITE", ["invite"], [1], "INVITE", null, {}, ["INVITE "], [""]]],
    ["numbers", ["+32*", ["+32**"], ["sip:alice"], [32], null, {}, [""], [`+${"1".repeat(21)}`]]],
    ["permissions", ["*", ["createConference"], ["Everything"], [1], null, {}, [""]]],
    ["oneCall", [1, "true", null, [], {}]],
    ["maxSeconds", [0, -1, 0.5, "60", null, [60], true, 2 ** 31]],
    ["callerId", ["3225887000", "+", "+32 2", `+${"1".repeat(21)}`, 32, null, ["+32"], "+32*"]],
  ])("%s of another type are malformed", (name, values) => {
    for (const value of values) expect(fault({ [name]: value }), JSON.stringify(value)).toContain(name);
  });
});

describe("whose key is meant", () => {
  const acme = customer();
  const beta = customer({ id: "12345", domains: ["beta.example", "b.example"] });
  const all = new Customers([acme, beta]);
  const meant = (changes: { readonly [name: string]: JsonValue }, from?: string) =>
    claimedCustomer(claims(changes), all, from);

  it.each([
    ["appID", { appID: "acme", iss: "12345", sub: "alice@beta.example" }, "acme"],
    ["a numeric appID", { appID: 12_345 }, "12345"],
    ["iss, where it is a customer's id", { iss: "acme", sub: "alice@beta.example" }, "acme"],
    ["the user's domain, where iss is not", { iss: "https://idp.example", sub: "alice@b.example" }, "12345"],
  ])("says %s", (_what, changes, id) => {
    expect(meant(changes, "acme.example")).toMatchObject({ customer: { id }, byFrom: false });
  });

  it("says From only where the token says nothing", () => {
    expect(meant({}, "b.example")).toEqual({ customer: beta, byFrom: true });
    expect(meant({ iss: "https://idp.example" }, "acme.example")).toEqual({ customer: acme, byFrom: true });
    expect(meant({}, "gamma.example")).toEqual({ customer: undefined, byFrom: true });
    expect(meant({})).toEqual({ customer: undefined, byFrom: true });
  });

  it("is nobody's where the name is unknown, whatever else the token says", () => {
    expect(meant({ appID: "gamma", iss: "acme", sub: "alice@acme.example" }, "acme.example").customer).toBeUndefined();
    expect(meant({ sub: "alice@gamma.example" }, "acme.example").customer).toBeUndefined();
    expect(meant({ appID: "toString" }).customer).toBeUndefined();
  });
});

describe("who a proved token names", () => {
  const acme = customer({ domains: ["acme.example", "acme.test"] });
  const key: VerificationKey = {
    id: "j1",
    alg: "HS256",
    source: { kind: "secret", secret: "a secret of 32 bytes, at least so" },
    singleUse: false,
  };
  const named = (
    changes: { readonly [name: string]: JsonValue },
    keyChanges: Partial<VerificationKey> = {},
    of = acme,
  ) => identify(claims(changes), of, { ...key, ...keyChanges }, hash);

  it("can be revoked by its jti", () => {
    expect(named({ jti: "one" })).toMatchObject({ identity: { names: [{ kind: "jti", value: "one" }] } });
  });

  it("is a user in the domain that it names, else in the customer's first", () => {
    const expected = { customer: acme, user: "alice", provedBy: key, expiry: start + 300, narrowing: {}, names: [] };
    expect(named({})).toEqual({ kind: "identity", identity: { ...expected, domain: "acme.example" } });
    expect(named({ sub: "alice@Acme.Test", exp: start + 300.9 })).toEqual({
      kind: "identity",
      identity: { ...expected, domain: "acme.test" },
    });
  });

  it("is nobody in a domain of somebody else, or where the customer has none", () => {
    const refusal = { code: "credential-rejected", sentence: expect.stringContaining("no domain of its customer") };
    for (const sub of ["alice@beta.example", "alice@", "alice@acme.example.", "alice@x@acme.example"]) {
      expect(named({ sub }), sub).toEqual({ kind: "refused", refusal });
    }
    expect(named({}, {}, customer({ domains: [] }))).toEqual({ kind: "refused", refusal });
  });

  it.each([
    ["iss is the issuer of the key", { iss: "https://idp.example" }, { issuer: "https://idp.example" }, true],
    ["iss is another", { iss: "https://idp.example/" }, { issuer: "https://idp.example" }, false],
    ["iss is missing", {}, { issuer: "https://idp.example" }, false],
    ["iss is there and the key has no issuer", { iss: "anybody" }, {}, true],
    ["aud is the audience of the key", { aud: "postern" }, { audience: "postern" }, true],
    ["aud holds it", { aud: ["other", "postern"] }, { audience: "postern" }, true],
    ["aud is another", { aud: "other" }, { audience: "postern" }, false],
    ["aud is empty", { aud: [] }, { audience: "postern" }, false],
    ["aud is missing", {}, { audience: "postern" }, false],
    ["aud is there and the key has no audience", { aud: "postern" }, {}, false],
    ["aud is empty and the key has no audience", { aud: [] }, {}, false],
  ])("where %s", (_what, changes, keyChanges, taken) => {
    const result = named(changes, keyChanges);
    expect(result.kind).toBe(taken ? "identity" : "refused");
    if (result.kind === "refused") expect(result.refusal.code).toBe("credential-rejected");
  });

  it("needs a jti where its key is for single use", () => {
    expect(named({ jti: "1" }, { singleUse: true }).kind).toBe("identity");
    expect(named({}, { singleUse: true })).toMatchObject({ refusal: { code: "credential-malformed" } });
  });

  it("is good for one call, whose name is made of the token", () => {
    expect(named({ oneCall: true, maxSeconds: 5 })).toMatchObject({
      identity: { narrowing: { oneCall: { name: expect.stringMatching(/^[\w-]{22}$/) }, maxSeconds: 5 } },
    });
    expect(named({ oneCall: false })).toMatchObject({ identity: { narrowing: {} } });
  });
});
