import type { Clock } from "../core/clock.ts";

/** Refused INVITEs of a customer that are recorded in a minute. */
const most = 100;
const minute = 60_000;

/** Who is refused can ask again at once: what is recorded of that has a bound, for each customer by itself. */
export class Refusals {
  readonly #clock: Clock;
  readonly #counts = new Map<string, number>();
  #since = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  admits(customer: string): boolean {
    const now = this.#clock.now();
    if (now - this.#since >= minute) {
      this.#counts.clear();
      this.#since = now;
    }
    const count = (this.#counts.get(customer) ?? 0) + 1;
    this.#counts.set(customer, count);
    return count <= most;
  }
}
