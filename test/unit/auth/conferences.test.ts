import { describe, expect, it } from "vitest";
import { EndedConferences } from "../../../src/auth/conferences.ts";
import { customer } from "../../helpers/customers.ts";

const hour = 3_600_000;

/** Those of which it is still known that they ended. */
function remembered(ended: EndedConferences, of: string, names: readonly string[]): number {
  return names.filter((name) => ended.hasEnded(of, name)).length;
}

describe("conferences that have ended", () => {
  it("are remembered for the hour that a data token lives at most", () => {
    const clock = { now: () => clock.at, at: 0 };
    const ended = new EndedConferences(clock);
    ended.end("acme", "one");
    clock.at = hour;
    expect(ended.hasEnded("acme", "one")).toBe(true);
    expect(ended.hasEnded("acme", "two")).toBe(false);
    expect(ended.hasEnded("globex", "one")).toBe(false);
    clock.at = hour + 1;
    expect(ended.hasEnded("acme", "one")).toBe(false);
  });

  it("have ended when it was told first: what is told later gives them no more time", () => {
    const clock = { now: () => clock.at, at: 0 };
    const ended = new EndedConferences(clock);
    ended.end("acme", "one");
    ended.end("acme", "one", 60_000);
    expect(ended.hasEnded("acme", "one")).toBe(true);
    ended.end("acme", "two", 60_000);
    expect(ended.hasEnded("acme", "two")).toBe(false);
    clock.at = 60_001;
    ended.end("acme", "two", 120_000);
    expect(ended.hasEnded("acme", "two")).toBe(true);
    clock.at = hour + 60_001;
    ended.end("acme", "two");
    expect(ended.hasEnded("acme", "two")).toBe(true);
  });

  it("end what is good for them alone", () => {
    const ended = new EndedConferences({ now: () => 0 });
    ended.end("acme", "one");
    const acme = customer();
    expect(ended.isOver({ customer: acme, narrowing: { conference: "one" } })).toBe(true);
    expect(ended.isOver({ customer: acme, narrowing: { conference: "two" } })).toBe(false);
    expect(ended.isOver({ customer: acme, narrowing: {} })).toBe(false);
  });

  it("are a thousand of a customer, the oldest forgotten, and no other customer's", () => {
    const ended = new EndedConferences({ now: () => 0 });
    ended.end("globex", "one");
    const names = Array.from({ length: 1_500 }, (_, at) => `c${at}`);
    for (const name of names) ended.end("acme", name);
    expect(remembered(ended, "acme", names)).toBe(1_000);
    expect(ended.hasEnded("acme", "c1499")).toBe(true);
    expect(ended.hasEnded("globex", "one")).toBe(true);
  });

  it("are of a thousand customers, those forgotten of whom none ended for the longest", () => {
    const ended = new EndedConferences({ now: () => 0 });
    const customers = Array.from({ length: 1_001 }, (_, at) => `c${at}`);
    for (const of of customers.slice(0, 1_000)) ended.end(of, "one");
    ended.end("c0", "two");
    ended.end("c1000", "one");
    expect(ended.hasEnded("c0", "one")).toBe(true);
    expect(customers.filter((of) => !ended.hasEnded(of, "one"))).toEqual(["c1"]);
  });
});
