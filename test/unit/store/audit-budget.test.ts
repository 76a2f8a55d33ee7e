import { describe, expect, it } from "vitest";
import { AuditBudget } from "../../../src/store/audit-budget.ts";

function scene() {
  const clock = { time: 0, now: () => clock.time };
  const budget = new AuditBudget(clock);
  const taken = (customer: string, times: number): number =>
    Array.from({ length: times }, () => budget.take(customer)).filter(Boolean).length;
  return { clock, budget, taken };
}

describe("what a customer's own keys add to the audit", () => {
  it("are so many entries in a day, and another's are another's", () => {
    const { clock, taken } = scene();
    expect([taken("acme", 3_000), taken("globex", 1)]).toEqual([2_000, 1]);
    clock.time = 86_399_999;
    expect(taken("acme", 1)).toBe(0);
    clock.time = 86_400_000;
    expect(taken("acme", 1)).toBe(1);
  });

  it("are only those that were written", () => {
    const { budget, taken } = scene();
    for (let time = 0; time < 5_000; time++) if (budget.take("acme")) budget.giveBack("acme");
    budget.giveBack("nobody");
    expect(taken("acme", 3_000)).toBe(2_000);
  });

  it("is remembered of so many customers", () => {
    const { taken } = scene();
    taken("acme", 2_000);
    for (let at = 0; at < 20_000; at++) taken(`c${at}`, 1);
    expect(taken("acme", 1)).toBe(1);
  });
});
