import { setTimeout as later } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FairQueue } from "../../../src/gateway/fair-queue.ts";
import { Strangers } from "../../../src/gateway/strangers.ts";

/** Work that takes so many milliseconds of this very thread. */
const busy = (milliseconds: number): undefined => {
  for (const until = performance.now() + milliseconds; performance.now() < until; );
};

describe("a queue by turns", () => {
  it("gives one of each who waits, in the order that they came", () => {
    const queue = new FairQueue<string>();
    for (const item of ["a1", "a2", "a3", "b1", "c1", "b2"]) queue.push(item[0]!, item);
    expect([queue.size, queue.lines, queue.waitingOf("a")]).toEqual([6, 3, 3]);
    const order: (string | undefined)[] = [];
    while (queue.size > 0) order.push(queue.shift());
    expect(order).toEqual(["a1", "b1", "c1", "a2", "b2", "a3"]);
    expect([queue.shift(), queue.lines, queue.waitingOf("a")]).toEqual([undefined, 0, 0]);
  });
});

describe("who waits among strangers", () => {
  let now = 0;
  beforeEach(() => {
    now = 0;
    vi.useFakeTimers();
  });
  afterEach(() => void vi.useRealTimers());

  const passes = (milliseconds: number): void => {
    now += milliseconds;
    vi.advanceTimersByTime(milliseconds);
  };
  /** Work that takes as long, and says so. */
  const bench = () => {
    const strangers = new Strangers(() => now);
    const done: number[] = [];
    const work = (at: number, milliseconds: number) => (): undefined => {
      now += milliseconds;
      done.push(at);
    };
    const come = (count: number, milliseconds: number): void => {
      for (let at = 0; at < count; at++) void strangers.run("192.0.2.1", work(at, milliseconds));
    };
    return { strangers, done, come };
  };

  it("has one millisecond of ten", () => {
    const { come, done } = bench();
    come(20, 0.25);
    expect(done).toHaveLength(4);
    passes(9);
    expect(done).toHaveLength(4);
    passes(1);
    expect(done).toHaveLength(8);
    passes(10);
    expect(done).toHaveLength(12);
  });

  it("has its next turn sooner where somebody was accepted, once, and does not put it off by being many", () => {
    const { strangers, come, done } = bench();
    come(20, 1);
    expect(done).toHaveLength(1);
    for (let at = 0; at < 2; at++) {
      strangers.accept();
      vi.advanceTimersByTime(1);
    }
    expect(done).toHaveLength(2);
    passes(9);
    expect(done).toHaveLength(2);
    passes(1);
    expect(done).toHaveLength(3);
  });

  it("lets as many come in sooner as were accepted, a hundred of them at most", () => {
    const { strangers } = bench();
    expect(strangers.takeAccepted()).toBe(false);
    for (let at = 0; at < 200; at++) strangers.accept();
    let sooner = 0;
    while (strangers.takeAccepted()) sooner++;
    expect(sooner).toBe(100);
  });

  it("is read one by one, each in a turn of the event loop, as long as there is time; what it says then is for now", () => {
    const { strangers, come, done } = bench();
    come(1, 1);
    const read: number[] = [];
    for (const at of [1, 2, 3]) strangers.read("192.0.2.1", () => void read.push(at));
    expect([strangers.idle, read]).toEqual([false, []]);
    vi.advanceTimersByTime(10);
    expect(read).toEqual([1]);
    come(2, 0.25);
    expect(done).toHaveLength(3);
    vi.advanceTimersToNextTimer();
    expect(read).toEqual([1, 2]);
    come(3, 0.25);
    expect(done).toHaveLength(5);
    vi.advanceTimersToNextTimer();
    expect(read).toEqual([1, 2]);
    vi.advanceTimersByTime(10);
    expect(read).toEqual([1, 2, 3]);
    expect(done).toHaveLength(6);
  });

  it("has its messages handled together, once no socket is being read", () => {
    const { strangers, come, done } = bench();
    come(1, 1);
    strangers.read("192.0.2.1", () => {});
    come(3, 0.25);
    vi.advanceTimersByTime(10);
    vi.advanceTimersToNextTimer();
    expect(done).toHaveLength(4);
  });
});

describe("strangers' work", () => {
  it("is done at once where nobody waits, and waits for nothing", () => {
    const strangers = new Strangers();
    let done = 0;
    expect(strangers.run("192.0.2.1", () => void done++)).toBeUndefined();
    expect(done).toBe(1);
  });

  it("takes a slice of time, and the rest of it waits for the next ones", async () => {
    const strangers = new Strangers();
    const done: number[] = [];
    const all = Array.from({ length: 5 }, (_, at) =>
      strangers.run("192.0.2.1", () => {
        done.push(at);
        return busy(2);
      }),
    );
    expect(done).toEqual([0]);
    await later(3);
    expect(done.length).toBeLessThan(5);
    await Promise.all(all);
    expect(done).toEqual([0, 1, 2, 3, 4]);
  });

  it("of one address does not hold up another's", async () => {
    const strangers = new Strangers();
    const done: string[] = [];
    const run = (address: string) =>
      strangers.run(address, () => {
        done.push(address);
        return busy(2);
      });
    const all = [...Array.from({ length: 20 }, () => run("192.0.2.1")), run("198.51.100.1")];
    await Promise.all(all);
    expect(done.indexOf("198.51.100.1")).toBeLessThan(4);
  });

  it("that fails, fails where it was asked for", async () => {
    const strangers = new Strangers();
    const fault = (): undefined => {
      busy(2);
      throw new Error("fault");
    };
    expect(() => strangers.run("192.0.2.1", fault)).toThrow("fault");
    await expect(strangers.run("192.0.2.1", fault)).rejects.toThrow("fault");
  });
});
