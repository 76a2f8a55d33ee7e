import { describe, expect, it } from "vitest";
import { Repeats } from "../../../src/telemetry/repeats.ts";
import { StandingClock } from "../../helpers/exchange.ts";

const refused = (address: string, code = "credential-rejected") => ({ connection: "c", address, code });

function bench(max?: number) {
  const clock = new StandingClock();
  const repeats = new Repeats(clock, max);
  /** How many of so many are written. */
  const written = (times: number, line: string, fields: object): number => {
    let count = 0;
    for (let time = 0; time < times; time++) count += Number(repeats.admits(line, { ...fields }));
    return count;
  };
  return { clock, repeats, written };
}

describe("lines that say the same", () => {
  it("are written a hundred times at once, and then once a second", () => {
    const { clock, written } = bench();
    expect(written(10_000, "refused", refused("192.0.2.1"))).toBe(100);
    clock.ms += 5_000;
    expect(written(10_000, "refused", refused("192.0.2.1"))).toBe(5);
    clock.ms += 3_600_000;
    expect(written(10_000, "refused", refused("192.0.2.1"))).toBe(100);
  });

  it("twin: are all written where they stay below that", () => {
    const { clock, repeats, written } = bench();
    for (let second = 0; second < 1000; second++) {
      expect(written(1, "refused", refused("192.0.2.1"))).toBe(1);
      clock.ms += 1000;
    }
    expect(repeats.leftOut()).toEqual([]);
  });

  it("are one for a /64 of IPv6, and others for another address, code or message", () => {
    const { written } = bench();
    expect(written(200, "refused", refused("2001:db8::1"))).toBe(100);
    expect(written(200, "refused", refused("2001:db8::2"))).toBe(0);
    expect(written(200, "refused", refused("2001:db8:0:1::1"))).toBe(100);
    expect(written(200, "refused", refused("2001:db8::1", "rate-limited"))).toBe(100);
    expect(written(200, "closed", refused("2001:db8::1"))).toBe(100);
  });

  it("have more room where good clients of a crowded address say them too, or no address does", () => {
    const { clock, written } = bench();
    const accepted = { address: "192.0.2.1", code: "accepted" };
    expect(written(5_000, "accepted", accepted)).toBe(1000);
    expect(written(5_000, "upstream unavailable", { upstream: "x" })).toBe(1000);
    clock.ms += 1000;
    expect(written(5_000, "accepted", accepted)).toBe(50);
  });
});

describe("lines of many strangers", () => {
  const flood = (written: ReturnType<typeof bench>["written"], from: number): number => {
    let count = 0;
    for (let at = from; at < from + 20_000; at++)
      count += written(1, "refused", refused(`10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`));
    return count;
  };

  it("are bounded together, and what is said after a proof is written all the same", () => {
    const { clock, written } = bench();
    expect(flood(written, 0)).toBe(1000);
    clock.ms += 2000;
    expect(flood(written, 100_000)).toBe(500);
    expect(written(1, "accepted", { address: "192.0.2.1", code: "accepted" })).toBe(1);
    expect(written(1, "management request", { address: "192.0.2.1" })).toBe(1);
    expect(written(1, "upstream lost", { close: 1006 })).toBe(1);
    expect(written(1, "refused", refused("192.0.2.1"))).toBe(0);
  });

  it("are forgotten where five thousand others came since", () => {
    const { written } = bench();
    expect(written(1_001, "one", {})).toBe(1_000);
    for (let other = 0; other < 4_999; other++) written(1, `other ${other}`, {});
    expect(written(1, "one", {})).toBe(0);
    for (let other = 0; other < 5_000; other++) written(1, `further ${other}`, {});
    expect(written(1, "one", {})).toBe(1);
  });

  it("do not make it remember more than it may, and nothing that was left out is lost", () => {
    const { repeats, written } = bench(10);
    const count = flood(written, 0);
    const told = repeats.leftOut();
    expect(told.length).toBeLessThanOrEqual(11);
    expect(told.reduce((sum, { more }) => sum + more, 0)).toBe(20_000 - count);
    expect(told.at(-1)).toEqual({ more: expect.any(Number) });
  });
});

describe("what was left out", () => {
  it("is told once, by line, address and code", () => {
    const { repeats, written } = bench();
    written(150, "refused", refused("192.0.2.1"));
    written(103, "closed", refused("192.0.2.2", "message-malformed"));
    expect(repeats.leftOut()).toEqual([
      { line: "refused", address: "192.0.2.1", code: "credential-rejected", more: 50 },
      { line: "closed", address: "192.0.2.2", code: "message-malformed", more: 3 },
    ]);
    expect(repeats.leftOut()).toEqual([]);
  });
});
