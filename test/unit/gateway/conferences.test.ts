import { describe, expect, it } from "vitest";
import type { CallRecord } from "../../../src/core/calls.ts";
import { CallConferences } from "../../../src/gateway/conferences.ts";

const record = (id: string, changes: Partial<CallRecord> = {}): CallRecord => ({
  ...{ id, gateway: "g", callId: "c-1", customer: "acme", user: "alice", domain: "acme.example", start: 1 },
  ...{ direction: "to-user", ...changes },
});
const bob = { user: "bob", direction: "in" } as const;
const eve = { user: "eve", domain: "globex.example", customer: "globex" } as const;

/** One call of alice to bob, in the order in which the gateway hears of its two sides. */
function call(ended?: (customer: string, conferenceID: string) => void, narrowed = false) {
  const conferences = new CallConferences(ended);
  conferences.begun(record("1"), "t", narrowed);
  conferences.begun(record("2", bob), "t", false);
  return conferences;
}
const usersIn = (conferences: CallConferences, customer = "acme", of = "c-1") =>
  conferences.ownersOf(customer, of)?.map(({ user, stands }) => `${user} ${stands}`);

describe("who is in a call", () => {
  it("is known by its Call-ID while it stands and afterwards; another's is nobody's of one's own", () => {
    const conferences = call();
    expect(usersIn(conferences, "globex")).toEqual([]);
    expect(conferences.ownersOf("acme", "c-1")).toMatchObject([
      { user: "alice", domain: "acme.example", call: "1", stands: true },
      { user: "bob", domain: "acme.example", call: "2", stands: true },
    ]);
    conferences.ended(record("2", bob));
    expect(usersIn(conferences)).toEqual(["alice true", "bob false"]);
    conferences.ended(record("1"));
    expect(usersIn(conferences)).toEqual(["alice false", "bob false"]);
    expect(usersIn(conferences, "globex")).toEqual([]);
    expect(usersIn(conferences, "acme", "c-2")).toBeUndefined();
  });

  it("is not who takes its Call-ID for a call of their own; who is in it may call again", () => {
    const conferences = call();
    conferences.begun(record("3", eve), "other", false);
    conferences.begun(record("4", { user: "mallory" }), "other", false);
    conferences.ended(record("4"));
    conferences.begun(record("4b", { user: "mallory" }), "t", false);
    conferences.begun(record("4c", { user: "mallory", direction: "in" }), "other", false);
    conferences.begun(record("4d", { domain: "b.example" }), "other", false);
    expect(usersIn(conferences)).toEqual(["alice true", "bob true"]);
    expect(usersIn(conferences, "globex")).toEqual(["eve true"]);
    for (const one of [record("1"), record("2", bob)]) conferences.ended(one);
    conferences.begun(record("5", { user: "mallory" }), "other", false);
    expect(usersIn(conferences)).toEqual(["alice false", "bob false"]);
    conferences.begun(record("6"), "next", false);
    expect(usersIn(conferences)).toEqual(["alice false", "bob false", "alice true"]);
  });

  it("is whom it was given to of a customer, whoever of another one took its Call-ID before", () => {
    const told: string[][] = [];
    const conferences = new CallConferences((...one) => told.push(one));
    for (let at = 0; at < 64; at++) conferences.begun(record(`e${at}`, eve), "e", true);
    conferences.begun(record("1"), "t", true);
    conferences.begun(record("2", bob), "t", false);
    expect(usersIn(conferences)).toEqual(["alice true", "bob true"]);
    for (const one of [record("1", { answer: 2 }), record("2", { ...bob, answer: 2 })]) conferences.ended(one);
    expect(told).toEqual([["acme", "c-1"]]);
    expect(usersIn(conferences)).toEqual(["alice false", "bob false"]);
    expect(usersIn(conferences, "globex")).toHaveLength(64);
    expect(usersIn(conferences, "initech")).toEqual([]);
  });

  it("is whom its application names, whoever of the same customer called under the name first", () => {
    const told: string[][] = [];
    const conferences = new CallConferences((...one) => told.push(one));
    const mallory = { user: "mallory" };
    conferences.begun(record("m", mallory), "m", false);
    for (let at = 0; at < 64; at++) conferences.begun(record(`m${at}`, mallory), "m", false);
    conferences.begun(record("n", bob), "m", true);
    conferences.begun(record("1"), "t", true);
    conferences.begun(record("2", bob), "t", false);
    expect(usersIn(conferences)).toEqual(["alice true", "bob true"]);
    conferences.begun(record("3", { user: "carol" }), "another", true);
    conferences.begun(record("4", mallory), "m", false);
    conferences.begun(record("5", { ...bob, user: "dave" }), "m", true);
    expect(usersIn(conferences)).toEqual(["alice true", "bob true", "carol true"]);
    conferences.ended(record("m", { ...mallory, answer: 2 }));
    expect(conferences.ownersOf("acme", "c-1")?.map(({ named }) => named)).toEqual([true, false, true]);
    for (const id of ["1", "2", "3"]) conferences.ended(record(id, { answer: 2 }));
    expect(told).toEqual([["acme", "c-1"]]);
    expect(usersIn(conferences)).toEqual(["alice false", "bob false", "carol false"]);
  });

  it("is remembered of the latest twenty thousand, beside all that stand", () => {
    const conferences = call();
    for (let at = 0; at < 20_001; at++) {
      const one = record(`r${at}`, { callId: `o${at}` });
      conferences.begun(one, "t", false);
      conferences.ended(one);
    }
    expect(usersIn(conferences, "acme", "o0")).toBeUndefined();
    expect(usersIn(conferences, "acme", "o1")).toEqual(["alice false"]);
    expect(usersIn(conferences)).toHaveLength(2);
  });

  it("are sixty-four of a call at most", () => {
    const conferences = call();
    for (let at = 0; at < 100; at++) conferences.begun(record(`f${at}`, { ...bob, user: `u${at}` }), "t", false);
    expect(usersIn(conferences)).toHaveLength(64);
  });
});

describe("the end of a call", () => {
  it("is told where a credential was good for it alone, once nobody is in it and if it was answered", () => {
    const told: string[][] = [];
    const conferences = call((...one) => told.push(one), true);
    conferences.ended(record("1", { answer: 2 }));
    expect(told).toEqual([]);
    conferences.ended(record("2", { ...bob, answer: 2 }));
    expect(told).toEqual([["acme", "c-1"]]);
  });

  it("is no word about others", () => {
    const told: string[][] = [];
    for (const [narrowed, answer] of [
      [false, 2],
      [true, undefined],
    ] as const) {
      const conferences = call((...one) => told.push(one), narrowed);
      for (const one of [record("1"), record("2", bob)]) conferences.ended({ ...one, ...(answer && { answer }) });
    }
    expect(told).toEqual([]);
  });
});
