import { LRUCache } from "lru-cache";
import type { Clock } from "../core/clock.ts";
import type { Act } from "./port.ts";

/** Managers that are remembered. */
const mostManagers = 10_000;
/** Addresses of one manager in an hour of which each has an entry. */
const mostAddresses = 20;
const hour = 3_600_000;

interface Seen {
  readonly until: number;
  readonly addresses: Set<string>;
}

/**
 * Proved sign-ins of who manages, for the audit: one for each manager, address and hour, and of each manager so many an
 * hour, for every request is a sign-in. Who was not proved has none.
 */
export class SignIns {
  readonly #clock: Clock;
  readonly #note: (act: Act) => void;
  readonly #seen = new LRUCache<string, Seen>({ max: mostManagers });

  constructor(clock: Clock, note: (act: Act) => void) {
    this.#clock = clock;
    this.#note = note;
  }

  /** by: as in Act. */
  proved(by: string, address: string, customer?: string): void {
    const now = this.#clock.now();
    const before = this.#seen.get(by);
    const seen = before && now < before.until ? before : { until: now + hour, addresses: new Set<string>() };
    if (seen !== before) this.#seen.set(by, seen);
    if (seen.addresses.has(address) || seen.addresses.size >= mostAddresses) return;
    seen.addresses.add(address);
    const last = seen.addresses.size === mostAddresses;
    const what = last ? "sign-in; of further addresses there is no entry for an hour" : "sign-in";
    this.#note({ by, what, address, ...(customer !== undefined && { customer }) });
  }
}
