import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { refuse } from "../../../src/core/errors.ts";
import { Departure } from "../../../src/gateway/departure.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const why = refuse("credential-revoked", "go");

function bench(inCall: boolean) {
  const seen = { inCall, stands: true, withdrawn: 0, expelled: [] as unknown[] };
  const departure = new Departure({
    inCall: () => seen.inCall,
    withdraw: () => void seen.withdrawn++,
    expel: (refusal) => void seen.expelled.push(refusal),
  });
  return { departure, seen };
}

describe("a connection that is sent away", () => {
  it.each([
    ["where its calls end too", "end", true],
    ["where it has none", "finish", false],
  ] as const)("goes at once %s", (_name, calls, inCall) => {
    const { departure, seen } = bench(inCall);
    departure.begin(calls, why);
    expect(seen).toMatchObject({ withdrawn: 0, expelled: [why] });
  });

  it("goes when its last call has ended; until then it is told why it may begin nothing, however often it is sent", () => {
    const { departure, seen } = bench(true);
    departure.begin("finish", why);
    departure.begin("finish", why);
    vi.advanceTimersByTime(60_000);
    expect([departure.notice, seen.withdrawn, seen.expelled]).toEqual([why, 1, []]);
    seen.inCall = false;
    vi.advanceTimersByTime(1_000);
    expect(seen.expelled).toEqual([why]);
  });

  it("goes at once where its calls are to end after all", () => {
    const { departure, seen } = bench(true);
    departure.begin("finish", why);
    departure.begin("end", why);
    expect(seen.expelled).toEqual([why]);
  });

  it("stays where the reason does not hold any more, and can be sent away again", () => {
    const { departure, seen } = bench(true);
    departure.begin("finish", why, () => seen.stands);
    seen.stands = false;
    vi.advanceTimersByTime(1_000);
    seen.inCall = false;
    vi.advanceTimersByTime(10_000);
    expect([departure.notice, seen.expelled]).toEqual([undefined, []]);
    seen.stands = true;
    departure.begin("finish", why, () => seen.stands);
    expect(seen.expelled).toEqual([why]);
  });

  it("goes where one reason does not hold any more and another holds for good", () => {
    const { departure, seen } = bench(true);
    departure.begin("finish", why, () => seen.stands);
    departure.begin("finish", why);
    seen.stands = false;
    vi.advanceTimersByTime(1_000);
    expect(departure.notice).toBe(why);
    seen.inCall = false;
    vi.advanceTimersByTime(1_000);
    expect(seen.expelled).toEqual([why]);
  });

  it("is looked at no more when it is over", () => {
    const { departure, seen } = bench(true);
    departure.begin("finish", why);
    departure.stop();
    seen.inCall = false;
    vi.advanceTimersByTime(10_000);
    expect(seen.expelled).toEqual([]);
  });
});
