import type { Customer } from "./identity.ts";
import { asTrunkWrites } from "./trunk-format.ts";

/** A user of a customer, for calls from outside. */
export interface Recipient {
  readonly customer: Customer;
  readonly user: string;
}

/** Of whom an API key is. */
export interface KeyOwner {
  readonly customer: Customer;
  readonly secret: string;
}

/** Of one spelling: national numbers of so many countries are alike at most, and each costs a look at its trunk's addresses. */
const mostAlike = 16;

/** Entries of a map still belong to a customer only while they lead to it. */
class Index {
  readonly byDomain = new Map<string, Customer>();
  readonly byId = new Map<string, Customer>();
  readonly exactNumbers = new Map<string, Customer>();
  readonly prefixes = new Map<string, Customer>();
  readonly inbound = new Map<string, Recipient>();
  /** The same numbers as the trunks of their customers write them: of several customers one spelling. */
  readonly arriving = new Map<string, Recipient[]>();
  readonly byApiKey = new Map<string, KeyOwner>();
  readonly keyed = new Set<Customer>();
  readonly origins = new OriginSet();
  /** How many customers have so many secrets. */
  readonly #tally: number[] = [];

  get mostSecrets(): number {
    return Math.max(1, this.#tally.length - 1);
  }

  add(customer: Customer): void {
    this.byId.set(customer.id, customer);
    for (const domain of customer.domains) this.byDomain.set(domain, customer);
    for (const pattern of customer.numbers) {
      const { digits, prefix } = parsePattern(pattern);
      (prefix ? this.prefixes : this.exactNumbers).set(digits, customer);
    }
    for (const [number, user] of Object.entries(customer.inbound)) this.inbound.set(number, { customer, user });
    for (const [written, user] of arrivals(customer))
      this.arriving.set(written, [...(this.arriving.get(written) ?? []), { customer, user }]);
    for (const { id, secret } of customer.apiKeys) this.byApiKey.set(id, { customer, secret });
    if (customer.keys.length > 0) this.keyed.add(customer);
    this.origins.add(customer.origins);
    this.#count(customer, 1);
  }

  remove(customer: Customer): void {
    drop(this.byId, customer.id, customer);
    for (const domain of customer.domains) drop(this.byDomain, domain, customer);
    for (const pattern of customer.numbers) {
      const { digits, prefix } = parsePattern(pattern);
      drop(prefix ? this.prefixes : this.exactNumbers, digits, customer);
    }
    for (const number of Object.keys(customer.inbound)) {
      if (this.inbound.get(number)?.customer === customer) this.inbound.delete(number);
    }
    for (const [written] of arrivals(customer)) {
      const others = this.arriving.get(written)?.filter((recipient) => recipient.customer !== customer) ?? [];
      if (others.length > 0) this.arriving.set(written, others);
      else this.arriving.delete(written);
    }
    for (const { id } of customer.apiKeys) {
      if (this.byApiKey.get(id)?.customer === customer) this.byApiKey.delete(id);
    }
    this.keyed.delete(customer);
    this.origins.remove(customer.origins);
    this.#count(customer, -1);
  }

  #count({ secrets: { length } }: Customer, by: 1 | -1): void {
    while (this.#tally.length <= length) this.#tally.push(0);
    this.#tally[length]! += by;
    while (this.#tally.at(-1) === 0) this.#tally.pop();
  }
}

/** How calls to a customer's numbers of E.164 arrive from its trunks, where those write them in another way. */
function arrivals({ inbound, trunkFormat }: Customer): [string, string][] {
  if (!trunkFormat) return [];
  return Object.entries(inbound)
    .filter(([number]) => number.startsWith("+"))
    .flatMap(([number, user]) => {
      const written = asTrunkWrites(trunkFormat, number);
      return written === undefined ? [] : [[written, user]];
    });
}

function drop(map: Map<string, Customer>, key: string, owner: Customer): void {
  if (map.get(key) === owner) map.delete(key);
}

/** The customers as the data path asks for them: each question is a few map look-ups, however many there are. */
export class Customers {
  readonly #index: Index;

  constructor(all: readonly Customer[], index = new Index()) {
    this.#index = index;
    for (const customer of all) index.add(customer);
  }

  /**
   * Others in the place of those that have their ids, and some that are no more. It costs what is changed, however many there
   * are: the object before it answers anew as well, and another one is returned so that a change can be seen.
   */
  change(put: readonly Customer[], gone: readonly string[]): Customers {
    for (const id of [...gone, ...put.map((customer) => customer.id)]) {
      const before = this.#index.byId.get(id);
      if (before) this.#index.remove(before);
    }
    return new Customers(put, this.#index);
  }

  get all(): readonly Customer[] {
    return [...this.#index.byId.values()];
  }

  /** Those that have keys for JWTs. */
  get keyed(): ReadonlySet<Customer> {
    return this.#index.keyed;
  }

  /** Most secrets any customer has: a refused proof always costs that many, so that its price tells nothing. */
  get mostSecrets(): number {
    return this.#index.mostSecrets;
  }

  /** domain: lower case. */
  byDomain(domain: string): Customer | undefined {
    return this.#index.byDomain.get(domain);
  }

  byId(id: string): Customer | undefined {
    return this.#index.byId.get(id);
  }

  byApiKey(id: string): KeyOwner | undefined {
    return this.#index.byApiKey.get(id);
  }

  /** Whose number it is: the exact entry, else the longest prefix. number: digits, with or without a leading `+`. */
  ownerOf(number: string): Customer | undefined {
    for (const spelling of spellings(number)) {
      const exact = this.#index.exactNumbers.get(spelling);
      if (exact) return exact;
    }
    for (let length = number.length; length >= 0; length--) {
      for (const spelling of spellings(number.slice(0, length))) {
        const owner = this.#index.prefixes.get(spelling);
        if (owner) return owner;
      }
    }
    return undefined;
  }

  /**
   * Who may be meant by a number that a call from outside is for, the nearest first: whom it is as it stands, then those whose trunks
   * write a number of theirs so. Which of them it is says the trunk that it came from.
   */
  recipientsOf(number: string): readonly Recipient[] {
    const plain = this.recipientOf(number);
    const written = this.#index.arriving.get(number)?.slice(0, mostAlike) ?? [];
    return plain ? [plain, ...written.filter(({ customer }) => customer !== plain.customer)] : written;
  }

  /** Who gets calls from outside to this number. number: digits, with or without a leading `+`, or `00` for it. */
  recipientOf(number: string): Recipient | undefined {
    const written = number.startsWith("00") ? [`+${number.slice(2)}`, number] : spellings(number);
    for (const spelling of written) {
      const recipient = this.#index.inbound.get(spelling);
      if (recipient) return recipient;
    }
    return undefined;
  }

  /** Whether any customer at all would take a page of this origin. */
  someoneAllows(origin: string): boolean {
    return this.#index.origins.allows(origin);
  }
}

function parsePattern(pattern: string): { digits: string; prefix: boolean } {
  return pattern.endsWith("*") ? { digits: pattern.slice(0, -1), prefix: true } : { digits: pattern, prefix: false };
}

/** A number dialled without `+` may be one of a pattern written with it, never the other way round. */
function spellings(number: string): string[] {
  return number.startsWith("+") ? [number] : [`+${number}`, number];
}

/** Whether one of the patterns has this number. number: digits, with or without a leading `+`. */
export function matchesNumber(patterns: readonly string[], number: string): boolean {
  const written = spellings(number);
  return patterns.some((pattern) => {
    const { digits, prefix } = parsePattern(pattern);
    return written.some((spelling) => (prefix ? spelling.startsWith(digits) : spelling === digits));
  });
}

/** Longer than any scheme, host name and port: asking for every dot of 16 KB cost a stranger's upgrade 80 ms. */
const maxOrigin = 300;

/** Origins, exact or `scheme://*.host` (any depth of subdomain, as in CSP host sources; never the host itself). */
export class OriginSet {
  /** How many want each. */
  readonly #exact = new Map<string, number>();
  readonly #wildcards = new Map<string, number>();
  #any = 0;

  /** An empty list allows any origin. */
  add(origins: readonly string[]): void {
    this.#count(origins, 1);
  }

  /** What was added before. */
  remove(origins: readonly string[]): void {
    this.#count(origins, -1);
  }

  #count(origins: readonly string[], by: 1 | -1): void {
    if (origins.length === 0) this.#any += by;
    for (const origin of origins) {
      const wildcard = origin.includes("://*.");
      const map = wildcard ? this.#wildcards : this.#exact;
      const key = wildcard ? origin.replace("://*.", "://.") : origin;
      const count = (map.get(key) ?? 0) + by;
      if (count > 0) map.set(key, count);
      else map.delete(key);
    }
  }

  allows(origin: string): boolean {
    if (this.#any > 0 || this.#exact.has(origin)) return true;
    const authority = origin.indexOf("://") + 3;
    if (authority < 3 || origin.length > maxOrigin) return false;
    const scheme = origin.slice(0, authority);
    for (let dot = origin.indexOf(".", authority); dot > authority; dot = origin.indexOf(".", dot + 1)) {
      if (this.#wildcards.has(scheme + origin.slice(dot))) return true;
    }
    return false;
  }
}

const originSets = new WeakMap<Customer, OriginSet>();

/** Whether this customer takes pages of this origin. */
export function allowsOrigin(customer: Customer, origin: string): boolean {
  let set = originSets.get(customer);
  if (!set) {
    set = new OriginSet();
    set.add(customer.origins);
    originSets.set(customer, set);
  }
  return set.allows(origin);
}
