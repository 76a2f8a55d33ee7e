import { describe, expect, it } from "vitest";
import { Addresses } from "../../../src/api/addresses.ts";

describe("a name whose DNS is dead", () => {
  it("is asked for once in five seconds, and then again", async () => {
    let [now, asked] = [1_000_000, 0];
    const resolve = (): Promise<never> => {
      asked++;
      return Promise.reject(new Error("SERVFAIL"));
    };
    const addresses = new Addresses({ clock: { now: () => now }, resolve });
    for (let at = 0; at < 5; at++) expect(await addresses.has("pbx.acme.example", "192.0.2.1")).toBeUndefined();
    expect(asked).toBe(1);
    now += 5_000;
    await addresses.has("pbx.acme.example", "192.0.2.1");
    expect(asked).toBe(2);
  });
});

describe("names that are asked for", () => {
  const clock = { now: () => 1_000_000 };

  it("are 10,000 at once at most: a further one cannot be told, and there is room when one is answered", async () => {
    const answers: (() => void)[] = [];
    const resolve = (): Promise<{ addresses: string[]; ttl: number }> =>
      new Promise((answer) => answers.push(() => answer({ addresses: ["192.0.2.1"], ttl: 60 })));
    const addresses = new Addresses({ clock, resolve, patience: 60_000 });
    const all = Array.from({ length: 10_000 }, (_, at) => addresses.has(`h${at}.example`, "192.0.2.1"));
    await expect.poll(() => answers.length).toBe(10_000);
    expect(await addresses.has("another.example", "192.0.2.1")).toBeUndefined();
    expect(answers).toHaveLength(10_000);
    for (const answer of answers.splice(0)) answer();
    expect(new Set(await Promise.all(all))).toEqual(new Set([true]));
    const last = addresses.has("another.example", "192.0.2.1");
    answers[0]?.();
    expect(await last).toBe(true);
  });

  it("are remembered of 10,000: the least asked for is asked for again", async () => {
    let asked = 0;
    const resolve = async (): Promise<{ addresses: string[]; ttl: number }> => {
      asked++;
      return { addresses: ["192.0.2.1"], ttl: 60 };
    };
    const addresses = new Addresses({ clock, resolve });
    for (let at = 0; at <= 10_000; at++) await addresses.has(`h${at}.example`, "192.0.2.1");
    expect(asked).toBe(10_001);
    await addresses.has("h10000.example", "192.0.2.1");
    expect(asked).toBe(10_001);
    await addresses.has("h0.example", "192.0.2.1");
    expect(asked).toBe(10_002);
  });

  it("are waited for a second", async () => {
    const addresses = new Addresses({ clock, resolve: () => new Promise(() => {}) });
    const began = performance.now();
    expect(await addresses.has("silent.example", "192.0.2.1")).toBeUndefined();
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(performance.now() - began).toBeLessThan(3_000);
  });
});
