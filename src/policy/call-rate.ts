import type { Clock } from "../core/clock.ts";

/** Milliseconds. */
const slot = 5_000;
/** Of a minute, and the one that has begun. */
const slots = 13;

interface Count {
  /** Of the newest slot, counted from the epoch. */
  at: number;
  /** The newest first. */
  readonly calls: number[];
}

/**
 * How many calls each customer has begun: never more than the limit within any minute, by slots of five seconds, so that
 * one may be refused up to five seconds too long. Who has begun none for a minute is forgotten.
 */
export class CallRate {
  readonly #clock: Clock;
  /** By customer; who called last is last. */
  readonly #counts = new Map<string, Count>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#counts.size;
  }

  /** Whether one more call is within the limit; it counts then. perMinute: 0 for no limit. */
  take(customer: string, perMinute: number): boolean {
    if (perMinute === 0) return true;
    const now = Math.floor(this.#clock.now() / slot);
    this.#forget(now);
    const count = this.#counts.get(customer) ?? { at: now, calls: Array<number>(slots).fill(0) };
    advance(count, now);
    const begun = count.calls.reduce((sum, calls) => sum + calls, 0);
    if (begun >= perMinute) return false;
    count.calls[0]! += 1;
    this.#counts.delete(customer);
    this.#counts.set(customer, count);
    return true;
  }

  #forget(now: number): void {
    for (const [customer, { at }] of this.#counts) {
      if (at > now - slots) return;
      this.#counts.delete(customer);
    }
  }
}

/** A clock that was set back does not empty it. */
function advance(count: Count, now: number): void {
  const passed = Math.min(slots, Math.max(0, now - count.at));
  for (let at = 0; at < passed; at++) {
    count.calls.pop();
    count.calls.unshift(0);
  }
  count.at = Math.max(count.at, now);
}
