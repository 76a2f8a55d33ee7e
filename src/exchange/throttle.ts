import { LRUCache } from "lru-cache";
import type { Clock } from "../core/clock.ts";

const maxTracked = 20_000;

interface Bucket {
  tokens: number;
  /** Milliseconds. */
  at: number;
}

/**
 * Requests a second of an address under what it claims to be: a second's worth at once, refilled evenly. A refused one
 * costs nothing, so that who comes again when it was told to is let in. Bounded: it forgets who has not asked for longest.
 */
export class Throttle {
  readonly #clock: Clock;
  readonly #buckets: LRUCache<string, Bucket>;

  constructor(clock: Clock, max = maxTracked) {
    this.#clock = clock;
    this.#buckets = new LRUCache({ max });
  }

  /** Whether this request may go on. perSecond: 0 for no limit. */
  take(address: string, claimed: string, perSecond: number): boolean {
    if (perSecond === 0) return true;
    const key = `${address} ${claimed}`;
    const now = this.#clock.now();
    const bucket = this.#buckets.get(key) ?? { tokens: perSecond, at: now };
    const passed = Math.max(0, now - bucket.at);
    const tokens = Math.min(perSecond, bucket.tokens + (passed * perSecond) / 1000);
    this.#buckets.set(key, { tokens: tokens < 1 ? tokens : tokens - 1, at: now });
    return tokens >= 1;
  }
}
