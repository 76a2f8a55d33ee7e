import type { Message } from "../sip/message.ts";
import { type ReplyHead, replyHead } from "../sip/reply.ts";
import { type Request, routeUris } from "../sip/request.ts";
import { contactOf, type Dialog, sameRoutes, sameUri } from "./dialog-table.ts";

/** A request of the client that upstream has yet to answer, or an INVITE that may still be acknowledged. */
export interface ClientTransaction {
  readonly head: ReplyHead;
  readonly callId: string;
  readonly cseq: number;
  readonly fromTag: string;
  readonly fromUri: string;
  readonly requestUri: string;
  readonly routes: readonly string[];
  readonly dialog: Dialog | undefined;
  readonly toTrunk: boolean;
  readonly contact: string | undefined;
  /** Remote tags of the dialogs it made: one that has ended is not made again by a response that comes once more. */
  readonly forks: Set<string>;
  /** Remote tag of its first 2xx, outside a dialog. */
  answeredBy?: string;
  status: number;
  until: number;
}

/** A request that was delivered to the client and waits for its answer. */
export interface ServerTransaction {
  readonly head: ReplyHead;
  readonly callId: string;
  readonly cseq: number;
  readonly fromTag: string;
  readonly fromUri: string;
  readonly toUri: string;
  readonly requestUri: string;
  readonly toTag: string | undefined;
  readonly contact: string | undefined;
  readonly recordRoutes: readonly string[];
  readonly viaHost: string;
  /** Every Via value but the topmost, whose parameters a client may add to (RFC 3581). */
  readonly vias: readonly string[];
  readonly dialog: Dialog | undefined;
  /** It came from a trunk. */
  readonly toTrunk: boolean;
  /** Local tags of the dialogs it made. */
  readonly forks: Set<string>;
  status: number;
  until: number;
}

/** An ACK or CANCEL that follows an INVITE inside or outside a dialog, or none that we know. */
export type Followed = "inside" | "outside" | "nobody's";

const viaValues = 32;

/** A client's request that has gone upstream. until: milliseconds. */
export const askedByClient = (
  request: Request,
  head: ReplyHead,
  { dialog, toTrunk, until }: Pick<ClientTransaction, "dialog" | "toTrunk" | "until">,
): ClientTransaction => ({
  head,
  callId: request.message.callId,
  cseq: request.message.cseq,
  fromTag: request.fromTag,
  fromUri: request.message.from.uri,
  requestUri: request.message.requestUri,
  routes: dialog ? dialog.routes : [],
  dialog,
  toTrunk,
  contact: ownContact(request),
  forks: new Set(),
  status: 0,
  until,
});

/** A request that is delivered to the client. until: milliseconds. */
export const askedOfClient = (
  request: Message,
  { dialog, until }: Pick<ServerTransaction, "dialog" | "until">,
): ServerTransaction => ({
  head: replyHead(request),
  callId: request.callId,
  cseq: request.cseq,
  fromTag: request.from.params.get("tag") ?? "",
  fromUri: request.from.uri,
  toUri: request.to.uri,
  requestUri: request.requestUri,
  toTag: request.to.params.get("tag"),
  contact: contactOf(request),
  recordRoutes: routeUris(request, "record-route") ?? [],
  viaHost: request.via.host,
  vias: viasBelow(request),
  dialog,
  toTrunk: dialog?.toTrunk ?? request.header("x-postern-trunk") !== undefined,
  forks: new Set(),
  status: 0,
  until,
});

/** A transaction is known by its branch and method (RFC 3261 §17.1.3); the ACK to a non-2xx by its INVITE's. */
export const transactionKey = (message: Message): string =>
  `${message.via.branch} ${message.method === "ACK" ? "INVITE" : message.method}`;

/** Whether a response is this request's in everything that a response takes over from it (RFC 3261 §8.2.6.2). */
export const answers = (response: Message, { callId, cseq, fromTag }: ClientTransaction): boolean =>
  response.callId === callId && response.cseq === cseq && response.from.params.get("tag") === fromTag;

/** Whether an ACK or CANCEL is its INVITE's in everything that says where it goes. */
export function follows(request: Request, invite: ClientTransaction): boolean {
  const { message } = request;
  return (
    message.callId === invite.callId &&
    message.cseq === invite.cseq &&
    request.fromTag === invite.fromTag &&
    message.requestUri === invite.requestUri &&
    (invite.dialog === undefined || sameRoutes(message, invite.routes))
  );
}

export const sideOf = (invite: ClientTransaction): Followed => (invite.dialog ? "inside" : "outside");

/**
 * Why a client's response does not answer this request: it takes over the request's Vias, CSeq, tags and routes
 * (RFC 3261 §8.2.6). Undefined where it does.
 */
export function answerFault(transaction: ServerTransaction, response: Message): string | undefined {
  const sameCall = transaction.callId === response.callId && transaction.fromTag === response.from.params.get("tag");
  if (!sameCall) return "Call-ID or From tag is not the request's";
  if (transaction.cseq !== response.cseq) return "CSeq is not the request's";
  if (!sameUri(response.from.uri, transaction.fromUri) || !sameUri(response.to.uri, transaction.toUri)) {
    return "From or To is not the request's";
  }
  if (transaction.toTag !== undefined && transaction.toTag !== response.to.params.get("tag")) {
    return "To tag is not the request's";
  }
  if (response.via.host !== transaction.viaHost || !sameList(viasBelow(response), transaction.vias))
    return "the Via list is not the request's";
  const routes = routeUris(response, "record-route");
  if (!routes || (routes.length > 0 && !sameList(routes, transaction.recordRoutes))) {
    return "Record-Route is not the request's";
  }
  return response.header("path") ? "Path is not the request's" : undefined;
}

const sameList = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((value, at) => value === other[at]);

/** The one that the client's request shows. */
const ownContact = ({ contacts }: Request): string | undefined =>
  contacts === "*" || contacts.length !== 1 ? undefined : contacts[0]!.address.uri;

const viasBelow = (message: Message): string[] =>
  message
    .values("via")
    .slice(1, viaValues)
    .map(({ text }) => text);
