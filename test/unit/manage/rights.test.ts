import { describe, expect, it } from "vitest";
import { customer as schema } from "../../../src/config/customer.ts";
import { customerRights, operatorRights } from "../../../src/manage/rights.ts";
import type { Item } from "../../../src/store/port.ts";

const acme: Item = {
  id: "acme",
  domains: ["acme.example"],
  secrets: [{ id: "k1", secret: "the-secret-of-acme-1" }],
  apiKeys: [{ id: "a1", secret: "the-api-secret-of-acme" }],
  callFrom: ["voxrtc@voxbone.example"],
  numbers: ["+3225887*"],
  inbound: { "+4930": "berlin" },
  limits: { calls: 10, connections: 20, connectionsPerUser: 2 },
  ceilings: { calls: 50, connections: 0, maxTtl: 7200 },
  webhook: { url: "https://acme.example/calls", secret: "the-secret-of-its-webhook" },
};

const rights = customerRights((number) => number.startsWith("+3225887"));
const refused = (changes: object, before: Item = acme): string[] =>
  rights(before, { ...before, ...changes }).map(({ path }) => path);

describe("a customer's own key", () => {
  it.each([
    ["secrets", [{ id: "k2", secret: "the-secret-of-acme-2" }]],
    ["keys", [{ id: "j1", alg: "HS256", secret: "a-shared-secret-of-32-bytes-long" }]],
    ["origins", ["https://www.acme.example"]],
    ["callFrom", ["voxrtc@voxbone.example", "*@ACME.example"]],
    ["callFrom", []],
    ["inbound", { "+3225887000": "reception", "+4930": "munich" }],
    ["inbound", {}],
    ["limits", { calls: 50, connections: 0, connectionsPerUser: 1 }],
    ["limits", { calls: 1, connections: 1000, connectionsPerUser: 2 }],
    ["maxTtl", 7200],
    ["maxTtl", 60],
    ["revoked", [{ user: "alice", until: 2_000_000_000 }]],
    ["originReports", true],
  ])("may change %s: %j", (member, value) => {
    expect(refused({ [member]: value })).toEqual([]);
  });

  it.each([
    ["http://10.0.0.5/keys", false],
    ["http://keys.inside.example/", false],
    ["https://10.0.0.5/keys", false],
    ["https://[::1]:8443/keys", false],
    ["https://2130706433/keys", false],
    ["https://idp.example/keys", true],
    ["https://192.88.100.1/keys", true],
    ["http://10.0.0.7:8080/other", true],
    ["http://10.0.0.7/keys", false],
  ])("may have its keys read at %s, beside an origin inside that an operator named: %s", (jwksUri, may) => {
    const key = { id: "j1", alg: "ES256", issuer: "https://idp.example", audience: "postern" };
    const inside = { ...key, jwksUri: "http://10.0.0.7:8080/keys" };
    const before = { ...acme, keys: [inside] };
    const refusals = refused({ keys: [inside, { ...key, id: "j2", jwksUri }] }, before);
    expect(refusals).toEqual(may ? [] : ["keys[1].jwksUri"]);
    expect(refused({ keys: [] }, before)).toEqual([]);
  });

  it.each([
    ["domains", ["acme.example", "b.example"], "domains"],
    ["apiKeys", [], "apiKeys"],
    ["numbers", ["+32*"], "numbers"],
    ["dial", ["+*"], "dial"],
    ["methods", ["REGISTER", "REFER"], "methods"],
    ["trunk", "sip:pbx.evil.example", "trunk"],
    ["trunk2", "sip:pbx.evil.example", "trunk2"],
    ["trunk2", ["sip:pbx.evil.example"], "trunk2"],
    ["trunkAuth", { username: "a", password: "b" }, "trunkAuth"],
    ["trunkFormat", { "+": "900" }, "trunkFormat"],
    ["trunkTrusted", false, "trunkTrusted"],
    ["callerId", "+3225887999", "callerId"],
    ["passHeaders", ["X-Any"], "passHeaders"],
    ["clockSkew", 3600, "clockSkew"],
    ["permissionUrl", "https://acme.example/may", "permissionUrl"],
    ["webhook", { url: "https://evil.example/", secret: "the-secret-of-its-webhook" }, "webhook"],
    ["ceilings", { calls: 1000 }, "ceilings"],
    ["suspended", "finish", "suspended"],
    ["id", "globex", "id"],
    ["invented", 1, "invented"],
    ["constructor", { a: 1 }, "constructor"],
    ["callFrom", ["voxrtc@voxbone.example", "*@voxbone.example"], "callFrom[1]"],
    ["callFrom", ["a@acme.example@evil.example"], "callFrom[0]"],
    ["inbound", { "+3226": "reception" }, 'inbound["+3226"]'],
    ["limits", { calls: 51, connections: 20, connectionsPerUser: 2 }, "limits.calls"],
    ["limits", { calls: 0, connections: 20, connectionsPerUser: 2 }, "limits.calls"],
    ["limits", { calls: 10, connections: 20, connectionsPerUser: 3 }, "limits.connectionsPerUser"],
    ["limits", { calls: 10, connections: 20, connectionsPerUser: 0 }, "limits.connectionsPerUser"],
    ["limits", { calls: 10, connections: 20 }, "limits.connectionsPerUser"],
    ["maxTtl", 7201, "maxTtl"],
  ])("may not change %s: %j", (member, value, path) => {
    expect(refused({ [member]: value })).toContain(path);
  });

  it("may not take the operator's members away, nor lift a suspension", () => {
    const { webhook: _gone, ...without } = acme;
    expect(rights(acme, without).map(({ path }) => path)).toEqual(["webhook"]);
    const { suspended: _lifted, ...lifted } = { ...acme, suspended: "end" };
    expect(rights({ ...acme, suspended: "end" }, lifted).map(({ path }) => path)).toEqual(["suspended"]);
  });

  it("may leave all as it is, be it said otherwise or said at all", () => {
    const said = schema.parse(acme) as Item;
    expect(rights(acme, said)).toEqual([]);
    expect(refused({ domains: ["ACME.example"], clockSkew: 0, methods: [] })).toEqual([]);
  });

  it("is told all that is not its own at once, beside members that are faulty", () => {
    expect(refused({ trunk: "no uri", dial: 7, clockSkew: 9 }).toSorted()).toEqual(["clockSkew", "dial", "trunk"]);
  });

  it("is not told what it put in the place of a name", () => {
    const secret = "c2VjcmV0LWluLXRoZS13cm9uZy1wbGFjZQ==";
    expect(refused({ [secret]: 1 })).toEqual(["[…]"]);
    expect(refused({ inbound: { [secret]: "a" } })).toEqual(["inbound[…]"]);
  });

  it("cannot make its lists grow without bounds; what the operator gave may stay", () => {
    const secrets = (count: number): object[] =>
      Array.from({ length: count }, (_, at) => ({ id: `k${at}`, secret: `the-secret-of-acme-${at}` }));
    expect(refused({ secrets: secrets(8) })).toEqual([]);
    expect(refused({ secrets: secrets(9) })).toEqual(["secrets"]);
    expect(refused({ secrets: secrets(9) }, { ...acme, secrets: secrets(12) })).toEqual([]);
    expect(refused({ origins: Array.from({ length: 101 }, (_, at) => `https://w${at}.acme.example`) })).toEqual([
      "origins",
    ]);
    const numbers = (count: number): object =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`+3225887${1_000 + at}`, "reception"]));
    expect([refused({ inbound: numbers(1_000) }), refused({ inbound: numbers(1_001) })]).toEqual([[], ["inbound"]]);
  });

  it("reaches every member of a customer, be it by a right or by a refusal", () => {
    const own = ["secrets", "keys", "origins", "originReports", "callFrom", "inbound", "limits", "maxTtl", "revoked"];
    const others = Object.keys(schema.shape).filter((name) => !own.includes(name));
    for (const name of others) expect(refused({ [name]: { other: 1 } }), name).toContain(name);
  });
});

it("an operator may change all of it", () => {
  expect(operatorRights(acme, { id: "acme" })).toEqual([]);
});
