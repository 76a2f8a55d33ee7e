import { LRUCache } from "lru-cache";
import type { Clock } from "../core/clock.ts";

/** Failures in a row after which a service is asked no more for a while. */
const mostFailures = 5;
/** Milliseconds: that while, and how long the one that looks again may take. */
const [pause, probing] = [10_000, 6_000];
const mostServices = 10_000;

interface Service {
  readonly failures: number;
  /** Milliseconds since the epoch, of a service that is not asked. */
  readonly until: number;
}

/**
 * Services that fail again and again are left alone for ten seconds; then one request looks whether they are well. Of so
 * many customers; it forgets whose failed the longest ago.
 */
export class Circuits {
  readonly #clock: Clock;
  readonly #failing = new LRUCache<string, Service>({ max: mostServices });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Seconds until the customer's service may be asked; 0: now, and whoever is told so tells what came of it. */
  enter(customer: string): number {
    const service = this.#failing.get(customer);
    const now = this.#clock.now();
    if (!service || service.failures < mostFailures) return 0;
    if (now < service.until) return Math.ceil((service.until - now) / 1000);
    this.#failing.set(customer, { ...service, until: now + probing });
    return 0;
  }

  /** Whether that is news: the first failure of a row, or the end of one. */
  leave(customer: string, well: boolean): boolean {
    const service = this.#failing.get(customer);
    if (well) return this.#failing.delete(customer);
    const failures = (service?.failures ?? 0) + 1;
    this.#failing.set(customer, { failures, until: this.#clock.now() + pause });
    return failures === 1;
  }
}
