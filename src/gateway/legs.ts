import { isIPv6 } from "node:net";
import { address, type Identity } from "../core/identity.ts";
import type { Request } from "../sip/request.ts";
import type { Announcements } from "./announce.ts";
import { boundUris } from "./bindings.ts";
import { type ClientEnd, Leg, type LegParts } from "./leg.ts";
import type { Announced } from "./upstream.ts";

/** Milliseconds. */
const longestBinding = 3_600_000;
/** Milliseconds that Kamailio keeps what a connection took, 64 KB of shared memory, after it was closed. */
const keptFor = 5_000;
/** Legs of a customer that may have ended in that time, or as many as it may have at once, if that is more. */
const leastTurnover = 1_000;

/** Every leg there is, by customer, and the addresses they announce. */
export class Legs {
  readonly #announcements: Announcements;
  readonly #byCustomer = new Map<string, Set<Leg>>();
  /** By address of record: a domain has one customer, and a leg one user for good. */
  readonly #ofUser = new Map<string, number>();
  /** By customer: how many ended just now. */
  readonly #ended = new Map<string, number>();

  constructor(announcements: Announcements) {
    this.#announcements = announcements;
  }

  get size(): number {
    let size = 0;
    for (const legs of this.#byCustomer.values()) size += legs.size;
    return size;
  }

  /** Over all legs. */
  sum(of: (leg: Leg) => number): number {
    let sum = 0;
    for (const legs of this.#byCustomer.values()) for (const leg of legs) sum += of(leg);
    return sum;
  }

  /** A leg for this identity, not yet open; undefined where the browser's address has no port left to announce. */
  create(
    identity: Identity,
    peer: { address: string; port: number },
    client: ClientEnd,
    parts: Omit<LegParts, "ended" | "elsewhere">,
  ): Leg | undefined {
    const port = this.#announcements.take(peer.address, peer.port);
    if (port === undefined) return undefined;
    const announced = { address: peer.address, port, family: isIPv6(peer.address) ? 6 : 4 } as const;
    const leg = new Leg(identity, announced, client, {
      ...parts,
      ended: (over, until) => this.#remove(over, until),
      elsewhere: (taken) => this.#anotherOf(taken, parts.clock.now() + longestBinding),
    });
    const legs = this.#byCustomer.get(identity.customer.id) ?? new Set();
    this.#byCustomer.set(identity.customer.id, legs.add(leg));
    this.#ofUser.set(address(identity), this.connectionsOfUser(identity) + 1);
    return leg;
  }

  /** Another port of this address, which is not asked for again until then (milliseconds). */
  #anotherOf(taken: Announced, until: number): Announced | undefined {
    const port = this.#announcements.take(taken.address, 0);
    this.#announcements.release(taken.address, taken.port, until);
    return port === undefined ? undefined : { ...taken, port };
  }

  /** until: milliseconds; a binding under the leg's address may live so long. */
  #remove(leg: Leg, until: number): void {
    this.#announcements.release(leg.announced.address, leg.announced.port, until);
    const left = this.connectionsOfUser(leg.identity) - 1;
    if (left > 0) this.#ofUser.set(address(leg.identity), left);
    else this.#ofUser.delete(address(leg.identity));
    const { id } = leg.identity.customer;
    const legs = this.#byCustomer.get(id);
    legs?.delete(leg);
    if (legs?.size === 0) this.#byCustomer.delete(id);
    this.#ended.set(id, (this.#ended.get(id) ?? 0) + 1);
    setTimeout(() => this.#forgetOne(id), keptFor).unref();
  }

  #forgetOne(customer: string): void {
    const left = (this.#ended.get(customer) ?? 1) - 1;
    if (left > 0) this.#ended.set(customer, left);
    else this.#ended.delete(customer);
  }

  /** This upstream url no longer answers. */
  leaveUpstream(url: string): void {
    for (const legs of this.#byCustomer.values()) for (const leg of legs) leg.leaveUpstream(url);
  }

  /** Whoever comes and goes without end would use up Kamailio's memory with never more than one leg. most: at once. */
  turnsOver(customer: string, most: number): boolean {
    return (this.#ended.get(customer) ?? 0) > Math.max(leastTurnover, most);
  }

  connectionsOf(customer: string): number {
    return this.#byCustomer.get(customer)?.size ?? 0;
  }

  connectionsOfUser(identity: Identity): number {
    return this.#ofUser.get(address(identity)) ?? 0;
  }

  /** Whether what a REGISTER of this identity adds, over whichever of its legs it renews the rest, is more than its customer may have. */
  bindsTooMuch(identity: Identity, request: Request): boolean {
    const { id, limits } = identity.customer;
    if (limits.registrations === 0) return false;
    const all = [...(this.#byCustomer.get(id) ?? [])];
    const theirs = all.filter((leg) => address(leg.identity) === address(identity));
    const fresh = boundUris(request).filter((uri) => !theirs.some(({ bindings }) => bindings.has(uri)));
    const bound = all.reduce((sum, { bindings }) => sum + bindings.size, 0);
    return fresh.length > 0 && bound + fresh.length > limits.registrations;
  }

  /** Whether a user has a call of this Call-ID that rings or stands, over whichever of its legs. */
  isInCall(identity: Identity, callId: string): boolean {
    const own = address(identity);
    for (const leg of this.#byCustomer.get(identity.customer.id) ?? []) {
      if (address(leg.identity) === own && leg.dialogs.isInCall(callId)) return true;
    }
    return false;
  }

  /** Calls of a customer that ring or stand. */
  callsOf(customer: string): number {
    let calls = 0;
    for (const leg of this.#byCustomer.get(customer) ?? []) calls += leg.calls;
    return calls;
  }
}
