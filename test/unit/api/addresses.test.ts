import { describe, expect, it } from "vitest";
import { Addresses, type NameServices, systemResolve } from "../../../src/api/addresses.ts";

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

describe("the machine's names", () => {
  const failing = (code: string) => (): Promise<never> => Promise.reject(Object.assign(new Error(code), { code }));
  const asked: string[] = [];
  const services = (code: string, lookup: NameServices["lookup"] = failing("ENOTFOUND")): NameServices => {
    asked.length = 0;
    const fails = failing(code);
    return {
      resolver: { resolve4: fails, resolve6: fails, resolveSrv: fails },
      lookup: (host) => {
        asked.push(host);
        return lookup(host);
      },
      hosts: () => "127.0.0.1 localhost\n192.0.2.7\tPBX.acme.example pbx # the old one\n::7 pbx\n",
    };
  };

  it.each(["ETIMEOUT", "ECONNREFUSED", "ESERVFAIL"])(
    "whose server does not answer (%s) take no thread that others need: /etc/hosts is all there is",
    async (code) => {
      const resolve = systemResolve(services(code));
      await expect(resolve("pbx.dead.example", [])).rejects.toThrow("does not answer");
      expect(await resolve("pbx.acme.example", [])).toEqual({ addresses: ["192.0.2.7"], ttl: 60 });
      expect(await resolve("PBX", ["_sip._udp.pbx"])).toEqual({ addresses: ["192.0.2.7", "::7"], ttl: 60 });
      expect(asked).toEqual([]);
    },
  );

  it("that its server does not have are asked for as the machine does, one at a time", async () => {
    const answers: (() => void)[] = [];
    const resolve = systemResolve(
      services("ENOTFOUND", () => new Promise((answer) => answers.push(() => answer([{ address: "192.0.2.9" }])))),
    );
    const both = ["one", "two"].map((name) => resolve(name, []));
    await expect.poll(() => answers.length).toBe(1);
    expect(asked).toEqual(["one"]);
    answers.shift()?.();
    await both[0];
    await expect.poll(() => answers.length).toBe(1);
    answers.shift()?.();
    expect(await Promise.all(both)).toEqual(Array(2).fill({ addresses: ["192.0.2.9"], ttl: 60 }));
  });

  it("go on after one that the machine does not know either", async () => {
    const resolve = systemResolve(services("ENODATA"));
    await expect(resolve("one", [])).rejects.toThrow("ENOTFOUND");
    await expect(resolve("two", [])).rejects.toThrow("ENOTFOUND");
    expect(asked).toEqual(["one", "two"]);
  });
});
