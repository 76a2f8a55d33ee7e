import { describe, expect, it } from "vitest";
import { customerRoom } from "../../../src/manage/room.ts";

const acme = { id: "acme", domains: ["acme.example"] };
const many = (count: number, one: unknown = 1): unknown[] => Array.from({ length: count }, () => one);
const named = (count: number, value: unknown = 1): object =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`m${at}`, value]));
const refused = (members: object, before: object = acme): string[] =>
  customerRoom(before as typeof acme, { ...before, ...members } as typeof acme).map(({ path }) => path);

describe("what a customer's own key sends", () => {
  it("has room for all that it may have", () => {
    const keys = many(8, { id: "j1", alg: "RS256", jwk: named(10), issuer: "acme", audience: many(8, "sip") });
    const whole = { secrets: many(8, named(5)), origins: many(100, "x"), callFrom: many(100, "x") };
    const revoked = many(1_001, { user: "alice", until: 1 });
    expect(refused({ ...whole, keys, revoked, inbound: named(1_000, "alice"), limits: named(6) })).toEqual([]);
  });

  it.each([
    ["secrets", many(9)],
    ["keys", many(9, { jwk: {} })],
    ["origins", many(101)],
    ["callFrom", many(101)],
    ["inbound", named(1_001)],
    ["revoked", many(1_101, {})],
    ["numbers", many(41)],
    ["limits", named(41)],
    ["methods", named(41)],
    ["keys", [{ jwk: named(40) }]],
    ["keys", [{ jwk: { x: many(40) } }]],
    ["secrets", ["x".repeat(8_193)]],
    ["revoked", [{ user: "a@".repeat(5_000) }]],
    ["trunk", "x".repeat(8_193)],
    ["invented", { a: many(50) }],
  ])("is not judged where %s is more than anybody has", (name, value) => {
    expect(refused({ [name]: value })).toEqual([name]);
  });

  it("is not judged where it has more members than a customer", () => {
    expect(refused(named(40))).toEqual([""]);
  });

  it("may have what the operator gave, and no more", () => {
    const before = { ...acme, numbers: many(5_000, "+4930*"), keys: many(20, {}) };
    expect(refused({ numbers: many(5_000), keys: many(20) }, before)).toEqual([]);
    expect(refused({ numbers: many(5_001), keys: many(21) }, before)).toEqual(["numbers", "keys"]);
    const long = { ...acme, keys: [{ pem: "x".repeat(9_000) }] };
    expect(refused({ origins: ["x"] }, long)).toEqual([]);
  });
});
