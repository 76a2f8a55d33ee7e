import { describe, expect, it } from "vitest";
import type { Act } from "../../../src/store/port.ts";
import { SignIns } from "../../../src/store/sign-ins.ts";

function scene() {
  const clock = { time: 0, now: () => clock.time };
  const acts: Act[] = [];
  return { clock, acts, signIns: new SignIns(clock, (act) => acts.push(act)) };
}

describe("sign-ins in the audit", () => {
  it("are one of each manager and address in an hour, however many requests there are", () => {
    const { clock, acts, signIns } = scene();
    for (let at = 0; at < 50; at++) signIns.proved("operator:ops", "192.0.2.7");
    signIns.proved("operator:ops", "192.0.2.8");
    signIns.proved("customer:acme/a1", "192.0.2.7", "acme");
    clock.time = 3_599_999;
    signIns.proved("operator:ops", "192.0.2.7");
    expect(acts).toEqual([
      { by: "operator:ops", what: "sign-in", address: "192.0.2.7" },
      { by: "operator:ops", what: "sign-in", address: "192.0.2.8" },
      { by: "customer:acme/a1", what: "sign-in", address: "192.0.2.7", customer: "acme" },
    ]);
    clock.time = 3_600_000;
    signIns.proved("operator:ops", "192.0.2.7");
    expect(acts).toHaveLength(4);
  });

  it("are of so many addresses of one manager in an hour, and the last says so", () => {
    const { acts, signIns } = scene();
    for (let at = 0; at < 100; at++) signIns.proved("customer:acme/a1", `2001:db8:${at}::/64`, "acme");
    expect(acts).toHaveLength(20);
    expect(acts[19]?.what).toBe("sign-in; of further addresses there is no entry for an hour");
    expect(acts[18]?.what).toBe("sign-in");
  });

  it("are remembered of so many managers", () => {
    const { acts, signIns } = scene();
    for (let at = 0; at <= 10_000; at++) signIns.proved(`operator:o${at}`, "192.0.2.7");
    signIns.proved("operator:o10000", "192.0.2.7");
    expect(acts).toHaveLength(10_001);
    signIns.proved("operator:o0", "192.0.2.7");
    expect(acts).toHaveLength(10_002);
  });
});
