import { describe, expect, it } from "vitest";
import { OpenRequests } from "../../../src/exchange/open-requests.ts";

const enter = (open: OpenRequests, customer: string, times: number): number =>
  Array.from({ length: times }, () => open.enter(customer)).filter(Boolean).length;

describe("requests that are open", () => {
  it("are 32 of a customer and 128 in all, and there is room again when one is over", () => {
    const open = new OpenRequests();
    for (const customer of ["acme", "globex", "initech"]) expect(enter(open, customer, 40)).toBe(32);
    for (let at = 0; at < 8; at++) expect(enter(open, `c${at}`, 4)).toBe(4);
    expect(enter(open, "hooli", 1)).toBe(0);
    open.leave("acme");
    expect(enter(open, "hooli", 5)).toBe(1);
    for (let time = 0; time < 31; time++) open.leave("acme");
    for (let at = 0; at < 8; at++) for (let time = 0; time < 4; time++) open.leave(`c${at}`);
    expect(enter(open, "acme", 40)).toBe(31);
  });

  it("of a few customers leave room for others", () => {
    const open = new OpenRequests();
    for (const customer of ["acme", "globex", "initech", "hooli"]) enter(open, customer, 40);
    expect(enter(open, "umbrella", 40)).toBe(4);
  });

  it("are four of a customer whose service fails, those that were open before among them", () => {
    const open = new OpenRequests();
    enter(open, "acme", 3);
    expect([1, 2].map(() => open.enter("acme", true))).toEqual([true, false]);
    expect(open.enter("acme")).toBe(true);
    expect(open.enter("globex", true)).toBe(true);
  });
});
