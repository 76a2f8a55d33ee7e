import { LRUCache } from "lru-cache";
import type { Clock } from "../core/clock.ts";

/** Failures in a row of an address after which it has the service asked no more for a while. */
const mostFailures = 5;
/** Milliseconds: that while, and how long the one that looks again may take. */
const [pause, probing] = [10_000, 6_000];
/** Addresses that failed in a row after which a service is asked by a few at once. */
const mostAskers = 5;
const [mostServices, mostRows] = [10_000, 10_000];

/** Of one address at one service. */
interface Row {
  readonly failures: number;
  /** Milliseconds since the epoch, where it is not to ask. */
  readonly until: number;
}

/**
 * Services that fail again and again. Whoever asks may be why: what he sends may be what a service cannot take. So who
 * fails is left alone for ten seconds, then one request of his looks again; others are not kept out by it. Where many
 * addresses fail in a row and none is answered, it is the service. Of so many are both remembered; it forgets who failed
 * the longest ago.
 */
export class Circuits {
  readonly #clock: Clock;
  readonly #rows = new LRUCache<string, Row>({ max: mostRows });
  /** By customer: the addresses that failed since it answered. */
  readonly #failing = new LRUCache<string, readonly string[]>({ max: mostServices });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether its service fails whoever asks. */
  isFailing(customer: string): boolean {
    return (this.#failing.get(customer)?.length ?? 0) >= mostAskers;
  }

  /** Seconds until this address may have the customer's service asked; 0: now, and whoever is told so tells what came of it. */
  enter(customer: string, address: string): number {
    const key = rowOf(customer, address);
    const row = this.#rows.get(key);
    const now = this.#clock.now();
    if (!row || row.failures < mostFailures) return 0;
    if (now < row.until) return Math.ceil((row.until - now) / 1000);
    this.#rows.set(key, { ...row, until: now + probing });
    return 0;
  }

  /** Whether that is news: the first failure of a service, or the end of them. */
  leave(customer: string, address: string, well: boolean): boolean {
    const key = rowOf(customer, address);
    if (well) {
      this.#rows.delete(key);
      return this.#failing.delete(customer);
    }
    const failures = (this.#rows.get(key)?.failures ?? 0) + 1;
    this.#rows.set(key, { failures, until: this.#clock.now() + pause });
    const askers = this.#failing.get(customer) ?? [];
    const isKnown = askers.includes(address) || askers.length >= mostAskers;
    this.#failing.set(customer, isKnown ? askers : [...askers, address]);
    return askers.length === 0;
  }
}

/** A customer's id has no space. */
const rowOf = (customer: string, address: string): string => `${customer} ${address}`;
