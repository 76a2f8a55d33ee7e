import { LRUCache } from "lru-cache";
import type { Clock } from "../core/clock.ts";
import type { JwtAlgorithm } from "../core/identity.ts";

/** Checks of signatures that one customer's new tokens may cost at once, and each second from then on. */
const shareAtOnce = 1_000;
const sharePerSecond = 250;
/** Customers of whom that is remembered. */
const maxCustomers = 20_000;

/** How many checks of P-256, some 240 µs, one of these costs about; RSA is for the longest keys that are taken. */
const costs: Partial<Readonly<Record<JwtAlgorithm, number>>> = { ES384: 4, ES512: 6 };
const rsaCost = 2;

interface Bucket {
  left: number;
  /** Milliseconds. */
  at: number;
}

/**
 * What the new tokens of each customer may cost: who signs ever others without end uses up its own part of the machine, not its
 * neighbours'. Only what was proved is counted, so that no stranger uses it up; a token that was proved before costs nothing.
 */
export class ProofShare {
  readonly #clock: Clock;
  readonly #buckets: LRUCache<string, Bucket>;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#buckets = new LRUCache({ max: maxCustomers });
  }

  isUsedUp(customer: string): boolean {
    return this.#left(customer) < 0;
  }

  proved(customer: string, alg: JwtAlgorithm): void {
    const cost = costs[alg] ?? (/^[RP]S/.test(alg) ? rsaCost : 1);
    this.#buckets.set(customer, { left: this.#left(customer) - cost, at: this.#clock.now() });
  }

  #left(customer: string): number {
    const now = this.#clock.now();
    const { left, at } = this.#buckets.get(customer) ?? { left: shareAtOnce, at: now };
    return Math.min(shareAtOnce, left + (Math.max(0, now - at) * sharePerSecond) / 1000);
  }
}
