import { LRUCache } from "lru-cache";
import type { Clock } from "../core/clock.ts";
import { addressKey, type CountedName } from "../core/counted.ts";

const maxTracked = 20_000;

interface Bucket {
  tokens: number;
  /** Milliseconds. */
  at: number;
}

/**
 * Requests a second of an address under whom it claims to be: a second's worth at once, refilled evenly. A refused one
 * costs nothing, so that who comes again when it was told to is let in. Bounded: it forgets who has not asked for longest.
 */
export class Throttle {
  readonly #clock: Clock;
  readonly #buckets: LRUCache<string, Bucket>;

  constructor(clock: Clock, max = maxTracked) {
    this.#clock = clock;
    this.#buckets = new LRUCache({ max });
  }

  /** Whether this request may go on: under every one of the names. perSecond: 0 for no limit. */
  take(address: string, claimed: readonly CountedName[], perSecond: number): boolean {
    if (perSecond === 0) return true;
    const at = this.#clock.now();
    const from = addressKey(address);
    const found = [...new Set(claimed)].map((name) => ({
      key: `${from} ${name}`,
      tokens: this.#left(`${from} ${name}`, perSecond),
    }));
    const enough = found.every(({ tokens }) => tokens >= 1);
    for (const { key, tokens } of found) this.#buckets.set(key, { tokens: enough ? tokens - 1 : tokens, at });
    return enough;
  }

  #left(key: string, perSecond: number): number {
    const { tokens, at } = this.#buckets.get(key) ?? { tokens: perSecond, at: 0 };
    const passed = Math.max(0, this.#clock.now() - at);
    return Math.min(perSecond, tokens + (passed * perSecond) / 1000);
  }
}
