import { describe, expect, it } from "vitest";
import { Turns } from "../../../src/core/turns.ts";

const crowded = (): never => {
  throw new Error("too many wait");
};

describe("turns", () => {
  it("give what waits for nothing at once, and what it throws", () => {
    const turns = new Turns(1, 10);
    expect(turns.run("a", () => 1, crowded)).toBe(1);
    const fails = (): number => {
      throw new Error("a fault");
    };
    expect(() => turns.run("a", fails, crowded)).toThrow("a fault");
    expect(turns.run("a", () => 2, crowded)).toBe(2);
  });

  it("are so many at once under a key, the rest in order, under another key not at all", async () => {
    const turns = new Turns(2, 10);
    const begun: number[] = [];
    const ends: (() => void)[] = [];
    const work = (at: number) => () => {
      begun.push(at);
      return new Promise<number>((resolve) => ends.push(() => resolve(at)));
    };
    const all = [0, 1, 2, 3].map((at) => turns.run("a", work(at), crowded));
    expect(begun).toEqual([0, 1]);
    expect(turns.run("b", () => "at once", crowded)).toBe("at once");
    for (const at of [0, 1, 2, 3]) {
      ends[at]?.();
      expect(await all[at]).toBe(at);
      await new Promise(setImmediate);
    }
    expect(begun).toEqual([0, 1, 2, 3]);
    expect(turns.run("a", () => "free again", crowded)).toBe("free again");
  });

  it("pass on to the next when a work rejects or throws", async () => {
    const turns = new Turns(1, 10);
    const first = turns.run("a", () => Promise.reject(new Error("rejected")), crowded);
    const thrown = (): never => {
      throw new Error("thrown");
    };
    const second = turns.run("a", thrown, crowded);
    const third = turns.run("a", () => "done", crowded);
    await expect(first).rejects.toThrow("rejected");
    await expect(second).rejects.toThrow("thrown");
    expect(await third).toBe("done");
  });

  it("are waited for by so many only: the others are told at once, and there is room again", async () => {
    const turns = new Turns(1, 2);
    const { promise, resolve } = Promise.withResolvers<void>();
    const all = ["under way", "first", "second", "third"].map((name) =>
      turns.run(
        "a",
        () => promise.then(() => name),
        () => `${name}: too many`,
      ),
    );
    expect(all[3]).toBe("third: too many");
    expect(turns.run("b", () => "another's", crowded)).toBe("another's");
    resolve();
    expect(await Promise.all(all.slice(0, 3))).toEqual(["under way", "first", "second"]);
    expect(turns.run("a", () => "room again", crowded)).toBe("room again");
  });
});
