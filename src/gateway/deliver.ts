import { isUtf8 } from "node:buffer";
import { refuse } from "../core/errors.ts";
import type { Identity } from "../core/identity.ts";
import type { Message } from "../sip/message.ts";
import { reply, replyHead, salvage } from "../sip/reply.ts";
import { scan } from "../sip/scan.ts";
import { type Edit, splice } from "../sip/splice.ts";
import { parseUri } from "../sip/uri.ts";
import type { Log } from "../telemetry/log.ts";
import type { Tap } from "../telemetry/tap.ts";
import type { About } from "../telemetry/trace.ts";
import type { Bindings } from "./bindings.ts";
import type { CallWatch } from "./call-watch.ts";
import type { Hangup } from "./calls.ts";
import { refusalHeaders } from "./challenge.ts";
import type { Dialogs } from "./dialogs.ts";
import type { Inlet } from "./pressure.ts";
import type { Shown } from "./shown.ts";

/** What this step needs to know of a leg. */
export interface Receiver {
  readonly identity: Identity;
  readonly dialogs: Dialogs;
  readonly watch: CallWatch;
  readonly bindings: Bindings;
  readonly shown: Shown;
  /** To tag of responses of our own to upstream. */
  readonly tag: string;
  readonly client: {
    /** May get what is new; what belongs to a call. */
    readonly callable: boolean;
    readonly reachable: boolean;
    /** Not while the gateway drains. */
    readonly takesCalls: boolean;
    readonly tap: Tap;
    deliver(bytes: Buffer, binary: boolean, from: Inlet, about: About): void;
  };
  /** What the gateway said in the client's place is nobody else's to hear the answer of. */
  answersUs(response: Message): boolean;
  endAnswered(call: Hangup, response: Message): void;
  byeAgain(call: Hangup, response: Message): void;
  send(bytes: Buffer, binary: boolean, cause: Inlet, about: About): void;
}

/** One message from Kamailio: responses and requests for this leg go to its client, without what is ours. */
export function deliver(leg: Receiver, bytes: Buffer, binary: boolean, from: Inlet, log: Log): void {
  if (bytes.length <= 4 && /^[\r\n]*$/.test(bytes.toString("latin1"))) return;
  const scanned = scan(bytes, { lengthRequired: false });
  if (scanned.kind === "malformed") {
    turnBack(leg, bytes, scanned.reason, { from, log });
    return;
  }
  const { message } = scanned;
  leg.client.tap.fromUpstream(message, bytes);
  if (message.isRequest ? !admit(leg, message, binary, from, log) : !learn(leg, message, log)) return;
  leg.client.tap.judgedOffer("delivered");
  leg.client.deliver(withoutOurs(message), binary, from, message);
}

/** Who asks is told at once, or would ask again for half a minute (RFC 3261 §17.1.1.2). */
function turnBack(leg: Receiver, bytes: Buffer, reason: string, { from, log }: { from: Inlet; log: Log }): void {
  const head = salvage(bytes);
  log.warn({ reason, answered: head !== undefined }, "dropped a malformed message from upstream");
  if (!head) return;
  const refused = reply(head, 400, leg.tag);
  leg.send(refused, !isUtf8(refused), from, head);
}

function learn(leg: Receiver, response: Message, log: Log): boolean {
  const refused = response.header("x-postern-refused");
  if (refused) tellRefused(leg, response.value(refused), response, log);
  if (response.header("x-postern-passed")) leg.client.tap.passedTrunk();
  if (leg.answersUs(response)) {
    leg.client.tap.judgedOffer("absorbed");
    return false;
  }
  const later = leg.dialogs.laterAnswer(response);
  if (later) {
    if (later.hangup) leg.endAnswered(later.hangup, response);
    log.info(
      { method: response.method, status: response.status },
      "a second far end answered a call, and was hung up on",
    );
    leg.client.tap.judgedOffer("dropped", "another far end has answered the call");
    return false;
  }
  const bye = leg.dialogs.refusedBye(response);
  if (leg.dialogs.received(response)) {
    leg.watch.heard(response);
    if (bye) leg.byeAgain(bye, response);
    const { method, status, via } = response;
    if (method === "REGISTER" && status >= 200) leg.bindings.answered(via.branch, status < 300);
    return true;
  }
  log.info({ method: response.method, status: response.status }, "a response from upstream was to no request here");
  leg.client.tap.judgedOffer("dropped", "to no request of this client");
  return false;
}

function tellRefused({ client }: Receiver, what: string, { status, callId }: Message, log: Log): void {
  if (what === "trunk") {
    client.tap.refusedUpstream("trunk");
    log.warn({ callId }, "no trunk took a call: Kamailio's log says what each of them did");
  } else if (what === "media") {
    client.tap.refusedUpstream("media");
    log.warn({ status, callId }, "upstream refused a call: rtpengine is gone, or full");
  } else {
    client.tap.refusedUpstream("grant");
    log.warn({ status }, "upstream refused the grant of a request: chain.secret or the clocks differ");
  }
}

/** Only what is addressed to a Contact that this leg showed, while its client may answer; all else is answered 480. */
function admit(leg: Receiver, request: Message, binary: boolean, from: Inlet, log: Log): boolean {
  if (isNewCall(request) && !leg.client.takesCalls) {
    leg.client.tap.judgedOffer("dropped", "draining");
    // 480 and not 503: Kamailio would make a 500 of it, and other devices of the user may still ring.
    leg.send(reply(replyHead(request), 480, leg.tag, ["Retry-After: 5"]), binary, from, request);
    return false;
  }
  if (request.method === "BYE") leg.watch.hungUp(request, leg.identity);
  // To an answer of our own.
  if (request.method === "ACK" && request.to.params.get("tag") === leg.tag) return false;
  const uri = parseUri(request.requestUri);
  const shown = uri !== undefined && leg.shown.has(uri.user, uri.host);
  const reached = isNew(request) ? leg.client.callable : leg.client.reachable;
  if (shown && reached && leg.dialogs.delivered(request)) {
    leg.watch.came(request, leg.identity);
    return true;
  }
  log.info({ method: request.method, shown }, "a request from upstream was not for this client");
  leg.client.tap.judgedOffer("dropped", "not for this client");
  if (request.method !== "ACK") leg.send(reply(replyHead(request), 480, leg.tag), binary, from, request);
  return false;
}

/** ACK and CANCEL follow an INVITE, with or without a To tag. */
const isNew = ({ method, to }: Message): boolean => method !== "ACK" && method !== "CANCEL" && !to.params.has("tag");
const isNewCall = (request: Message): boolean => request.method === "INVITE" && isNew(request);

/** Kamailio's word that it did not take our grant, or no trunk the call, or that rtpengine is gone, in the client's terms. */
const refusedUpstream = refusalHeaders(
  refuse("upstream-unavailable", "the telephone side does not take calls from here now: try again in a few seconds"),
)
  .map((line) => `${line}\r\n`)
  .join("");

/** Nobody but us says what is ours to say: pages show the sentences of our codes to people. */
function withoutOurs(message: Message): Buffer {
  const edits: Edit[] = [];
  for (const { name, start, end } of message.headers) {
    if (!name.startsWith("x-postern-") && name !== "postern-code") continue;
    edits.push({ start, end, text: name === "x-postern-refused" ? refusedUpstream : "" });
  }
  return edits.length === 0 ? message.bytes : splice(message.bytes, edits);
}
