import type { CallRecord } from "./calls.ts";
import type { CallsThen } from "./identity.ts";

/** A connection on which somebody was proved. */
export interface Session {
  readonly id: string;
  readonly customer: string;
  readonly user: string;
  readonly domain: string;
  /** Of the client. */
  readonly address: string;
  readonly origin?: string;
  /** Id of the secret or key that proved it last. */
  readonly provedBy: string;
  /** When it connected, milliseconds. */
  readonly since: number;
  /** Of the latest proof, Unix seconds; 0 where it has to prove anew. */
  readonly expiry: number;
  /** Contacts bound. */
  readonly bindings: number;
  /** That ring or stand. */
  readonly calls: number;
}

/** A call that rings or stands. */
export interface LiveCall extends CallRecord {
  /** The connection that it is on. */
  readonly session: string;
}

export interface Wanted {
  /** Of all customers where absent. */
  readonly customer?: string | undefined;
  /** That began then or later, milliseconds. */
  readonly since?: number | undefined;
  /** Ids above it, in order. */
  readonly after: string;
  readonly limit: number;
}

/** What runs on this gateway now, and its end by hand. Asked for by who manages; the data path keeps nothing for it. */
export interface Runtime {
  sessions(wanted: Wanted): readonly Session[];
  calls(wanted: Wanted): readonly LiveCall[];
  /** Closes a connection with 4403, now or when its calls have ended. False where it is none, or not that customer's. */
  kick(session: string, customer: string, calls: CallsThen): boolean;
  /** Ends a call at both ends. False where it is none, or not that customer's. */
  hangUp(call: string, customer: string): boolean;
}
