import type { Clock } from "../core/clock.ts";
import type { Message } from "../sip/message.ts";
import type { Contact, Request } from "../sip/request.ts";

/** What a REGISTER that is not answered yet changes. */
interface Pending {
  /** Contact URI to its end, milliseconds. */
  readonly bound: ReadonlyMap<string, number>;
  /** Where it succeeds. */
  readonly removed: "*" | readonly string[];
}

/** As many as Kamailio keeps for a user. */
const most = 10;
/** REGISTERs without an answer of which that is remembered; what the oldest asked for counts until it ends. */
const mostPending = 8;
const mostRemembered = most * (mostPending + 1);

/**
 * What a leg has bound at Kamailio: a Contact counts from when it is asked for until its time is over, Kamailio has refused
 * it, or has answered that it is removed. Contacts are compared as Kamailio does, as they are written.
 */
export class Bindings {
  readonly #clock: Clock;
  /** Contact URI to its end, milliseconds; the latest last. */
  readonly #until = new Map<string, number>();
  /** Those of them that Kamailio is known to have. */
  readonly #known = new Set<string>();
  /** By branch. */
  readonly #pending = new Map<string, Pending>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    const now = this.#clock.now();
    for (const [uri, until] of this.#until) if (until <= now) this.#drop(uri);
    return Math.min(this.#until.size, most);
  }

  has(uri: string): boolean {
    return (this.#until.get(uri) ?? 0) > this.#clock.now();
  }

  /** A REGISTER is to go upstream. cap: seconds that a binding may live. */
  asked(request: Request, cap: number): void {
    const { message, contacts } = request;
    const bound = this.#ends(request, cap);
    // What is both bound and removed may be there: Kamailio goes by what it had before.
    const removed = contacts === "*" ? contacts : contacts.map(uriOf).filter((uri) => !bound.has(uri));
    for (const [uri, until] of bound) this.#set(uri, Math.max(until, this.#until.get(uri) ?? 0));
    this.#trim();
    this.#pending.set(message.via.branch, { bound, removed });
    for (const branch of above(this.#pending, mostPending)) this.#pending.delete(branch);
  }

  /** Its final answer came, or it could not be sent. branch: of the REGISTER. */
  answered(branch: string, success: boolean): void {
    const pending = this.#pending.get(branch);
    if (!pending) return;
    this.#pending.delete(branch);
    if (success) this.#succeeded(pending);
    else
      for (const uri of pending.bound.keys()) if (!this.#known.has(uri) && !this.#isAsked(uri)) this.#until.delete(uri);
  }

  /** What a later one asks for that has no answer yet stays as it is: the earlier one says nothing of it. */
  #succeeded({ bound, removed }: Pending): void {
    for (const uri of removed === "*" ? [...this.#until.keys()] : removed) if (!this.#isAsked(uri)) this.#drop(uri);
    for (const [uri, until] of bound) {
      this.#known.add(uri);
      // Sooner than before only now: what Kamailio refuses leaves the time that it had.
      if (!this.#isAsked(uri)) this.#set(uri, until);
    }
    this.#trim();
  }

  /** When what it binds ends, a Contact that it names twice as late as it may. */
  #ends(request: Request, cap: number): ReadonlyMap<string, number> {
    const ends = new Map<string, number>();
    for (const contact of boundBy(request)) {
      const until = this.#clock.now() + Math.min(cap, expiryOf(contact, request.message)) * 1000;
      ends.set(uriOf(contact), Math.max(until, ends.get(uriOf(contact)) ?? 0));
    }
    return ends;
  }

  /** The latest is last. */
  #set(uri: string, until: number): void {
    this.#until.delete(uri);
    this.#until.set(uri, until);
  }

  #trim(): void {
    for (const uri of above(this.#until, mostRemembered)) this.#drop(uri);
  }

  #drop(uri: string): void {
    this.#until.delete(uri);
    this.#known.delete(uri);
  }

  /** Kamailio has none of them any more. */
  clear(): void {
    this.#until.clear();
    this.#known.clear();
  }

  #isAsked(uri: string): boolean {
    for (const { bound } of this.#pending.values()) if (bound.has(uri)) return true;
    return false;
  }
}

const uriOf = ({ address }: Contact): string => address.uri;

/** What a REGISTER asks to bind, once each. */
export const boundUris = (request: Request): readonly string[] => [...new Set(boundBy(request).map(uriOf))];

/** Contacts that it is to bind, not to remove. */
const boundBy = ({ message, contacts }: Request): readonly Contact[] =>
  contacts === "*" ? [] : contacts.filter((contact) => expiryOf(contact, message) > 0);

/** Seconds that a client asks for; without end where it does not say. */
function expiryOf({ address }: Contact, message: Message): number {
  const header = message.header("expires");
  const written = address.params.get("expires") ?? (header && message.value(header));
  return written === undefined ? Number.POSITIVE_INFINITY : Number(written);
}

/** The oldest keys, where there are more than so many. */
const above = (map: ReadonlyMap<string, unknown>, size: number): readonly string[] =>
  map.size <= size ? [] : [...map.keys()].slice(0, map.size - size);
