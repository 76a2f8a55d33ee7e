import type { Message } from "../sip/message.ts";
import { routeUris } from "../sip/request.ts";
import type { Hangup } from "./calls.ts";
import { contactOf, type Learned } from "./dialog-table.ts";
import type { ClientTransaction, ServerTransaction } from "./transactions.ts";

export const makesDialog: ReadonlySet<string> = new Set(["INVITE", "SUBSCRIBE", "REFER"]);

/** Whether a response can make a dialog (RFC 3261 §12.1). */
export const canMake = (response: Message): boolean =>
  makesDialog.has(response.method) && response.status > 100 && response.status < 300;

/** The route set of who asked (RFC 3261 §12.1.2). */
export const routeSet = (response: Message): readonly string[] => routeUris(response, "record-route")?.reverse() ?? [];

/** The dialog that this response to the client makes. */
export const asCaller = (
  response: Message,
  { fromTag, fromUri, cseq, toTrunk, contact }: ClientTransaction,
  { remoteTag, target }: Pick<Learned, "remoteTag" | "target">,
): Learned => ({
  localTag: fromTag,
  remoteTag,
  target,
  routes: routeSet(response),
  local: partyOf(response, "from"),
  localUri: fromUri,
  remote: partyOf(response, "to"),
  localCseq: cseq,
  remoteCseq: 0,
  toTrunk,
  contact,
});

/** The dialog that this response of the client makes. */
export const asCallee = (
  response: Message,
  { fromTag, toUri, cseq, toTrunk, recordRoutes }: ServerTransaction,
  { localTag, target }: Pick<Learned, "localTag" | "target">,
): Learned => ({
  localTag,
  remoteTag: fromTag,
  target,
  routes: recordRoutes,
  local: partyOf(response, "to"),
  localUri: toUri,
  remote: partyOf(response, "from"),
  localCseq: 0,
  remoteCseq: cseq,
  toTrunk,
  contact: contactOf(response),
});

/** What ends a fork of which no dialog is kept. */
export const forkOf = (response: Message, { cseq }: ClientTransaction, requestUri: string): Hangup => ({
  requestUri,
  routes: routeSet(response),
  from: partyOf(response, "from"),
  to: partyOf(response, "to"),
  callId: response.callId,
  cseq: cseq + 1,
  via: "",
});

const partyOf = (message: Message, name: "from" | "to"): string => message.value(message.header(name)!);
