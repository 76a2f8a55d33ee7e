import type { Customer } from "./identity.ts";

/** A user of a customer, for calls from outside. */
export interface Recipient {
  readonly customer: Customer;
  readonly user: string;
}

/** The customers as the data path asks for them: each question is a few map look-ups, however many there are. */
export class Customers {
  readonly all: readonly Customer[];
  /** Most secrets any customer has: a refused proof always costs that many, so that its price tells nothing. */
  readonly mostSecrets: number;
  readonly #byDomain = new Map<string, Customer>();
  readonly #byId = new Map<string, Customer>();
  readonly #exactNumbers = new Map<string, Customer>();
  readonly #prefixes = new Map<string, Customer>();
  readonly #inbound = new Map<string, Recipient>();
  readonly #origins = new OriginSet();

  constructor(all: readonly Customer[]) {
    this.all = all;
    let most = 1;
    for (const customer of all) {
      this.#byId.set(customer.id, customer);
      for (const domain of customer.domains) this.#byDomain.set(domain, customer);
      for (const pattern of customer.numbers) {
        const { digits, prefix } = parsePattern(pattern);
        (prefix ? this.#prefixes : this.#exactNumbers).set(digits, customer);
      }
      for (const [number, user] of Object.entries(customer.inbound)) this.#inbound.set(number, { customer, user });
      this.#origins.add(customer.origins);
      most = Math.max(most, customer.secrets.length);
    }
    this.mostSecrets = most;
  }

  /** domain: lower case. */
  byDomain(domain: string): Customer | undefined {
    return this.#byDomain.get(domain);
  }

  byId(id: string): Customer | undefined {
    return this.#byId.get(id);
  }

  /** Whose number it is: the exact entry, else the longest prefix. number: digits, with or without a leading `+`. */
  ownerOf(number: string): Customer | undefined {
    for (const spelling of spellings(number)) {
      const exact = this.#exactNumbers.get(spelling);
      if (exact) return exact;
    }
    for (let length = number.length; length >= 0; length--) {
      for (const spelling of spellings(number.slice(0, length))) {
        const owner = this.#prefixes.get(spelling);
        if (owner) return owner;
      }
    }
    return undefined;
  }

  /** Who gets calls from outside to this number. number: digits, with or without a leading `+`, or `00` for it. */
  recipientOf(number: string): Recipient | undefined {
    const written = number.startsWith("00") ? [`+${number.slice(2)}`, number] : spellings(number);
    for (const spelling of written) {
      const recipient = this.#inbound.get(spelling);
      if (recipient) return recipient;
    }
    return undefined;
  }

  /** Whether any customer at all would take a page of this origin. */
  someoneAllows(origin: string): boolean {
    return this.#origins.allows(origin);
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
  readonly #exact = new Set<string>();
  readonly #wildcards = new Set<string>();
  #any = false;

  /** An empty list allows any origin. */
  add(origins: readonly string[]): void {
    if (origins.length === 0) this.#any = true;
    for (const origin of origins) {
      if (origin.includes("://*.")) this.#wildcards.add(origin.replace("://*.", "://."));
      else this.#exact.add(origin);
    }
  }

  allows(origin: string): boolean {
    if (this.#any || this.#exact.has(origin)) return true;
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
