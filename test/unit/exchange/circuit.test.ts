import { describe, expect, it } from "vitest";
import { Circuits } from "../../../src/exchange/circuit.ts";

class Bench {
  at = 1_700_000_000_000;
  readonly circuits = new Circuits({ now: () => this.at });

  fail(times: number, customer = "acme"): void {
    for (let time = 0; time < times; time++) {
      this.circuits.enter(customer);
      this.circuits.leave(customer, false);
    }
  }
}

describe("a service that fails", () => {
  it("is left alone for ten seconds after five failures in a row, and no other customer's is", () => {
    const bench = new Bench();
    bench.fail(4);
    expect(bench.circuits.enter("acme")).toBe(0);
    bench.fail(1);
    expect([bench.circuits.enter("acme"), bench.circuits.enter("globex")]).toEqual([10, 0]);
    bench.at += 9_001;
    expect(bench.circuits.enter("acme")).toBe(1);
  });

  it("is looked at by one request then: well, it is asked again, else left alone for as long", () => {
    const bench = new Bench();
    bench.fail(5);
    bench.at += 10_000;
    expect(bench.circuits.enter("acme")).toBe(0);
    expect(bench.circuits.enter("acme")).toBe(6);
    bench.circuits.leave("acme", false);
    expect(bench.circuits.enter("acme")).toBe(10);
    bench.at += 10_000;
    expect(bench.circuits.enter("acme")).toBe(0);
    bench.circuits.leave("acme", true);
    for (let time = 0; time < 100; time++) expect(bench.circuits.enter("acme")).toBe(0);
  });

  it("is looked at by another where the one that looked never told", () => {
    const bench = new Bench();
    bench.fail(5);
    bench.at += 10_000;
    expect(bench.circuits.enter("acme")).toBe(0);
    bench.at += 6_000;
    expect(bench.circuits.enter("acme")).toBe(0);
  });

  it("that answers now and then is asked on", () => {
    const bench = new Bench();
    for (let time = 0; time < 10; time++) {
      bench.fail(4);
      bench.circuits.leave("acme", true);
    }
    expect(bench.circuits.enter("acme")).toBe(0);
  });

  it("is news once, and its end too", () => {
    const { circuits } = new Bench();
    const told = [false, false, true, true, false].map((well) => circuits.leave("acme", well));
    expect(told).toEqual([true, false, true, false, true]);
  });

  it("is one of ten thousand that are remembered", () => {
    const bench = new Bench();
    bench.fail(5, "first");
    for (let at = 0; at < 9_999; at++) bench.circuits.leave(`c${at}`, false);
    expect(bench.circuits.enter("first")).toBe(10);
    bench.circuits.leave("another", false);
    bench.circuits.leave("one more", false);
    expect(bench.circuits.leave("c0", false)).toBe(true);
  });
});
