/** So many at once, refilled evenly. */
export interface Rate {
  readonly burst: number;
  readonly perMinute: number;
}

/** What is left of a rate. Times are milliseconds. */
export class Bucket {
  #left: number;
  #at: number;

  constructor({ burst }: Rate, now: number) {
    this.#left = burst;
    this.#at = now;
  }

  /** Milliseconds until so many may pass; 0: now. */
  wait(count: number, rate: Rate, now: number): number {
    this.#refill(rate, now);
    return Math.max(0, ((count - this.#left) * 60_000) / rate.perMinute);
  }

  take(count: number, rate: Rate, now: number): void {
    this.#refill(rate, now);
    this.#left -= count;
  }

  /** The rate may be another one than before; a clock that was set back gives nothing. */
  #refill({ burst, perMinute }: Rate, now: number): void {
    const passed = Math.max(0, now - this.#at);
    this.#left = Math.min(burst, this.#left + (passed * perMinute) / 60_000);
    this.#at = Math.max(this.#at, now);
  }
}
