import { describe, expect, it } from "vitest";
import { OpenRequests } from "../../../src/exchange/open-requests.ts";

const enter = (open: OpenRequests, customer: string, times: number): number =>
  Array.from({ length: times }, () => open.enter(customer)).filter(Boolean).length;

describe("requests that are open", () => {
  it("are 32 of a customer and 128 in all, and there is room again when one is over", () => {
    const open = new OpenRequests();
    expect(enter(open, "acme", 40)).toBe(32);
    for (const customer of ["globex", "initech"]) expect(enter(open, customer, 32)).toBe(32);
    expect(enter(open, "hooli", 31)).toBe(31);
    expect(enter(open, "umbrella", 5)).toBe(1);
    open.leave("acme");
    expect(enter(open, "acme", 5)).toBe(1);
    for (let time = 0; time < 32; time++) open.leave("acme");
    expect(enter(open, "acme", 40)).toBe(32);
  });
});
