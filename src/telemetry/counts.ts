import { type Way, ways } from "./trace.ts";

/** Methods that have a label of their own (RFC 3261, 3262, 3311, 3428, 3515, 3903, 6086, 6665). */
export const methods = [
  "REGISTER",
  "INVITE",
  "ACK",
  "CANCEL",
  "BYE",
  "UPDATE",
  "INFO",
  "PRACK",
  "OPTIONS",
  "MESSAGE",
  "SUBSCRIBE",
  "NOTIFY",
  "REFER",
  "PUBLISH",
  "other",
] as const;

const columns: ReadonlyMap<string, number> = new Map(methods.map((method, at) => [method, at]));
const otherColumn = methods.length - 1;

/** Messages by direction and method, as plain numbers: counting one costs a look-up and an addition. */
export class MessageCounts {
  readonly #counts = Object.fromEntries(ways.map((way) => [way, new Array<number>(methods.length).fill(0)])) as Record<
    Way,
    number[]
  >;

  add(way: Way, method: string): void {
    this.#counts[way][columns.get(method) ?? otherColumn]!++;
  }

  *[Symbol.iterator](): Generator<{ direction: Way; method: string; count: number }> {
    for (const direction of ways) {
      for (const [at, method] of methods.entries()) {
        yield { direction, method, count: this.#counts[direction][at]! };
      }
    }
  }
}

const mostCustomers = 200;
const nobody = "";
const others = "other";

/** Only so many customers have a name, the first that come. */
export class CustomerNames {
  readonly #most: number;
  readonly #named = new Set<string>();

  constructor(most = mostCustomers) {
    this.#most = most;
  }

  of(customer: string): string {
    if (this.#named.has(customer)) return customer;
    if (this.#named.size >= this.#most) return others;
    this.#named.add(customer);
    return customer;
  }
}

/** Verdicts by code and customer; before a proof there is none. */
export class VerdictCounts {
  readonly #counts = new Map<string, Map<string, number>>();
  readonly #names: CustomerNames;

  constructor(most = mostCustomers) {
    this.#names = new CustomerNames(most);
  }

  /** customer: its id where it is proved. */
  add(code: string, customer = nobody): void {
    const name = customer === nobody ? nobody : this.#names.of(customer);
    const counts = this.#counts.get(code) ?? new Map<string, number>();
    this.#counts.set(code, counts.set(name, (counts.get(name) ?? 0) + 1));
  }

  *[Symbol.iterator](): Generator<{ labels: { code: string; customer?: string }; count: number }> {
    for (const [code, counts] of this.#counts) {
      for (const [customer, count] of counts) {
        yield { labels: customer === nobody ? { code } : { code, customer }, count };
      }
    }
  }
}
