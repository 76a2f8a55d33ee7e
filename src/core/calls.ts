import { randomUUID } from "node:crypto";
import type { Code } from "./errors.ts";
import type { CallQuality } from "./quality.ts";

/** Why the gateway ended or refused a call: its verdict, or what befell the call. */
export type EndReason =
  | Code
  /** The client's socket was gone for good. */
  | "socket-lost"
  /** Whoever manages ended it by hand. */
  | "hung-up"
  /** The longest that a call of this customer may last was over. */
  | "call-seconds"
  /** Nobody answered, nor said that nobody would. */
  | "unanswered"
  /** The gateway was killed: the end is when it was last seen alive. */
  | "gateway-lost";

/**
 * A call as the gateway that carries it knows it, or an INVITE that was refused after the proof. Times are milliseconds
 * since the epoch. What a client or a far end wrote is printable ASCII of bounded length.
 */
export interface CallRecord {
  /** UUIDv7 (RFC 9562 §5.7) of its start: ids of later calls are greater. */
  readonly id: string;
  /** One run of a gateway. */
  readonly gateway: string;
  readonly callId: string;
  readonly customer: string;
  /** Absent, as domain is, where the credential was refused. */
  readonly user?: string;
  readonly domain?: string;
  readonly direction: "to-number" | "to-user" | "in";
  /** The telephone number called; of a call that came in, the one that calls. */
  readonly number?: string;
  /** `user@host` at the other end where that is no telephone number. */
  readonly peer?: string;
  /** The one in the grant; which of it and trunk2 took the call only Kamailio knows. */
  readonly trunk?: string;
  /** Id of the secret or key. */
  readonly provedBy?: string;
  readonly start: number;
  readonly ringing?: number;
  readonly answer?: number;
  /** Absent while it rings or stands. */
  readonly end?: number;
  /** From answer to end. */
  readonly seconds?: number;
  readonly endedBy?: "client" | "far" | "gateway";
  /** Only where the gateway ended it. */
  readonly reason?: EndReason;
  /** The final SIP status of the INVITE. */
  readonly status?: number;
  /** What its user told of it over HTTP, up to now or up to its end. */
  readonly quality?: CallQuality;
}

/** Whatever observes calls. A record is told at each change, whole, as the same object or another of that id. */
export interface CallSink {
  note(record: CallRecord): void;
}

/** No call of that time or later has an id before it. */
export function firstId(milliseconds: number): string {
  const hex = Math.min(2 ** 48 - 1, Math.max(0, Math.floor(milliseconds)))
    .toString(16)
    .padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-`;
}

/** milliseconds: when it began. */
export const newId = (milliseconds: number): string => `${firstId(milliseconds)}7${randomUUID().slice(15)}`;

/** The one spelling of a telephone number that it is looked for by: `+32…`, `0032…` and `32…` are one. */
export const plainNumber = (number: string): string => number.replace(/[^0-9+]/g, "").replace(/^(\+|00)/, "");
