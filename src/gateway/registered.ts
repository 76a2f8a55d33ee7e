import type { Clock } from "../core/clock.ts";
import type { Registration } from "./farewell.ts";

/** As many as Kamailio keeps for a user. */
const maxBindings = 10;
const graceMs = 5_000;

/** What Kamailio may hold under a leg's address, and what it takes to have it removed. */
export class Registered {
  readonly #clock: Clock;
  #latest: Registration | undefined;
  /** The upstream urls that may have the binding; another's word that it is gone counts for nothing. */
  readonly #at = new Set<string>();
  #until = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until when Kamailio may hold a binding under our address. */
  get until(): number {
    return this.#until;
  }

  /** Undefined where nothing is bound any more. */
  get current(): Registration | undefined {
    return this.#until > this.#clock.now() ? this.#latest : undefined;
  }

  /** A REGISTER that binds for so many seconds has gone to this url. */
  add(registration: Registration, forSeconds: number, url: string | undefined): void {
    const known = this.#latest?.contacts ?? [];
    const fresh = registration.contacts.filter((uri) => !known.includes(uri));
    const contacts = fresh.length === 0 ? known : [...new Set([...known, ...fresh])].slice(-maxBindings);
    if (url !== undefined) this.#at.add(url);
    // A number too low for one of them would leave them all in place (RFC 3261 §10.3), where a client's numbers fall.
    const former = this.#latest?.callId === registration.callId ? this.#latest.cseq : 0;
    this.#latest = { ...registration, contacts, cseq: Math.max(former, registration.cseq) };
    this.#until = Math.max(this.#until, this.#clock.now() + forSeconds * 1000 + graceMs);
  }

  /** No other upstream than this one may have it. */
  isOnlyAt(url: string | undefined): boolean {
    return [...this.#at].every((one) => one === url);
  }

  clear(): void {
    this.#latest = undefined;
    this.#until = 0;
  }
}
