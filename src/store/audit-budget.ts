import { LRUCache } from "lru-cache";
import type { Clock } from "../core/clock.ts";

/** Entries that a customer's own keys make in a day: the audit keeps them all. */
const perDay = 2_000;
/** Customers that are remembered. */
const mostCustomers = 20_000;
const day = 86_400_000;

/** How much a customer's own keys may add to the audit. */
export class AuditBudget {
  readonly #clock: Clock;
  readonly #spent = new LRUCache<string, { readonly since: number; readonly count: number }>({ max: mostCustomers });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** False where nothing is left for now. */
  take(customer: string): boolean {
    const now = this.#clock.now();
    const before = this.#spent.get(customer);
    const { since, count } = before && now < before.since + day ? before : { since: now, count: 0 };
    if (count >= perDay) return false;
    this.#spent.set(customer, { since, count: count + 1 });
    return true;
  }

  /** What was taken was not needed. */
  giveBack(customer: string): void {
    const spent = this.#spent.get(customer);
    if (spent) this.#spent.set(customer, { ...spent, count: Math.max(0, spent.count - 1) });
  }
}
