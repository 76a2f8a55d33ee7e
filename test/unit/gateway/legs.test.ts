import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Announcements } from "../../../src/gateway/announce.ts";
import { Chain } from "../../../src/gateway/chain.ts";
import type { ClientEnd, LegParts } from "../../../src/gateway/leg.ts";
import { Legs } from "../../../src/gateway/legs.ts";
import { customer, identity } from "../../helpers/customers.ts";

const clock = { now: () => 1_700_000_000_000 };
const chain = new Chain({ secret: "0123456789abcdef", algorithm: "sha256", ttl: 60 }, clock);
const parts = { clock, chain: () => chain } as unknown as LegParts;
const acme = identity();
const globex = identity(customer({ id: "globex", domains: ["globex.example"] }));

describe("legs that come and go", () => {
  let legs: Legs;

  beforeEach(() => {
    vi.useFakeTimers();
    legs = new Legs(new Announcements(clock));
  });
  afterEach(() => vi.useRealTimers());

  async function comeAndGo(count: number): Promise<void> {
    for (let at = 0; at < count; at++) {
      await legs.create(acme, { address: "192.0.2.1", port: 0 }, {} as ClientEnd, parts)?.end();
    }
  }

  it("are a thousand of a customer within five seconds, and there is room when those are over", async () => {
    await comeAndGo(1_000);
    expect([legs.size, legs.turnsOver("acme", 1)]).toEqual([0, false]);
    await comeAndGo(1);
    expect([legs.turnsOver("acme", 1), legs.turnsOver("acme", 1_000)]).toEqual([true, true]);
    expect(legs.turnsOver(globex.customer.id, 1)).toBe(false);
    vi.advanceTimersByTime(4_999);
    expect(legs.turnsOver("acme", 1)).toBe(true);
    vi.advanceTimersByTime(1);
    expect(legs.turnsOver("acme", 1)).toBe(false);
  });

  it("may be all that a customer may have: they come back at once where a network was gone", async () => {
    await comeAndGo(1_500);
    expect([legs.turnsOver("acme", 1_500), legs.turnsOver("acme", 1_499)]).toEqual([false, true]);
  });
});
