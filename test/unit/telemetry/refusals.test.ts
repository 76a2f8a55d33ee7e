import { describe, expect, it } from "vitest";
import { refuse } from "../../../src/core/errors.ts";
import type { RefusedVisit } from "../../../src/core/verdicts.ts";
import { Refusals } from "../../../src/telemetry/refusals.ts";
import { held } from "../../helpers/held.ts";

const expired = refuse("credential-expired", "the credential has expired: get a new one");
const rejected = refuse("credential-rejected", "the credential is not right");

function scene() {
  const clock = { time: 1_000, now: () => clock.time };
  const refusals = new Refusals(clock);
  const note = (visit: Partial<RefusedVisit>): void => {
    clock.time++;
    refusals.note({ refusal: expired, way: "sip", address: "192.0.2.7", ...visit });
  };
  return { refusals, note };
}

describe("refusals that are remembered", () => {
  it("are a customer's, the latest first, with what is wrong and what to do", () => {
    const { refusals, note } = scene();
    note({ customer: "acme", user: "alice@acme.example", origin: "https://www.acme.example", method: "REGISTER" });
    note({ customer: "globex" });
    note({ customer: "acme", refusal: refuse("destination-denied", "no"), method: "INVITE", destination: "number" });
    expect(refusals.of("acme", [])).toEqual([
      {
        at: 1_003,
        code: "destination-denied",
        sentence: "no",
        remedy: expect.stringContaining("dial"),
        claimed: false,
        way: "sip",
        address: "192.0.2.7",
        method: "INVITE",
        destination: "number",
      },
      expect.objectContaining({ at: 1_001, user: "alice@acme.example", origin: "https://www.acme.example" }),
    ]);
    expect(refusals.of("initech", ["initech.example"])).toEqual([]);
  });

  it("are a customer's too where a stranger names it or its domain, and say so", () => {
    const { refusals, note } = scene();
    note({ claimed: "domain acme.example", refusal: rejected });
    note({ claimed: "customer acme", refusal: rejected, way: "exchange" });
    note({ claimed: "domain nobody.example", refusal: rejected });
    note({ claimed: "unnamed", refusal: rejected });
    note({ refusal: rejected });
    const told = refusals.of("acme", ["acme.example", "www.acme.example"]);
    expect(told.map(({ way, claimed }) => [way, claimed])).toEqual([
      ["exchange", true],
      ["sip", true],
    ]);
  });

  it("are two hundred of a customer", () => {
    const { refusals, note } = scene();
    for (let at = 0; at < 300; at++) note({ customer: "acme", user: `u${at}` });
    const users = refusals.of("acme", []).map(({ user }) => user);
    expect([users.length, users[0], users.at(-1)]).toEqual([200, "u299", "u100"]);
  });

  it("are twenty thousand of all customers; who was refused nothing for the longest is forgotten", () => {
    const { refusals, note } = scene();
    for (let at = 0; at < 101; at++)
      for (let time = 0; time < 200; time++) note({ customer: at === 0 && time > 0 ? "busy" : `c${at}` });
    expect(refusals.of("c0", [])).toEqual([]);
    expect(refusals.of("c100", [])).toHaveLength(200);
    const all = Array.from({ length: 101 }, (_, at) => refusals.of(`c${at}`, []).length);
    expect(all.reduce((sum, one) => sum + one, 0) + refusals.of("busy", []).length).toBeLessThanOrEqual(20_000);
  });

  it("of strangers fifty under a name, and none that was proved is pushed out by them", () => {
    const { refusals, note } = scene();
    note({ customer: "acme" });
    for (let at = 0; at < 10_000; at++) note({ claimed: "domain acme.example", refusal: rejected });
    const told = refusals.of("acme", ["acme.example"]);
    expect(told.filter(({ claimed }) => claimed)).toHaveLength(50);
    expect(told.filter(({ claimed }) => !claimed)).toHaveLength(1);
  });

  it("of strangers five thousand under all the names that they make up", () => {
    const { refusals, note } = scene();
    note({ customer: "acme" });
    note({ claimed: "domain acme.example", refusal: rejected });
    for (let at = 0; at < 6_000; at++) note({ claimed: `domain made-up-${at}.example`, refusal: rejected });
    expect(refusals.of("acme", ["acme.example"]).map(({ claimed }) => claimed)).toEqual([false]);
    const names = Array.from({ length: 6_000 }, (_, at) => `made-up-${at}.example`);
    expect(refusals.of("x", names)).toHaveLength(5_000);
  });

  it("are in their order within a millisecond too", () => {
    const refusals = new Refusals({ now: () => 1 });
    for (const user of ["a", "b"]) {
      refusals.note({ refusal: expired, way: "sip", address: "x", customer: "acme", user });
      refusals.note({ refusal: rejected, way: "sip", address: "x", claimed: "customer acme", user });
    }
    expect(refusals.of("acme", []).map(({ user, claimed }) => [user, claimed])).toEqual([
      ["b", true],
      ["b", false],
      ["a", true],
      ["a", false],
    ]);
  });

  it("keep nothing of the message that a text was a part of", () => {
    const { refusals, note } = scene();
    const before = held();
    for (let at = 0; at < 2_000; at++) {
      const message = `${at} ${"x".repeat(20_000)}`;
      note({ customer: `c${at}`, user: message.slice(2), method: message.slice(0, 30), origin: message.slice(0, 900) });
    }
    expect(held() - before).toBeLessThan(15_000_000);
    expect(refusals.of("c1999", [])).toHaveLength(1);
  });

  it("hold texts of so many characters, and none that moves a cursor", () => {
    const { refusals, note } = scene();
    note({ customer: "acme", user: "a".repeat(5_000), origin: "https://x\u001b[2J\u202e.example\r\n" });
    const [told] = refusals.of("acme", []);
    expect(told?.user).toHaveLength(255);
    expect(told?.origin).toBe("https://x\ufffd[2J\ufffd.example\ufffd\ufffd");
  });
});
