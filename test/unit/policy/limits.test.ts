import { beforeEach, describe, expect, it } from "vitest";
import { customerName, domainName } from "../../../src/core/counted.ts";
import { Failures, MessageRate } from "../../../src/policy/limits.ts";
import { MemoryState } from "../../../src/state/memory.ts";
import type { State } from "../../../src/state/port.ts";

let now = 0;
const clock = { now: () => now };
beforeEach(() => {
  now = 1_700_000_000_000;
});

describe("MessageRate", () => {
  const takeMany = (rate: MessageRate, count: number): string[] => Array.from({ length: count }, () => rate.take(10));

  it("lets a second's worth pass at once, refuses a further one, and calls more a flood", () => {
    const rate = new MessageRate(clock);
    expect(takeMany(rate, 10)).toEqual(Array(10).fill("ok"));
    expect(takeMany(rate, 10)).toEqual(Array(10).fill("over"));
    expect(rate.take(10)).toBe("flood");
  });

  it("refills evenly, up to a second's worth", () => {
    const rate = new MessageRate(clock);
    takeMany(rate, 10);
    now += 300;
    expect(takeMany(rate, 4)).toEqual(["ok", "ok", "ok", "over"]);
    now += 3_600_000;
    expect(takeMany(rate, 11)).toEqual([...Array(10).fill("ok"), "over"]);
  });

  it("has no limit at 0", () => {
    const rate = new MessageRate(clock);
    for (let i = 0; i < 10_000; i++) expect(rate.take(0)).toBe("ok");
  });

  it("takes nothing away where the clock is set back", () => {
    const rate = new MessageRate(clock);
    rate.take(10);
    now -= 3_600_000;
    expect(takeMany(rate, 9)).toEqual(Array(9).fill("ok"));
    now += 100;
    expect(rate.take(10)).toBe("ok");
  });
});

describe("Failures", () => {
  const open = (): Failures => new Failures(new MemoryState(clock), clock, "public");
  const acme = [domainName("acme.example")];
  const globex = [domainName("globex.example")];

  it("are over at the limit, for that address and domain alone, until a minute after the first", () => {
    const failures = open();
    for (let i = 0; i < 3; i++) {
      expect(failures.isOver("192.0.2.1", acme, 3)).toBe(false);
      failures.add("192.0.2.1", acme, 3);
      now += 10_000;
    }
    expect(failures.isOver("192.0.2.1", acme, 3)).toBe(true);
    expect(failures.isOver("192.0.2.1", acme, 0)).toBe(false);
    expect(failures.isOver("192.0.2.2", acme, 3)).toBe(false);
    expect(failures.isOver("192.0.2.1", globex, 3)).toBe(false);
    now += 29_999;
    expect(failures.isOver("192.0.2.1", acme, 3)).toBe(true);
    now += 1;
    expect(failures.isOver("192.0.2.1", acme, 3)).toBe(false);
    failures.add("192.0.2.1", acme, 2);
    expect(failures.isOver("192.0.2.1", acme, 2)).toBe(false);
    failures.add("192.0.2.1", acme, 2);
    expect(failures.isOver("192.0.2.1", acme, 2)).toBe(true);
  });

  it("that come after the limit neither lengthen nor shorten the ban", () => {
    const failures = open();
    for (let i = 0; i < 5; i++) failures.add("192.0.2.1", acme, 3);
    now += 50_000;
    failures.add("192.0.2.1", acme, 3);
    now += 9999;
    expect(failures.isOver("192.0.2.1", acme, 3)).toBe(true);
    now += 1;
    expect(failures.isOver("192.0.2.1", acme, 3)).toBe(false);
  });

  it("follow a limit that was raised meanwhile, and begin to count when there is one", () => {
    const failures = open();
    failures.add("192.0.2.1", acme, 0);
    failures.add("192.0.2.1", acme, 1);
    expect(failures.isOver("192.0.2.1", acme, 1)).toBe(true);
    expect(failures.isOver("192.0.2.1", acme, 2)).toBe(false);
    failures.add("192.0.2.1", acme, 2);
    expect(failures.isOver("192.0.2.1", acme, 2)).toBe(true);
  });

  it("are bounded: the longest unheard are forgotten", () => {
    const failures = open();
    failures.add("192.0.2.1", acme, 1);
    for (let i = 0; i < 20_000; i++) failures.add(`10.0.${i >> 8}.${i & 255}`, acme, 1);
    expect(failures.isOver("192.0.2.1", acme, 1)).toBe(false);
    expect(failures.isOver("10.0.0.0", acme, 1)).toBe(true);
  });

  it("are over under each of the names that a claim has", () => {
    const failures = open();
    for (let i = 0; i < 3; i++) failures.add("192.0.2.1", [customerName(`x${i}`), ...acme], 3);
    expect(failures.isOver("192.0.2.1", [customerName("x9"), ...acme], 3)).toBe(true);
    expect(failures.isOver("192.0.2.1", [customerName("x0")], 3)).toBe(false);
    expect(failures.isOver("192.0.2.1", [customerName("x0"), ...globex], 3)).toBe(false);
  });

  it("are over under any name at ten times the limit, so that made-up names hide no address", () => {
    const failures = open();
    for (let i = 0; i < 29; i++) failures.add("192.0.2.1", [domainName(`d${i}.example`)], 3);
    expect(failures.isOver("192.0.2.1", acme, 3)).toBe(false);
    failures.add("192.0.2.1", ["unnamed"], 3);
    expect(failures.isOver("192.0.2.1", acme, 3)).toBe(true);
    expect(failures.isOver("192.0.2.2", acme, 3)).toBe(false);
  });

  it("of a /64 of IPv6 are those of one address, however it is written", () => {
    const failures = open();
    for (const address of ["2001:db8:1:2::1", "2001:DB8:1:2::2", "2001:db8:1:2:3:4:5:6"])
      failures.add(address, acme, 3);
    expect(failures.isOver("2001:db8:1:2::9", acme, 3)).toBe(true);
    expect(failures.isOver("2001:db8:1:3::1", acme, 3)).toBe(false);
  });

  it("at the public port keep nobody out of the private one", () => {
    const state = new MemoryState(clock);
    const [strangers, managers] = (["public", "private"] as const).map((port) => new Failures(state, clock, port));
    for (let i = 0; i < 30; i++) strangers?.add("127.0.0.1", ["management"], 3);
    expect(strangers?.isOver("127.0.0.1", ["management"], 3)).toBe(true);
    expect(managers?.isOver("127.0.0.1", ["management"], 3)).toBe(false);
  });

  it("of many at once are all counted, where the state is elsewhere and answers later", async () => {
    const failures = new Failures(distant(new MemoryState(clock)), clock, "public");
    await Promise.all(Array.from({ length: 3 }, () => failures.add("192.0.2.1", acme, 4)));
    expect(await failures.isOver("192.0.2.1", acme, 4)).toBe(false);
    await failures.add("192.0.2.1", acme, 4);
    expect(await failures.isOver("192.0.2.1", acme, 4)).toBe(true);
  });

  it("reject where the state fails: nobody is let through by chance", async () => {
    const broken = distant(new MemoryState(clock), new Error("the state is gone"));
    const failures = new Failures(broken, clock, "public");
    await expect(failures.add("192.0.2.1", acme, 1)).rejects.toThrow("the state is gone");
    await expect(failures.isOver("192.0.2.1", acme, 1)).rejects.toThrow("the state is gone");
  });
});

/** The same state on another machine, or what is left of it. */
function distant(near: State, fault?: Error): State {
  const later = async <T>(answer: () => T): Promise<Awaited<T>> => {
    await new Promise(setImmediate);
    if (fault) throw fault;
    return await answer();
  };
  return {
    claim: (...asked) => later(() => near.claim(...asked)),
    get: (...asked) => later(() => near.get(...asked)),
    put: (...asked) => later(() => near.put(...asked)),
    add: (...asked) => later(() => near.add(...asked)),
    forget: (...asked) => later(() => near.forget(...asked)),
    close: () => near.close(),
  };
}
