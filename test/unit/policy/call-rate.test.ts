import { describe, expect, it } from "vitest";
import { CallRate } from "../../../src/policy/call-rate.ts";

function bench() {
  const clock = { ms: 1_700_000_000_000, now: () => clock.ms };
  const rate = new CallRate(clock);
  const begin = (calls: number, customer = "acme", limit = 10): number =>
    Array.from({ length: calls }, () => rate.take(customer, limit)).filter(Boolean).length;
  return { clock, rate, begin };
}

describe("calls per minute", () => {
  it("are as many as the limit says, for each customer by itself, and any number where it is 0", () => {
    const { begin, rate } = bench();
    expect([begin(12), begin(1), begin(10, "globex")]).toEqual([10, 0, 10]);
    expect([begin(50, "hooli", 0), rate.size]).toEqual([50, 2]);
  });

  it("are never more within any minute, whenever they are begun, and come back five seconds later at most", () => {
    const { clock, begin } = bench();
    const begun: number[] = [];
    for (let second = 0; second < 600; second += 0.5) {
      clock.ms += 500;
      for (let calls = begin(second % 7 < 2 ? 5 : 0); calls > 0; calls--) begun.push(clock.ms);
    }
    for (const at of begun) expect(begun.filter((other) => other > at - 60_000 && other <= at).length).toBeLessThan(11);
    clock.ms += 65_000;
    expect(begin(11)).toBe(10);
    clock.ms += 65_000;
    expect(begin(11)).toBe(10);
  });

  it("that are refused do not count", () => {
    const { clock, begin } = bench();
    begin(10);
    clock.ms += 30_000;
    expect(begin(100)).toBe(0);
    clock.ms += 35_000;
    expect(begin(100)).toBe(10);
  });

  it("are forgotten with their customer a minute after its last one", () => {
    const { clock, rate, begin } = bench();
    for (let at = 0; at < 1_000; at++) begin(1, `c${at}`);
    expect(rate.size).toBe(1_000);
    clock.ms += 66_000;
    begin(1, "acme");
    expect(rate.size).toBe(1);
  });

  it("are not begun anew by a clock that is set back", () => {
    const { clock, begin } = bench();
    begin(10);
    clock.ms -= 3_600_000;
    expect(begin(1)).toBe(0);
  });
});
