import type { Clock } from "./clock.ts";

/** What proves somebody: of visitors a secret or a key, of who manages an API key. */
export type UsedKind = "secret" | "key" | "apiKey";

/** How often something of a customer has proved somebody, and when it last did (Unix milliseconds). */
export interface Use {
  readonly customer: string;
  readonly kind: UsedKind;
  readonly id: string;
  readonly count: number;
  readonly last: number;
}

/** Counts what proved somebody, until it is taken to be written. As many as there are secrets and keys. */
export class UseCounts {
  readonly #clock: Clock;
  #counts = new Map<string, { -readonly [name in keyof Use]: Use[name] }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(customer: string, kind: UsedKind, id: string): void {
    this.#add({ customer, kind, id, count: 1, last: this.#clock.now() });
  }

  /** All since the last time. */
  take(): readonly Use[] {
    const taken = [...this.#counts.values()];
    this.#counts = new Map();
    return taken;
  }

  /** What could not be written. */
  giveBack(uses: readonly Use[]): void {
    for (const use of uses) this.#add(use);
  }

  /** Not written yet. */
  of(customer: string): readonly Use[] {
    return [...this.#counts.values()].filter((use) => use.customer === customer);
  }

  #add({ customer, kind, id, count, last }: Use): void {
    const key = `${customer} ${kind} ${id}`;
    const known = this.#counts.get(key);
    if (!known) {
      this.#counts.set(key, { customer, kind, id, count, last });
      return;
    }
    known.count += count;
    known.last = Math.max(known.last, last);
  }
}
