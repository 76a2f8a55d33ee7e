import { LRUCache } from "lru-cache";
import type { Clock } from "../core/clock.ts";
import { MessageRate } from "../policy/limits.ts";

const maxTracked = 20_000;

/** Requests a second of an address under what it claims to be. Bounded: it forgets who has not asked for longest. */
export class Throttle {
  readonly #clock: Clock;
  readonly #rates: LRUCache<string, MessageRate>;

  constructor(clock: Clock, max = maxTracked) {
    this.#clock = clock;
    this.#rates = new LRUCache({ max });
  }

  /** Whether this request may go on. perSecond: 0 for no limit. */
  take(address: string, claimed: string, perSecond: number): boolean {
    if (perSecond === 0) return true;
    const key = `${address} ${claimed}`;
    let rate = this.#rates.get(key);
    if (!rate) {
      rate = new MessageRate(this.#clock);
      this.#rates.set(key, rate);
    }
    return rate.take(perSecond) === "ok";
  }
}
