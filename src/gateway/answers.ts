import { isUtf8 } from "node:buffer";
import type { Nonces } from "../auth/nonce.ts";
import { domainName } from "../core/counted.ts";
import { type Code, type Refusal, refuse } from "../core/errors.ts";
import { address, type Identity } from "../core/identity.ts";
import type { RefusedVisit } from "../core/verdicts.ts";
import { kindOf } from "../policy/destination.ts";
import type { ReplyHead } from "../sip/reply.ts";
import type { Request } from "../sip/request.ts";
import type { Tap } from "../telemetry/tap.ts";
import { bearerChallenge, challenge, refusalReply } from "./challenge.ts";
import type { Context } from "./context.ts";
import type { Inlet, Outlet } from "./pressure.ts";

/** A request as it can be answered: its head, and the kind of frame it came in. */
export interface Asked {
  readonly head: ReplyHead;
  readonly binary: boolean;
  /** Where it could be read whole. */
  readonly request?: Request;
}

export interface AnswersParts {
  readonly connection: string;
  /** Of the client: what bans strangers reads it from the log. */
  readonly address: string;
  readonly origin: string | undefined;
  readonly inlet: Inlet;
  readonly outlet: Outlet;
  readonly nonces: Nonces;
  readonly tap: Tap;
  readonly context: Pick<Context, "log" | "metrics" | "verdicts">;
}

/** What the gateway itself says to a client: each verdict is said, counted and logged once. */
export class Answers {
  readonly #parts: AnswersParts;

  constructor(parts: AnswersParts) {
    this.#parts = parts;
  }

  send(bytes: Buffer, binary: boolean): undefined {
    this.#parts.outlet.send(bytes, binary, this.#parts.inlet);
  }

  challenge({ head, binary }: Asked, realm: string, stale: boolean): undefined {
    const { connection, address, context, nonces } = this.#parts;
    this.#parts.tap.judged("challenged");
    context.metrics.verdict("challenged");
    context.log.debug({ connection, address, method: head.method, stale }, "challenged");
    this.#reply(head, challenge(head, connection, realm, nonces, stale), binary);
  }

  /** customer: its id, where it is proved. */
  refuse({ head, binary, request }: Asked, refusal: Refusal, customer?: string): undefined {
    this.#note(refusal, "refused", { customer, method: head.method }, request);
    this.#reply(head, refusalReply(head, this.#parts.connection, refusal), binary);
  }

  badToken({ head, binary, request }: Asked, realm: string, refusal: Refusal, customer?: string): undefined {
    this.#note(refusal, "refused", { customer, method: head.method }, request);
    this.#reply(head, bearerChallenge(head, this.#parts.connection, realm, refusal), binary);
  }

  /** Nobody is told: responses and ACKs have no answer. */
  drop(reason: string): undefined {
    const { connection, address, context } = this.#parts;
    this.#parts.tap.judged("dropped", reason);
    context.log.info({ connection, address, reason }, "dropped");
  }

  accepted(method: string, identity: Identity): void {
    const { connection, address: from, context } = this.#parts;
    const who = { customer: identity.customer.id, user: address(identity), provedBy: identity.provedBy.id };
    const { expiry } = identity;
    this.#parts.tap.judged("accepted", "", { customer: who.customer, provedBy: who.provedBy, expiry });
    context.metrics.verdict("accepted", identity.customer.id);
    context.verdicts.accepted(identity);
    context.log.info({ connection, address: from, ...who, method, code: "accepted" }, "accepted");
  }

  closed(refusal: Refusal): void {
    this.#note(refusal, "closed", {});
  }

  #reply(head: ReplyHead, bytes: Buffer, binary: boolean): void {
    this.#parts.tap.toClient(head, bytes);
    // A browser closes over text that is no UTF-8 (RFC 6455 §8.1), and this may have come in another frame than it goes.
    this.send(bytes, binary || !isUtf8(bytes));
  }

  #note(
    refusal: Refusal,
    event: string,
    more: { customer?: string | undefined; method?: string },
    request?: Request,
  ): void {
    const { connection, address, origin, context } = this.#parts;
    const { code, sentence } = refusal;
    this.#parts.tap.judged(code, sentence);
    context.metrics.verdict(code, more.customer);
    context.verdicts.refused({ refusal, way: "sip", address, origin, ...more, ...aboutOf(request) });
    context.log.info({ connection, address, ...more, code, reason: sentence }, event);
  }
}

/** Whom a request says that it is of, and what it is for; neither is proved by it. */
function aboutOf(request: Request | undefined): Pick<RefusedVisit, "claimed" | "user" | "destination"> {
  if (!request) return {};
  const { from, uri } = request;
  const user = from.user === undefined ? from.host : `${from.user}@${from.host}`;
  return { claimed: domainName(from.host), user, destination: kindOf(uri) };
}

const refusal = (code: Code, sentence: string): Refusal => refuse(code, sentence);

/** Refusals that the connection itself utters. */
export const refusals = {
  branchInUse: refusal("message-malformed", "this branch belongs to a request that is still under way: use a new one"),
  callInUse: refusal(
    "message-malformed",
    "this Call-ID and From tag are of a call that rings or stands: use others for another call",
  ),
  unknownInvite: refusal("dialog-unknown", "there is no INVITE of this connection that this CANCEL follows"),
  changed: refusal("credential-revoked", "the customer was changed just now: send the request again"),
  revoked: refusal("credential-revoked", "the customer has taken back what this connection was proved by"),
  otherIdentity: refusal("identity-mismatch", "this connection is another user's: open a new one"),
  tableFull: refusal("limit-reached", "this connection has as many dialogs and requests under way as it may"),
  oneCall: refusal(
    "credential-replayed",
    "this credential was good for one call, which has been placed: get a new one",
  ),
  tokenOver: refusal("credential-expired", "the token of this connection has ended: connect with a new one"),
  conferenceOver: refusal(
    "credential-expired",
    "the conference that this connection's token is good for has ended: connect with a new one",
  ),
  conferenceBusy: refusal(
    "limit-reached",
    "this credential is good for one call at a time, which rings or stands: end that one first",
  ),
  stateFull: refusal("limit-reached", "too many credentials for a single use are in use: try again in a minute"),
  noPort: refusal("limit-reached", "this address has as many connections as it may"),
  connections: refusal("limit-reached", "the customer has as many connections as it may: close some"),
  turnover: refusal(
    "limit-reached",
    "the customer's connections come and go too fast: try again in a few seconds, and keep one for several calls",
  ),
  userConnections: refusal("limit-reached", "this user has as many connections as it may: close one"),
  calls: refusal("limit-reached", "the customer has as many calls as it may: end some"),
  callsPerMinute: refusal("limit-reached", "the customer has begun as many calls as it may in a minute: call later"),
  registrations: refusal("limit-reached", "the customer has as many registrations as it may: end some"),
  overloaded: refusal("limit-reached", "this gateway has more to do than it can: connect again in a few seconds"),
  crowded: refusal("limit-reached", "too many silent connections from this address"),
  draining: refusal("draining", "this gateway is about to stop: connect again and call from there"),
  gone: refusal("upstream-unavailable", "the telephone side cannot be reached now: try again in a few seconds"),
  tooFast: refusal("rate-limited", "too many messages a second: send fewer"),
  unknownDialog: (sentence = "there is no such dialog on this connection"): Refusal =>
    refuse("dialog-unknown", sentence),
  tooLate: (after: number): Refusal => refuse("limit-reached", `nothing was accepted within ${after} s`),
};
