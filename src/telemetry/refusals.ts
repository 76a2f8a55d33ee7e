import { LRUCache } from "lru-cache";
import type { Clock } from "../core/clock.ts";
import { domainName } from "../core/counted.ts";
import type { Code } from "../core/errors.ts";
import type { RefusedVisit, Way } from "../core/verdicts.ts";
import { remedies } from "./remedies.ts";

/** One refusal as it is shown. at: Unix milliseconds; claimed: it was not proved, so anybody may have made it. */
export interface ShownRefusal {
  readonly at: number;
  readonly code: Code;
  readonly sentence: string;
  readonly remedy: string;
  readonly claimed: boolean;
  readonly way: Way;
  readonly address: string;
  readonly user?: string;
  readonly origin?: string;
  readonly method?: string;
  readonly destination?: "number" | "user" | "domain";
}

/** Refusals of one customer, and of one name that strangers claim. */
const mostProved = 200;
const mostClaimed = 50;
/** Of all together: who was refused nothing for the longest is forgotten. */
const allProved = 20_000;
const allClaimed = 5_000;
/** Characters. */
const longest = 255;

/** order: of all that were noted; several have the same millisecond. */
interface Kept {
  readonly order: number;
  readonly told: Omit<ShownRefusal, "remedy">;
}

/**
 * The latest refusals of each customer, in memory. What was proved and what a stranger only claims are kept apart, so
 * that no stranger pushes out what is of use; a claim is kept under its name, whether anybody is called so or not.
 */
export class Refusals {
  readonly #clock: Clock;
  readonly #proved = new LRUCache<string, Kept[]>({ maxSize: allProved, sizeCalculation: ({ length }) => length });
  readonly #claimed = new LRUCache<string, Kept[]>({ maxSize: allClaimed, sizeCalculation: ({ length }) => length });

  #order = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(visit: RefusedVisit): void {
    const { customer, claimed } = visit;
    if (customer !== undefined) keep(this.#proved, customer, this.#kept(visit, false), mostProved);
    else if (claimed !== undefined && claimed !== "unnamed")
      keep(this.#claimed, claimed, this.#kept(visit, true), mostClaimed);
  }

  /** The latest first, since then. domains: of this customer, under which strangers may have come. */
  of(customer: string, domains: readonly string[], since = 0): ShownRefusal[] {
    const names = [`customer ${customer}`, ...domains.map(domainName)];
    const all = [this.#proved.get(customer), ...names.map((name) => this.#claimed.get(name))];
    return all
      .flatMap((kept) => kept ?? [])
      .filter(({ told }) => told.at >= since)
      .toSorted((a, b) => b.order - a.order)
      .map(({ told }) => ({ ...told, remedy: remedies[told.code] }));
  }

  #kept({ refusal, way, address, user, origin, method, destination }: RefusedVisit, claimed: boolean): Kept {
    const told = {
      at: this.#clock.now(),
      code: refusal.code,
      sentence: shown(refusal.sentence),
      claimed,
      way,
      address: shown(address),
      ...(user !== undefined && { user: shown(user) }),
      ...(origin !== undefined && { origin: shown(origin) }),
      ...(method !== undefined && { method: shown(method) }),
      ...(destination && { destination }),
    };
    return { order: this.#order++, told };
  }
}

/** A new list each time, for its length is what it counts for. */
function keep(all: LRUCache<string, Kept[]>, name: string, one: Kept, most: number): void {
  all.set(name, [...(all.get(name) ?? []), one].slice(-most));
}

/** A copy, for a part of a text keeps the whole of it in memory: a message, a body. */
const shown = (text: string): string =>
  Buffer.from(text.slice(0, longest).replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, "\ufffd")).toString();
