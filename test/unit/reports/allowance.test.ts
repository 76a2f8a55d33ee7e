import { describe, expect, it } from "vitest";
import { Allowance, type Allowed, type Kind } from "../../../src/reports/allowance.ts";
import type { Reporter } from "../../../src/reports/permit.ts";
import { customer, limits } from "../../helpers/customers.ts";
import { StandingClock } from "../../helpers/exchange.ts";

const proved = { user: "alice", domain: "acme.example", narrowing: {} };
const by = (changes: Partial<Reporter> = {}, calls = 100): Reporter => ({
  ...{ customer: customer({ limits: limits({ calls }) }), address: "192.0.2.1", proved },
  ...changes,
});
const unproved = (changes: Partial<Reporter> = {}, calls?: number): Reporter => {
  const { proved: _none, ...rest } = by(changes, calls);
  return rest;
};
const codeOf = (allowed: Allowed): string => (allowed.kind === "allowed" ? "allowed" : allowed.refusal.code);
const start = () => {
  const clock = new StandingClock();
  return { clock, allowance: new Allowance(clock) };
};
const times = (count: number, name: string): string[] => Array.from({ length: count }, () => name);
const address = (at: number): string => `10.${(at >> 16) & 255}.${(at >> 8) & 255}.${at & 255}`;

describe("what may be told of a call", () => {
  it.each([
    ["event", 120, 60, 200],
    ["stats", 60, 60, 10_000],
  ] as const)("is so many of %s at once, in a minute and in all", (kind, burst, perMinute, inAll) => {
    const { clock, allowance } = start();
    for (let at = 0; at < burst; at++) expect(codeOf(allowance.take(by(), kind, ["c"]))).toBe("allowed");
    const refused = allowance.take(by(), kind, ["c"]);
    expect(refused).toMatchObject({ refusal: { code: "rate-limited" }, retryAfter: 1 });
    expect(codeOf(allowance.take(by(), kind, ["another"]))).toBe("allowed");
    let taken: number = burst;
    for (; taken < inAll; taken++) {
      clock.ms += 60_000 / perMinute;
      expect(codeOf(allowance.take(by(), kind, ["c"])), String(taken)).toBe("allowed");
    }
    clock.ms += 60_000;
    expect(allowance.take(by(), kind, ["c"])).toMatchObject({ refusal: { code: "limit-reached" }, retryAfter: 600 });
  });

  it("is forgotten when nothing was told for ten minutes", () => {
    const { clock, allowance } = start();
    expect(codeOf(allowance.take(by(), "event", times(100, "c")))).toBe("allowed");
    expect(allowance.size).toBe(1);
    clock.ms += 600_000;
    expect(codeOf(allowance.take(by(), "event", ["d"]))).toBe("allowed");
    expect(allowance.size).toBe(1);
  });

  it("is forgotten while others of its customer are told of, and with its customer", () => {
    const { clock, allowance } = start();
    for (const [minutes, name, size] of [
      [0, "c", 1],
      [5, "d", 2],
      [5, "d", 1],
    ] as const) {
      clock.ms += minutes * 60_000;
      expect(codeOf(allowance.take(by(), "event", [name]))).toBe("allowed");
      expect(allowance.size).toBe(size);
    }
    clock.ms += 600_000;
    expect(codeOf(allowance.take(by({ customer: customer({ id: "globex" }) }), "event", ["e"]))).toBe("allowed");
    expect(allowance.size).toBe(1);
  });

  it("is remembered as long as it is told of, whichever was told of first, and of whichever customer", () => {
    const { clock, allowance } = start();
    const globex = by({ customer: customer({ id: "globex" }) });
    for (const [minutes, who, name, size] of [
      [0, by(), "c", 1],
      [0, by(), "d", 2],
      [0, globex, "e", 3],
      [5, by(), "c", 3],
      [5, by(), "f", 2],
    ] as const) {
      clock.ms += minutes * 60_000;
      expect(codeOf(allowance.take(who, "event", [name]))).toBe("allowed");
      expect(allowance.size, name).toBe(size);
    }
  });

  it("is a batch whole or not at all", () => {
    const { allowance } = start();
    expect(codeOf(allowance.take(by(), "event", times(100, "c")))).toBe("allowed");
    expect(codeOf(allowance.take(by(), "event", [...times(21, "c"), "d"]))).toBe("rate-limited");
    expect(codeOf(allowance.take(by(), "event", times(20, "c")))).toBe("allowed");
    expect(allowance.size).toBe(1);
  });
});

describe("what all of a customer may tell", () => {
  /** Until the first refusal, each of another conference. */
  function until(allowance: Allowance, reporter: (at: number) => Reporter, kind: Kind): number {
    for (let at = 0; at < 100_000; at++) {
      if (allowance.take(reporter(at), kind, [`c${at % 50}`]).kind === "refused") return at;
    }
    throw new Error("never refused");
  }

  it("goes by its calls, and half of that by one address", () => {
    const from = (at: number): Reporter => by({ address: address(at) });
    expect([until(start().allowance, from, "event"), until(start().allowance, from, "stats")]).toEqual([2000, 2400]);
    expect(until(start().allowance, () => by(), "event")).toBe(1000);
    const unlimited = (at: number): Reporter => by({ address: address(at) }, 0);
    const { allowance } = start();
    expect(
      Array.from({ length: 5_000 }, (_, at) => codeOf(allowance.take(unlimited(at), "event", [`c${at}`]))),
    ).not.toContain("rate-limited");
  });

  it("is one address's where IPv6 gives it many", () => {
    expect(until(start().allowance, (at) => by({ address: `2001:db8::${at.toString(16)}` }), "event")).toBe(1000);
  });

  it("is a tenth of that without a token, apart from what has one", () => {
    const { allowance } = start();
    const few = until(allowance, (at) => unproved({ address: address(at) }), "event");
    expect(few).toBe(200);
    expect(codeOf(allowance.take(by(), "event", ["c1"]))).toBe("allowed");
  });

  it("is no other customer's", () => {
    const { allowance } = start();
    until(allowance, (at) => by({ address: address(at) }), "event");
    const globex = by({ customer: customer({ id: "globex" }) });
    expect(codeOf(allowance.take(globex, "event", ["c1"]))).toBe("allowed");
  });
});

describe("a million events", () => {
  it("are refused but for a few, and take no memory", () => {
    const { clock, allowance } = start();
    const few = by({ customer: customer({ limits: limits({ calls: 10 }) }) });
    const counts: Record<string, number> = {};
    for (let at = 0; at < 1_000_000; at++) {
      clock.ms += 0.1;
      const code = codeOf(allowance.take({ ...few, address: address(at) }, "event", [`invented-${at}`]));
      counts[code] = (counts[code] ?? 0) + 1;
    }
    // 200 of each minute, and as many at once.
    expect(counts.allowed).toBeLessThan(700);
    expect(allowance.size).toBeLessThanOrEqual(300);
  });

  it("are of so many conferences of all together", () => {
    const allowance = new Allowance(new StandingClock(), 3);
    const two = by({ customer: customer({ id: "globex" }) });
    const codes = [by(), two, by(), two, by()].map((one, at) => codeOf(allowance.take(one, "stats", [`c${at}`])));
    expect(codes).toEqual(["allowed", "allowed", "allowed", "limit-reached", "limit-reached"]);
    expect(codeOf(allowance.take(two, "stats", ["c1"]))).toBe("allowed");
  });

  it("are of so many conferences of one customer", () => {
    const { clock, allowance } = start();
    const most = by({}, 0);
    for (let at = 0; at < 12_000; at++) {
      clock.ms += 10;
      allowance.take({ ...most, address: address(at) }, "stats", [`c${at}`]);
    }
    expect(allowance.size).toBe(5_000);
    expect(allowance.take({ ...most, address: "192.0.2.77" }, "stats", ["one more"])).toMatchObject({
      refusal: { code: "limit-reached" },
      retryAfter: 60,
    });
  });

  it.each([
    ["without a token of a tenth", (at: number) => unproved({ address: address(at) }, 0), 500],
    [
      "where IPv6 gives one many addresses, of half",
      (at: number) => by({ address: `2001:db8::${at.toString(16)}` }, 0),
      2_500,
    ],
  ])("are, %s of them", (_who, from, most) => {
    const { clock, allowance } = start();
    for (let at = 0; at < 3_000; at++) {
      clock.ms += 50;
      allowance.take(from(at), "stats", [`c${at}`]);
    }
    expect(allowance.size).toBe(most);
  });

  it("are of half of them at most where one address makes them up, and nobody is kept from telling of a call", () => {
    const { clock, allowance } = start();
    const invent = () => {
      for (let at = 0; at < 60; at++) {
        clock.ms += 1_000;
        const names = Array.from({ length: 100 }, (_, each) => `c${clock.ms}-${each}`);
        allowance.take(by({}, 0), "event", names);
      }
      return allowance.size;
    };
    expect(invent()).toBe(2_500);
    expect(codeOf(allowance.take(by({}, 0), "event", ["c"]))).toBe("limit-reached");
    const another = by({ address: "192.0.2.77" }, 0);
    expect(codeOf(allowance.take(another, "event", ["c"]))).toBe("allowed");
    for (let minute = 0; minute < 10; minute++) {
      clock.ms += 60_000;
      expect(codeOf(allowance.take(another, "event", ["c"]))).toBe("allowed");
    }
    expect(invent()).toBe(2_501);
  });

  it("are no more for an address some of whose are forgotten", () => {
    const { clock, allowance } = start();
    const take = (name: string) => codeOf(allowance.take(by({}, 1), "stats", [name]));
    expect(take("first")).toBe("allowed");
    clock.ms += 300_000;
    for (let at = 1; at < 50; at++) expect(take(`c${at}`), `c${at}`).toBe("allowed");
    expect(take("c50")).toBe("limit-reached");
    clock.ms += 300_000;
    expect([take("c51"), take("c52")]).toEqual(["allowed", "limit-reached"]);
  });
});

describe("addresses of a customer", () => {
  it("are a thousand that are remembered: what the one that told least lately has used up is forgotten", () => {
    const { allowance } = start();
    const tell = (at: number, name: string): string =>
      codeOf(allowance.take(by({ address: address(at) }, 0), "stats", times(60, name)));
    let told = 0;
    while (tell(0, `first ${told}`) === "allowed") told++;
    expect(told).toBe(200);
    for (let at = 1; at < 1_000; at++) allowance.take(by({ address: address(at) }, 0), "stats", ["another"]);
    expect(tell(0, "again")).toBe("rate-limited");
    for (let at = 1; at <= 1_000; at++) allowance.take(by({ address: address(at) }, 0), "event", ["another"]);
    expect(tell(0, "again")).toBe("allowed");
  });
});
