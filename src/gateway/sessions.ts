import type { CallRecord } from "../core/calls.ts";
import { type Refusal, refuse } from "../core/errors.ts";
import type { CallsThen, Identity } from "../core/identity.ts";
import type { LiveCall, Runtime, Session, Wanted } from "../core/runtime.ts";

/** A connection, as who manages sees it. */
export interface Attended {
  readonly id: string;
  /** Undefined before the first proof. */
  readonly customer: string | undefined;
  readonly session: Session | undefined;
  readonly liveCalls: readonly CallRecord[];
  sendAway(calls: CallsThen, refusal: Refusal): void;
  /** Whether the call is one of its own. */
  hangUp(call: string): boolean;
}

const kicked = refuse("credential-revoked", "this connection was ended by whoever runs the gateway or the customer");

/** The connections there are, for who manages: looked through when somebody asks, and only then. */
export class Sessions implements Runtime {
  readonly #connections = new Map<string, Attended>();

  enter(connection: Attended): void {
    this.#connections.set(connection.id, connection);
  }

  leave({ id }: Pick<Attended, "id">): void {
    this.#connections.delete(id);
  }

  sessions({ customer, since = 0, after, limit }: Wanted): readonly Session[] {
    return smallest(this.#sessionsOf(customer, since), ({ id }) => id, after, limit);
  }

  calls({ customer, since = 0, after, limit }: Wanted): readonly LiveCall[] {
    return smallest(this.#callsOf(customer, since), ({ id }) => id, after, limit);
  }

  kick(session: string, customer: string, calls: CallsThen): boolean {
    const connection = this.#connections.get(session);
    if (connection?.customer !== customer) return false;
    connection.sendAway(calls, kicked);
    return true;
  }

  hangUp(call: string, customer: string): boolean {
    for (const connection of this.#of(customer)) if (connection.hangUp(call)) return true;
    return false;
  }

  *#of(customer: string | undefined): Iterable<Attended> {
    for (const connection of this.#connections.values()) {
      const whose = connection.customer;
      if (whose !== undefined && (customer === undefined || whose === customer)) yield connection;
    }
  }

  *#sessionsOf(customer: string | undefined, since: number): Iterable<Session> {
    for (const { session } of this.#of(customer)) if (session && session.since >= since) yield session;
  }

  *#callsOf(customer: string | undefined, since: number): Iterable<LiveCall> {
    for (const { id, liveCalls } of this.#of(customer))
      for (const call of liveCalls) if (call.start >= since) yield { ...call, session: id };
  }
}

/** A connection that has proved who it is. since: milliseconds. */
export interface Present {
  readonly id: string;
  readonly peer: { readonly address: string; readonly origin: string | undefined };
  readonly since: number;
  readonly identity: Identity;
  readonly leg: { readonly bindings: { readonly size: number }; readonly calls: number } | undefined;
}

/** As who manages sees it. */
export function sessionOf({ id, peer, since, identity, leg }: Present): Session {
  const { customer, user, domain, provedBy, expiry } = identity;
  const { address, origin } = peer;
  return {
    ...{ id, customer: customer.id, user, domain, address, ...(origin !== undefined && { origin }) },
    ...{ provedBy: provedBy.id, since, expiry },
    ...{ bindings: leg?.bindings.size ?? 0, calls: leg?.calls ?? 0 },
  };
}

/** Those with the smallest keys above one, in order: no more than so many are ever held. */
export function smallest<T>(all: Iterable<T>, keyOf: (one: T) => string, above: string, limit: number): readonly T[] {
  const kept: { readonly key: string; readonly one: T }[] = [];
  for (const one of all) {
    const key = keyOf(one);
    const last = kept.length < limit ? undefined : kept.at(-1);
    if (key <= above || (last && key >= last.key)) continue;
    if (last) kept.pop();
    let at = kept.length;
    while (at > 0 && kept[at - 1]!.key > key) at--;
    kept.splice(at, 0, { key, one });
  }
  return kept.map(({ one }) => one);
}
