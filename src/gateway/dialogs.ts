import type { Clock } from "../core/clock.ts";
import { type ReplyHead, replyHead } from "../sip/reply.ts";
import { type Request, readContacts, routeUris } from "../sip/request.ts";
import type { Message } from "../sip/scan.ts";
import { uriKey } from "../sip/uri.ts";

/** A dialog that this leg established (RFC 3261 §12), from the client's point of view. */
export interface Dialog {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** The method that made it: INVITE, SUBSCRIBE or REFER. */
  readonly method: string;
  /** The client's and the other side's From or To value, tag and all. */
  readonly local: string;
  readonly localUri: string;
  readonly remote: string;
  /** Of the client's latest request in it. */
  localCseq: number;
  /** It leads to a trunk: a number was judged where it began. */
  readonly toTrunk: boolean;
  target: string;
  /** The target before the latest refresh: a request may have been under way meanwhile. */
  previousTarget: string;
  routes: readonly string[];
  confirmed: boolean;
  /** Milliseconds; a dialog with an end is forgotten after it. */
  until: number;
}

/** A request of the client that upstream has yet to answer, or an INVITE that may still be acknowledged. */
interface ClientTransaction {
  readonly head: ReplyHead;
  readonly callId: string;
  readonly cseq: number;
  readonly fromTag: string;
  readonly fromUri: string;
  readonly requestUri: string;
  readonly routes: readonly string[];
  readonly dialog: Dialog | undefined;
  readonly toTrunk: boolean;
  /** Remote tags of the dialogs it made: one that has ended is not made again by a response that comes once more. */
  readonly forks: Set<string>;
  status: number;
  until: number;
}

/** A request that was delivered to the client and waits for its answer. */
interface ServerTransaction {
  readonly head: ReplyHead;
  readonly callId: string;
  readonly fromTag: string;
  readonly fromUri: string;
  readonly toUri: string;
  readonly toTag: string | undefined;
  readonly contact: string | undefined;
  readonly recordRoutes: readonly string[];
  readonly viaHost: string;
  /** Every Via value but the topmost, whose parameters a client may add to (RFC 3581). */
  readonly vias: readonly string[];
  readonly dialog: Dialog | undefined;
  /** Local tags of the dialogs it made. */
  readonly forks: Set<string>;
  status: number;
  until: number;
}

/** What it takes to end a call in the client's place. */
export interface Hangup {
  readonly requestUri: string;
  readonly routes: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly callId: string;
  readonly cseq: number;
  /** Of the INVITE, for a CANCEL: branch and sent-by must be its own. */
  readonly via: string;
}

export interface Unfinished {
  readonly byes: readonly Hangup[];
  readonly cancels: readonly Hangup[];
  /** INVITEs that the client was to answer. */
  readonly ringing: readonly ReplyHead[];
}

export type Judged =
  | { readonly kind: "dialog"; readonly dialog: Dialog }
  | { readonly kind: "unknown"; readonly sentence: string };

/** An ACK or CANCEL that follows an INVITE inside or outside a dialog, or none that we know. */
export type Followed = "inside" | "outside" | "nobody's";

export const bounds = { dialogs: 256, transactions: 512, forks: 16, viaValues: 32 };
/** 64·T1: how long a transaction may still see its ACK or a late fork (RFC 3261 §17.1.1.2). */
const linger = 32_000;
/** No transaction of a call that rings stays longer than this without a final answer (Timer C and more). */
const patience = 600_000;
/** How long a dialog that SUBSCRIBE or REFER made stays after its latest success. */
const subscription = 3_600_000;
const forever = Number.POSITIVE_INFINITY;
const makesDialog = new Set(["INVITE", "SUBSCRIBE", "REFER"]);
const refreshesTarget = new Set(["INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY"]);

const unknown = (sentence: string): Judged => ({ kind: "unknown", sentence });
const dialogKey = (callId: string, localTag: string, remoteTag: string): string => `${callId} ${localTag} ${remoteTag}`;
const transactionKey = (message: Message): string =>
  `${message.via.branch} ${message.method === "ACK" ? "INVITE" : message.method}`;

/** The bounded table of one leg's dialogs and of the transactions that can make or end them. No I/O. */
export class Dialogs {
  readonly #clock: Clock;
  readonly #dialogs = new Map<string, Dialog>();
  readonly #client = new Map<string, ClientTransaction>();
  readonly #server = new Map<string, ServerTransaction>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Dialogs and calls under way: what an expired credential does not cut. */
  get live(): boolean {
    this.#forget();
    if (this.#dialogs.size > 0 || this.#server.size > 0) return true;
    for (const transaction of this.#client.values()) if (transaction.status < 200) return true;
    return false;
  }

  get size(): number {
    return this.#dialogs.size;
  }

  /** Calls that ring or stand; the forks of one INVITE are one, two INVITEs with one Call-ID are two. */
  get calls(): number {
    this.#forget();
    const calls = new Set<string>();
    for (const { callId, localTag, method } of this.#dialogs.values()) {
      if (method === "INVITE") calls.add(`${callId} ${localTag}`);
    }
    for (const { callId, fromTag, head, status } of this.#client.values()) {
      if (head.method === "INVITE" && status < 200) calls.add(`${callId} ${fromTag}`);
    }
    return calls.size;
  }

  /** Whether the tables can take one more request; an INVITE needs room for its dialog too. */
  hasRoom(method: string): boolean {
    this.#forget();
    if (this.#client.size >= bounds.transactions) return false;
    return !makesDialog.has(method) || this.#dialogs.size < bounds.dialogs;
  }

  /** Whether this branch is in use by another request of the client that is not answered yet. */
  isPending(message: Message): boolean {
    const transaction = this.#client.get(transactionKey(message));
    return transaction !== undefined && transaction.status < 200;
  }

  owns(callId: string, oneTag: string, otherTag: string): boolean {
    return (
      this.#dialogs.has(dialogKey(callId, oneTag, otherTag)) || this.#dialogs.has(dialogKey(callId, otherTag, oneTag))
    );
  }

  /** A client's request inside a dialog: the dialog is this leg's, its target and its route set are the learned ones. */
  judgeInDialog(request: Request): Judged {
    const dialog = this.#dialogOf(request.message, request.fromTag, request.toTag ?? "");
    if (!dialog) return unknown("no such dialog on this connection");
    if (!isTarget(dialog, request.message.requestUri)) {
      return unknown("the Request-URI is not the dialog's remote target");
    }
    if (!sameUri(request.message.from.uri, dialog.localUri)) return unknown("From is not the dialog's own");
    if (!sameRoutes(request.message, dialog.routes)) return unknown("Route is not the dialog's route set");
    return { kind: "dialog", dialog };
  }

  /** Whether this message of the client, request or response, is inside a dialog that leads to a trunk. */
  towardsTrunk(message: Message): boolean {
    const [from, to] = [message.from.params.get("tag") ?? "", message.to.params.get("tag") ?? ""];
    const dialog = message.isRequest ? this.#dialogOf(message, from, to) : this.#dialogOf(message, to, from);
    return dialog?.toTrunk ?? false;
  }

  /** CANCEL goes where its INVITE went (RFC 3261 §9.1). */
  judgeCancel(request: Request): Followed {
    const invite = this.#client.get(`${request.message.via.branch} INVITE`);
    return invite !== undefined && follows(request, invite) ? sideOf(invite) : "nobody's";
  }

  /** The ACK to a non-2xx follows its INVITE's branch, the ACK to a 2xx its dialog; any other is nobody's. */
  judgeAck(request: Request): Followed {
    const invite = this.#client.get(transactionKey(request.message));
    if (invite) return invite.status >= 300 && follows(request, invite) ? sideOf(invite) : "nobody's";
    return this.judgeInDialog(request).kind === "dialog" ? "inside" : "nobody's";
  }

  /** A client's request has gone upstream. */
  sent(request: Request, head: ReplyHead, dialog: Dialog | undefined, toTrunk = false): void {
    const { message } = request;
    if (message.method === "ACK") return;
    if (dialog) dialog.localCseq = Math.max(dialog.localCseq, message.cseq);
    if (dialog && message.method === "BYE") this.#endSoon(dialog);
    this.#client.set(transactionKey(message), {
      head,
      callId: message.callId,
      cseq: message.cseq,
      fromTag: request.fromTag,
      fromUri: message.from.uri,
      requestUri: message.requestUri,
      routes: dialog ? dialog.routes : [],
      dialog,
      toTrunk,
      forks: new Set(),
      status: 0,
      until: this.#clock.now() + patience,
    });
  }

  /** Upstream answered: dialogs are made, confirmed, refreshed and ended by what passes. */
  received(response: Message): void {
    const key = transactionKey(response);
    const transaction = this.#client.get(key);
    if (!transaction || transaction.callId !== response.callId) return;
    transaction.status = Math.max(transaction.status, response.status);
    const dialog = transaction.dialog ?? this.#learnAsCaller(response, transaction);
    if (dialog) this.#progress(dialog, response, contactOf, transaction.dialog !== undefined);
    if (response.status < 200) return;
    if (response.status >= 300) this.#endEarly(transaction);
    if (response.method === "INVITE") transaction.until = this.#clock.now() + linger;
    else this.#client.delete(key);
  }

  /** A request from upstream goes to the client. False where the table is full. */
  delivered(request: Message): boolean {
    if (request.method === "ACK") return true;
    this.#forget();
    if (this.#server.size >= bounds.transactions) return false;
    const fromTag = request.from.params.get("tag") ?? "";
    const toTag = request.to.params.get("tag");
    const dialog = this.#dialogOf(request, toTag ?? "", fromTag);
    if (dialog && request.method === "BYE") this.#endSoon(dialog);
    this.#server.set(transactionKey(request), {
      head: replyHead(request),
      callId: request.callId,
      fromTag,
      fromUri: request.from.uri,
      toUri: request.to.uri,
      toTag,
      contact: contactOf(request),
      recordRoutes: routeUris(request, "record-route") ?? [],
      viaHost: request.via.host,
      vias: viasBelow(request),
      dialog,
      forks: new Set(),
      status: 0,
      until: this.#clock.now() + patience,
    });
    return true;
  }

  /**
   * A client's response: it answers a request that was delivered here, with that request's Vias, tags and routes.
   * Undefined where it may go upstream, else why not.
   */
  judgeAnswer(response: Message): string | undefined {
    const transaction = this.#server.get(transactionKey(response));
    if (!transaction) return "a response to no request that was delivered here";
    const sameCall = transaction.callId === response.callId && transaction.fromTag === response.from.params.get("tag");
    if (!sameCall) return "Call-ID or From tag is not the request's";
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

  /** A judged response of the client has gone upstream. */
  answered(response: Message): void {
    const key = transactionKey(response);
    const transaction = this.#server.get(key);
    if (!transaction) return;
    transaction.status = Math.max(transaction.status, response.status);
    const dialog = transaction.dialog ?? this.#learnAsCallee(response, transaction);
    if (dialog) this.#progress(dialog, response, () => transaction.contact, transaction.dialog !== undefined);
    if (response.status >= 300) this.#endEarlyCallee(transaction);
    if (response.status >= 200) {
      // A 2xx to INVITE is sent again by the client until its ACK comes (RFC 3261 §13.3.1.4).
      if (response.method === "INVITE") transaction.until = this.#clock.now() + linger;
      else this.#server.delete(key);
    }
  }

  /** What upstream took and never answered; they are forgotten with this. */
  abandon(): ReplyHead[] {
    const heads: ReplyHead[] = [];
    for (const [key, transaction] of this.#client) {
      if (transaction.status >= 200) continue;
      heads.push(transaction.head);
      this.#endEarly(transaction);
      this.#client.delete(key);
    }
    return heads;
  }

  /** Calls that stand or ring, for a client that can no longer end them itself. */
  unfinished(): Unfinished {
    this.#forget();
    const byes = [...this.#dialogs.values()]
      .filter(({ method, confirmed }) => method === "INVITE" && confirmed)
      .map(byeOf);
    const cancels: Hangup[] = [];
    for (const transaction of this.#client.values()) {
      const rings = transaction.head.method === "INVITE" && transaction.status < 200 && !transaction.dialog;
      if (rings) cancels.push(cancelOf(transaction));
    }
    const asked = [...this.#server.values()].filter(({ head, status }) => head.method === "INVITE" && status < 200);
    return { byes, cancels, ringing: asked.map(({ head }) => head) };
  }

  /** How to end the call that this response to the client's INVITE confirms. */
  hangupOf(response: Message): Hangup | undefined {
    const [local, remote] = [response.from.params.get("tag") ?? "", response.to.params.get("tag") ?? ""];
    const dialog = this.#dialogOf(response, local, remote);
    return dialog && byeOf(dialog);
  }

  #dialogOf(message: Message, localTag: string, remoteTag: string): Dialog | undefined {
    const dialog = this.#dialogs.get(dialogKey(message.callId, localTag, remoteTag));
    return dialog && dialog.until > this.#clock.now() ? dialog : undefined;
  }

  #learnAsCaller(response: Message, transaction: ClientTransaction): Dialog | undefined {
    if (!canMake(response)) return undefined;
    const remoteTag = response.to.params.get("tag");
    const target = contactOf(response);
    if (remoteTag === undefined || target === undefined) return undefined;
    const known = this.#dialogs.get(dialogKey(response.callId, transaction.fromTag, remoteTag));
    if (!known && !this.#mayFork(transaction.forks, remoteTag)) return undefined;
    const routes = routeUris(response, "record-route")?.reverse() ?? [];
    if (known) {
      if (!known.confirmed) known.routes = routes;
      return known;
    }
    transaction.forks.add(remoteTag);
    const [local, remote] = [partyOf(response, "from"), partyOf(response, "to")];
    const { fromTag: localTag, fromUri: localUri, cseq: localCseq, toTrunk } = transaction;
    return this.#add(response, { localTag, remoteTag, target, routes, local, localUri, remote, localCseq, toTrunk });
  }

  #learnAsCallee(response: Message, transaction: ServerTransaction): Dialog | undefined {
    const localTag = response.to.params.get("tag");
    if (!canMake(response) || localTag === undefined || transaction.contact === undefined) return undefined;
    const known = this.#dialogs.get(dialogKey(response.callId, localTag, transaction.fromTag));
    if (known || !this.#mayFork(transaction.forks, localTag)) return known;
    transaction.forks.add(localTag);
    const [local, remote] = [partyOf(response, "to"), partyOf(response, "from")];
    const { contact: target, recordRoutes: routes, fromTag: remoteTag, toUri: localUri } = transaction;
    const learned = { localTag, remoteTag, target, routes, local, localUri, remote, localCseq: 0, toTrunk: false };
    return this.#add(response, learned);
  }

  #mayFork(forks: ReadonlySet<string>, tag: string): boolean {
    return !forks.has(tag) && forks.size < bounds.forks && this.#dialogs.size < bounds.dialogs;
  }

  #add({ callId, method }: Message, learned: Learned): Dialog {
    const dialog: Dialog = {
      ...learned,
      callId,
      method,
      previousTarget: learned.target,
      confirmed: false,
      until: method === "INVITE" ? forever : this.#clock.now() + subscription,
    };
    this.#dialogs.set(dialogKey(callId, learned.localTag, learned.remoteTag), dialog);
    return dialog;
  }

  /**
   * targetOf: asked only where the response can move the target. inside: the response answers a request inside the
   * dialog, rather than the one that makes it.
   */
  #progress(
    dialog: Dialog,
    response: Message,
    targetOf: (response: Message) => string | undefined,
    inside: boolean,
  ): void {
    const success = response.status >= 200 && response.status < 300;
    if (success && refreshesTarget.has(response.method)) refresh(dialog, targetOf(response));
    if (!inside && success) dialog.confirmed = true;
    if (success && dialog.method !== "INVITE") dialog.until = this.#clock.now() + subscription;
    const over = (response.method === "BYE" && response.status >= 200) || (inside && response.status === 481);
    if (over) this.#dialogs.delete(dialogKey(dialog.callId, dialog.localTag, dialog.remoteTag));
    // The far end of a 408 may live: the client is to send BYE (RFC 3261 §12.2.1.2), and that BYE must pass.
    else if (inside && response.status === 408) this.#endSoon(dialog);
  }

  /** What ends a dialog may itself never be answered. */
  #endSoon(dialog: Dialog): void {
    dialog.until = Math.min(dialog.until, this.#clock.now() + linger);
  }

  /** A refused INVITE leaves no early dialog behind. */
  #endEarly(transaction: ClientTransaction): void {
    if (transaction.dialog) return;
    for (const [key, dialog] of this.#dialogs) {
      const made = dialog.callId === transaction.callId && dialog.localTag === transaction.fromTag;
      if (made && !dialog.confirmed && dialog.method === transaction.head.method) this.#dialogs.delete(key);
    }
  }

  #endEarlyCallee(transaction: ServerTransaction): void {
    if (transaction.dialog) return;
    for (const [key, dialog] of this.#dialogs) {
      const made = dialog.callId === transaction.callId && dialog.remoteTag === transaction.fromTag;
      if (made && !dialog.confirmed && dialog.method === transaction.head.method) this.#dialogs.delete(key);
    }
  }

  /** Drop what time has ended. Runs only where a table is asked for room or life, over bounded tables. */
  #forget(): void {
    const now = this.#clock.now();
    for (const [key, transaction] of this.#server) {
      if (transaction.until > now) continue;
      this.#endEarlyCallee(transaction);
      this.#server.delete(key);
    }
    for (const [key, dialog] of this.#dialogs) if (dialog.until <= now) this.#dialogs.delete(key);
    for (const [key, transaction] of this.#client) {
      if (transaction.until > now) continue;
      this.#endEarly(transaction);
      this.#client.delete(key);
    }
  }
}

type Learned = Pick<
  Dialog,
  "toTrunk" | "localTag" | "remoteTag" | "target" | "routes" | "local" | "localUri" | "remote" | "localCseq"
>;

const partyOf = (message: Message, name: "from" | "to"): string => message.value(message.header(name)!);

const byeOf = ({ target, routes, local, remote, callId, localCseq }: Dialog): Hangup => ({
  requestUri: target,
  routes,
  from: local,
  to: remote,
  callId,
  cseq: localCseq + 1,
  via: "",
});

const cancelOf = ({ head, requestUri, callId, cseq }: ClientTransaction): Hangup => ({
  requestUri,
  routes: [],
  from: head.from,
  to: head.to,
  callId,
  cseq,
  via: head.via[0]!,
});

const canMake = (response: Message): boolean =>
  makesDialog.has(response.method) && response.status > 100 && response.status < 300;

/** The one Contact URI of a message, undefined where there is none to go by. */
function contactOf(message: Message): string | undefined {
  const contacts = readContacts(message);
  return contacts === undefined || contacts === "*" || contacts.length !== 1 ? undefined : contacts[0]!.address.uri;
}

function refresh(dialog: Dialog, target: string | undefined): void {
  if (target === undefined || dialog.target === target) return;
  dialog.previousTarget = dialog.target;
  dialog.target = target;
}

function isTarget(dialog: Dialog, requestUri: string): boolean {
  if (requestUri === dialog.target || requestUri === dialog.previousTarget) return true;
  const key = uriKey(requestUri);
  return key !== undefined && (key === uriKey(dialog.target) || key === uriKey(dialog.previousTarget));
}

/** Clients write URIs anew from what they were sent. */
const sameUri = (written: string, known: string): boolean =>
  written === known || (uriKey(written) ?? written) === uriKey(known);

function sameRoutes(message: Message, learned: readonly string[]): boolean {
  const routes = routeUris(message, "route");
  if (routes?.length !== learned.length) return false;
  return routes.every((uri, at) => sameUri(uri, learned[at]!));
}

function follows(request: Request, invite: ClientTransaction): boolean {
  const { message } = request;
  return (
    message.callId === invite.callId &&
    message.cseq === invite.cseq &&
    request.fromTag === invite.fromTag &&
    message.requestUri === invite.requestUri &&
    (invite.dialog === undefined || sameRoutes(message, invite.routes))
  );
}

const sideOf = (invite: ClientTransaction): Followed => (invite.dialog ? "inside" : "outside");

const sameList = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((value, at) => value === other[at]);

const viasBelow = (message: Message): string[] =>
  message
    .values("via")
    .slice(1, bounds.viaValues)
    .map(({ text }) => text);
