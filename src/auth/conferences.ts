import type { Clock } from "../core/clock.ts";
import type { Identity } from "../core/identity.ts";

/** Milliseconds: no data token lives longer. */
const longestToken = 3_600_000;
/** Of one customer, and customers of whom any are remembered. */
const [mostEnded, mostCustomers] = [1_000, 1_000];

/**
 * Conferences that have ended: a data token that names one is good no more. Each customer has room of its own; above it,
 * or after the hour that a data token lives at most, the oldest is forgotten.
 */
export class EndedConferences {
  readonly #clock: Clock;
  /** Customer → conferenceID → when it ended, oldest first. */
  readonly #ended = new Map<string, Map<string, number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** conference: its conferenceID, which is the Call-ID of its call; at: milliseconds, where it is yet to come. What was told before stays. */
  end(customer: string, conference: string, at = this.#clock.now()): void {
    const ended = this.#ended.get(customer) ?? new Map<string, number>();
    this.#ended.delete(customer);
    this.#ended.set(customer, ended);
    const before = ended.get(conference) ?? at;
    ended.delete(conference);
    ended.set(conference, this.#clock.now() - before > longestToken ? at : Math.min(before, at));
    dropOldest(ended, mostEnded);
    dropOldest(this.#ended, mostCustomers);
  }

  hasEnded(customer: string, conference: string): boolean {
    const at = this.#ended.get(customer)?.get(conference);
    const since = this.#clock.now() - (at ?? Number.POSITIVE_INFINITY);
    return since >= 0 && since <= longestToken;
  }

  /** Whether the only conference that this credential opens has ended. */
  isOver({ customer, narrowing }: Pick<Identity, "customer" | "narrowing">): boolean {
    return narrowing.conference !== undefined && this.hasEnded(customer.id, narrowing.conference);
  }
}

function dropOldest(map: Map<string, unknown>, most: number): void {
  if (map.size <= most) return;
  for (const [oldest] of map) {
    map.delete(oldest);
    return;
  }
}
