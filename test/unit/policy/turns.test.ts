import { describe, expect, it } from "vitest";
import { Turns } from "../../../src/policy/turns.ts";

describe("turns", () => {
  it("give what waits for nothing at once, and what it throws", () => {
    const turns = new Turns(1);
    expect(turns.run("a", () => 1)).toBe(1);
    const fails = (): number => {
      throw new Error("a fault");
    };
    expect(() => turns.run("a", fails)).toThrow("a fault");
    expect(turns.run("a", () => 2)).toBe(2);
  });

  it("are so many at once under a key, the rest in order, under another key not at all", async () => {
    const turns = new Turns(2);
    const begun: number[] = [];
    const ends: (() => void)[] = [];
    const work = (at: number) => () => {
      begun.push(at);
      return new Promise<number>((resolve) => ends.push(() => resolve(at)));
    };
    const all = [0, 1, 2, 3].map((at) => turns.run("a", work(at)));
    expect(begun).toEqual([0, 1]);
    expect(turns.run("b", () => "at once")).toBe("at once");
    for (const at of [0, 1, 2, 3]) {
      ends[at]?.();
      expect(await all[at]).toBe(at);
      await new Promise(setImmediate);
    }
    expect(begun).toEqual([0, 1, 2, 3]);
    expect(turns.run("a", () => "free again")).toBe("free again");
  });

  it("pass on to the next when a work rejects or throws", async () => {
    const turns = new Turns(1);
    const first = turns.run("a", () => Promise.reject(new Error("rejected")));
    const second = turns.run("a", () => {
      throw new Error("thrown");
    });
    const third = turns.run("a", () => "done");
    await expect(first).rejects.toThrow("rejected");
    await expect(second).rejects.toThrow("thrown");
    expect(await third).toBe("done");
  });
});
