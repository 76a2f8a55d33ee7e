import { randomBytes } from "node:crypto";
import type { Refusal } from "../core/errors.ts";
import type { Message } from "../sip/message.ts";
import { reply } from "../sip/reply.ts";
import type { CallName, Hangup } from "./calls.ts";
import { refusalHeaders, refusalReply } from "./challenge.ts";
import type { Dialogs } from "./dialogs.ts";

/** A REGISTER that bound something: what is needed to take it back. Header values as they were written. */
export interface Registration {
  readonly requestUri: string;
  readonly from: string;
  readonly to: string;
  readonly callId: string;
  readonly cseq: number;
  /** Contact URIs. */
  readonly contacts: readonly string[];
}

export interface FarewellParts {
  readonly dialogs: Dialogs;
  readonly registration: Registration | undefined;
  /** Grant and token lines. */
  readonly lines: string;
  /** The host of the client's Via. */
  readonly host: string;
  /** To tag of responses of our own. */
  readonly tag: string;
}

/**
 * Ends what a vanished client leaves at Kamailio, or one call of it: BYE in its calls, CANCEL to what rings elsewhere, 480 to what rings
 * here, and its binding taken back, so that nobody waits for it or is led to an address that another leg may get.
 */
export function farewell(
  { dialogs, registration, lines, host, tag }: FarewellParts,
  one?: CallName,
): readonly Buffer[] {
  const { byes, cancels, ringing } = dialogs.unfinished(one);
  const requests = [
    ...byes.map((bye) => hangup("BYE", bye, newVia(host), lines)),
    ...cancels.map((cancel) => hangup("CANCEL", cancel, cancel.via, lines)),
    ...(registration ? [unregister(registration, newVia(host), lines)] : []),
  ];
  const refusals = ringing.map((head) => reply(head, 480, tag));
  return [...refusals, ...requests];
}

export interface PartingParts {
  readonly dialogs: Dialogs;
  /** Why it is sent away; none where a call of it is hung up. */
  readonly refusal?: Refusal;
  readonly tag: string;
}

/** The same at the client's end: in its calls, or one of them, it is told as if the other side had hung up. */
export function farewellToClient({ dialogs, refusal, tag }: PartingParts, one?: CallName): readonly Buffer[] {
  const { byes, cancels, ringing } = dialogs.unfinishedAtClient(one);
  const why = refusal ? refusalHeaders(refusal) : [];
  const lines = why.map((line) => `${line}\r\n`).join("");
  return [
    ...ringing.map((head) => (refusal ? refusalReply(head, tag, refusal) : reply(head, 480, tag))),
    ...cancels.map((cancel) => hangup("CANCEL", cancel, cancel.via, lines)),
    ...byes.map((bye) => hangup("BYE", bye, newVia("postern.invalid"), lines)),
  ];
}

/** A 2xx that crossed our CANCEL made a call after all: it is acknowledged and ended (RFC 3261 §9.1, §15). */
export function farewellToLate({ dialogs, host, lines }: FarewellParts, response: Message): readonly Buffer[] {
  if (response.method !== "INVITE" || response.status >= 300) return [];
  dialogs.received(response);
  const call = dialogs.hangupOf(response);
  return call ? ackAndBye(call, response, host, lines) : [];
}

/** What ends a call that this 2xx made. host: of the client's Via. */
export function ackAndBye(call: Hangup, { cseq }: Message, host: string, lines: string): readonly Buffer[] {
  return [hangup("ACK", { ...call, cseq }, newVia(host), lines), hangup("BYE", call, newVia(host), lines)];
}

export const newVia = (host: string): string => `SIP/2.0/WS ${host};branch=z9hG4bK${randomBytes(8).toString("hex")}`;

export function hangup(method: "ACK" | "BYE" | "CANCEL", parts: Hangup, via: string, lines: string): Buffer {
  return request(method, parts.requestUri, lines, [
    `Via: ${via}`,
    ...parts.routes.map((uri) => `Route: <${uri}>`),
    `From: ${parts.from}`,
    `To: ${parts.to}`,
    `Call-ID: ${parts.callId}`,
    `CSeq: ${parts.cseq} ${method}`,
  ]);
}

/** Takes a binding back. */
export function unregister(
  { requestUri, from, to, callId, cseq, contacts }: Registration,
  via: string,
  lines: string,
): Buffer {
  return request("REGISTER", requestUri, lines, [
    `Via: ${via}`,
    `From: ${from}`,
    `To: ${to}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq + 1} REGISTER`,
    ...contacts.map((uri) => `Contact: <${uri}>;expires=0`),
  ]);
}

function request(method: string, uri: string, lines: string, headers: readonly string[]): Buffer {
  const text = [`${method} ${uri} SIP/2.0\r\n${lines}Max-Forwards: 70`, ...headers, "Content-Length: 0", "", ""];
  return Buffer.from(text.join("\r\n"), "latin1");
}
