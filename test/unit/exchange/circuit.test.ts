import { describe, expect, it } from "vitest";
import { Circuits } from "../../../src/exchange/circuit.ts";

class Bench {
  at = 1_700_000_000_000;
  readonly circuits = new Circuits({ now: () => this.at });

  enter(customer = "acme", address = "192.0.2.1"): number {
    return this.circuits.enter(customer, address);
  }

  leave(well: boolean, customer = "acme", address = "192.0.2.1"): boolean {
    return this.circuits.leave(customer, address, well);
  }

  fail(times: number, customer = "acme", address = "192.0.2.1"): void {
    for (let time = 0; time < times; time++) {
      this.enter(customer, address);
      this.leave(false, customer, address);
    }
  }
}

describe("an address whose questions fail", () => {
  it("is left alone for ten seconds after five failures in a row, elsewhere and others are not", () => {
    const bench = new Bench();
    bench.fail(4);
    expect(bench.enter()).toBe(0);
    bench.fail(1);
    expect([bench.enter(), bench.enter("globex"), bench.enter("acme", "192.0.2.2")]).toEqual([10, 0, 0]);
    expect(bench.circuits.isFailing("acme")).toBe(false);
    bench.at += 9_001;
    expect(bench.enter()).toBe(1);
  });

  it("looks again by one request then: answered, it asks on, else it is left alone for as long", () => {
    const bench = new Bench();
    bench.fail(5);
    bench.at += 10_000;
    expect(bench.enter()).toBe(0);
    expect(bench.enter()).toBe(6);
    bench.leave(false);
    expect(bench.enter()).toBe(10);
    bench.at += 10_000;
    expect(bench.enter()).toBe(0);
    bench.leave(true);
    for (let time = 0; time < 100; time++) expect(bench.enter()).toBe(0);
  });

  it("looks again by another where the one that looked never told", () => {
    const bench = new Bench();
    bench.fail(5);
    bench.at += 10_000;
    expect(bench.enter()).toBe(0);
    bench.at += 6_000;
    expect(bench.enter()).toBe(0);
  });

  it("and are answered now and then asks on", () => {
    const bench = new Bench();
    for (let time = 0; time < 10; time++) {
      bench.fail(4);
      bench.leave(true);
    }
    expect(bench.enter()).toBe(0);
  });

  it("is one of ten thousand that are remembered", () => {
    const bench = new Bench();
    bench.fail(5, "acme", "first");
    for (let at = 0; at < 9_999; at++) bench.leave(false, "acme", `a${at}`);
    expect(bench.enter("acme", "first")).toBe(10);
    bench.fail(5, "acme", "second");
    for (let at = 0; at < 10_000; at++) bench.leave(false, "acme", `b${at}`);
    expect(bench.enter("acme", "second")).toBe(0);
  });
});

describe("a service that fails", () => {
  it("is one that fails five addresses in a row, and no other customer's is, until it answers somebody", () => {
    const bench = new Bench();
    const failing = (): boolean[] => ["acme", "globex"].map((customer) => bench.circuits.isFailing(customer));
    for (const address of ["a", "b", "c", "d", "d", "d"]) bench.fail(1, "acme", address);
    expect(failing()).toEqual([false, false]);
    bench.fail(1, "acme", "e");
    expect(failing()).toEqual([true, false]);
    expect(bench.enter("acme", "f")).toBe(0);
    bench.leave(true, "acme", "f");
    expect(failing()).toEqual([false, false]);
  });

  it("is news once, and its end too", () => {
    const bench = new Bench();
    const told = [false, false, true, true, false].map((well) => bench.leave(well));
    expect(told).toEqual([true, false, true, false, true]);
  });

  it("is one of ten thousand that are remembered", () => {
    const bench = new Bench();
    for (let at = 0; at < 10_000; at++) bench.leave(false, `c${at}`);
    expect(bench.leave(false, "c0")).toBe(false);
    bench.leave(false, "another");
    expect(bench.leave(false, "c1")).toBe(true);
  });
});
