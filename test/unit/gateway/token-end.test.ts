import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { watchToken } from "../../../src/gateway/token-end.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A token that ends in so many milliseconds; what was asked and done of it. */
function watched(milliseconds: number, endsEarly = false) {
  let end = Date.now() + milliseconds;
  const seen = { looks: 0, over: 0, inDialog: false, otherwise: false };
  const endNow = (): void => {
    end = Date.now();
  };
  const stop = watchToken({
    left: () => {
      seen.looks++;
      return seen.otherwise ? undefined : Math.max(0, end - Date.now());
    },
    inDialog: () => seen.inDialog,
    over: () => void seen.over++,
    endsEarly,
  });
  return { seen, stop, endNow };
}

describe("a watched token", () => {
  it("is over once, when it has ended, and is not looked at before", () => {
    const { seen } = watched(300_000);
    vi.advanceTimersByTime(299_999);
    expect(seen).toMatchObject({ looks: 1, over: 0 });
    vi.advanceTimersByTime(1);
    expect(seen).toMatchObject({ looks: 2, over: 1 });
    vi.advanceTimersByTime(10_000);
    expect(seen).toMatchObject({ looks: 2, over: 1 });
  });

  it("waits for the last dialog, looking once a second", () => {
    const { seen } = watched(1_000);
    seen.inDialog = true;
    vi.advanceTimersByTime(5_000);
    expect(seen).toMatchObject({ looks: 6, over: 0 });
    seen.inDialog = false;
    vi.advanceTimersByTime(1_000);
    expect(seen.over).toBe(1);
  });

  it.each(["another proof takes its place", "it is stopped"])("is looked at no more where %s", (why) => {
    const { seen, stop } = watched(1_000);
    if (why === "it is stopped") stop();
    else seen.otherwise = true;
    vi.advanceTimersByTime(60_000);
    expect(seen.over).toBe(0);
    expect(seen.looks).toBeLessThanOrEqual(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that may end with its conference is over within a second of that", () => {
    const { seen, endNow } = watched(300_000, true);
    vi.advanceTimersByTime(5_500);
    expect(seen.over).toBe(0);
    endNow();
    vi.advanceTimersByTime(500);
    expect(seen.over).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is looked at now and then where it lives longer than a timer can", () => {
    const { seen } = watched(2 ** 32);
    vi.advanceTimersByTime(2 ** 31);
    expect(seen).toMatchObject({ over: 0 });
    expect(seen.looks).toBeLessThanOrEqual(3);
    vi.advanceTimersByTime(2 ** 31);
    expect(seen.over).toBe(1);
  });
});
