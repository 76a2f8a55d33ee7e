import { LRUCache } from "lru-cache";
import type { Clock } from "../core/clock.ts";

/** How many messages a connection may send: a second's worth at once, refilled evenly. */
export class MessageRate {
  readonly #clock: Clock;
  #tokens: number | undefined;
  #at = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** perSecond: 0 for no limit. `flood`: a whole further second's worth above the limit. */
  take(perSecond: number): "ok" | "over" | "flood" {
    if (perSecond === 0) return "ok";
    const now = this.#clock.now();
    const passed = Math.max(0, now - this.#at);
    const tokens = Math.min(perSecond, (this.#tokens ?? perSecond) + (passed * perSecond) / 1000);
    this.#at = now;
    this.#tokens = tokens - 1;
    if (tokens >= 1) return "ok";
    return tokens > -perSecond ? "over" : "flood";
  }
}

const maxTracked = 20_000;
const minute = 60_000;

/** Failed proofs per address and claimed domain within a minute. Bounded; a challenge is no failure. */
export class Failures {
  readonly #clock: Clock;
  readonly #counts = new LRUCache<string, { since: number; count: number }>({ max: maxTracked });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** perMinute: 0 for no limit. */
  isOver(address: string, domain: string, perMinute: number): boolean {
    return perMinute > 0 && (this.#current(address, domain)?.count ?? 0) >= perMinute;
  }

  add(address: string, domain: string): void {
    const known = this.#current(address, domain);
    if (known) known.count++;
    else this.#counts.set(`${address} ${domain}`, { since: this.#clock.now(), count: 1 });
  }

  #current(address: string, domain: string): { since: number; count: number } | undefined {
    const known = this.#counts.get(`${address} ${domain}`);
    return known && this.#clock.now() - known.since < minute ? known : undefined;
  }
}
