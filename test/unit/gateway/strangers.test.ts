import { setTimeout as later } from "node:timers/promises";
import { describe, expect, it } from "vitest";
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
