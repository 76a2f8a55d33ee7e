import type { Clock } from "../core/clock.ts";
import type { Message } from "../sip/message.ts";
import { type Request, readContacts, routeUris } from "../sip/request.ts";
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
  /** The client's own Contact URI; undefined where it showed none to go by. */
  readonly contact: string | undefined;
  /** Of the other side's latest request in it; 0 where there was none. */
  remoteCseq: number;
  target: string;
  /** The target before the latest refresh: a request may have been under way meanwhile. */
  previousTarget: string;
  routes: readonly string[];
  confirmed: boolean;
  /** Milliseconds; a dialog with an end is forgotten after it. */
  until: number;
}

export type Judged =
  | { readonly kind: "dialog"; readonly dialog: Dialog }
  | { readonly kind: "unknown"; readonly sentence: string };

/** What a dialog is made of. */
export type Learned = Pick<
  Dialog,
  | "toTrunk"
  | "localTag"
  | "remoteTag"
  | "target"
  | "routes"
  | "local"
  | "localUri"
  | "remote"
  | "localCseq"
  | "contact"
  | "remoteCseq"
>;

export const maxDialogs = 256;
/** 64·T1: how long a transaction may still see its ACK or a late fork (RFC 3261 §17.1.1.2). */
export const linger = 32_000;
/** No transaction of a call that rings stays longer than this without a final answer (Timer C and more). */
export const patience = 600_000;
/** How long a dialog that SUBSCRIBE or REFER made stays after its latest success. */
const subscription = 3_600_000;
const forever = Number.POSITIVE_INFINITY;
const refreshesTarget = new Set(["INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY"]);

const unknown = (sentence: string): Judged => ({ kind: "unknown", sentence });
const dialogKey = (callId: string, localTag: string, remoteTag: string): string => `${callId} ${localTag} ${remoteTag}`;

/** The dialogs of one leg, bounded. No I/O. */
export class DialogTable {
  readonly #clock: Clock;
  readonly #dialogs = new Map<string, Dialog>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#dialogs.size;
  }

  get isFull(): boolean {
    return this.#dialogs.size >= maxDialogs;
  }

  values(): IterableIterator<Dialog> {
    return this.#dialogs.values();
  }

  owns(callId: string, oneTag: string, otherTag: string): boolean {
    return (
      this.#dialogs.has(dialogKey(callId, oneTag, otherTag)) || this.#dialogs.has(dialogKey(callId, otherTag, oneTag))
    );
  }

  /** One that has not ended. */
  find(callId: string, localTag: string, remoteTag: string): Dialog | undefined {
    const dialog = this.known(callId, localTag, remoteTag);
    return dialog && dialog.until > this.#clock.now() ? dialog : undefined;
  }

  /** One that is remembered, though it may have ended. */
  known(callId: string, localTag: string, remoteTag: string): Dialog | undefined {
    return this.#dialogs.get(dialogKey(callId, localTag, remoteTag));
  }

  /** A client's request inside a dialog: the dialog is this leg's, its target and its route set are the learned ones. */
  judge(request: Request): Judged {
    const dialog = this.find(request.message.callId, request.fromTag, request.toTag ?? "");
    if (!dialog) return unknown("no such dialog on this connection");
    if (!isTarget(dialog, request.message.requestUri)) {
      return unknown("the Request-URI is not the dialog's remote target");
    }
    if (!sameUri(request.message.from.uri, dialog.localUri)) return unknown("From is not the dialog's own");
    if (!sameRoutes(request.message, dialog.routes)) return unknown("Route is not the dialog's route set");
    // The far end would refuse it (RFC 3261 §12.2.2), and Kamailio take the call for over all the same.
    if (request.method === "BYE" && request.message.cseq <= dialog.localCseq)
      return unknown("CSeq of BYE does not rise");
    return { kind: "dialog", dialog };
  }

  add({ callId, method }: Message, learned: Learned): Dialog {
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
  progress(
    dialog: Dialog,
    response: Message,
    targetOf: (response: Message) => string | undefined,
    inside: boolean,
  ): void {
    const success = response.status >= 200 && response.status < 300;
    if (success && refreshesTarget.has(response.method)) refresh(dialog, targetOf(response));
    if (!inside && success) dialog.confirmed = true;
    if (success && dialog.method !== "INVITE") dialog.until = this.#clock.now() + subscription;
    // What made it ends with a 481 inside; a call does not, for whoever calls can have one said (RFC 5057 §5.2).
    if (inside && response.status === 481 && dialog.method !== "INVITE") this.end(dialog);
  }

  end(dialog: Dialog): void {
    this.#dialogs.delete(dialogKey(dialog.callId, dialog.localTag, dialog.remoteTag));
  }

  /** What was to end it has ended nothing. */
  goesOn(dialog: Dialog): void {
    if (dialog.method === "INVITE") dialog.until = forever;
  }

  /** What ends a dialog may itself never be answered. */
  endSoon(dialog: Dialog): void {
    dialog.until = Math.min(dialog.until, this.#clock.now() + linger);
  }

  /** The early dialogs of a transaction that failed. made: whether one is of that transaction. */
  endEarly(method: string, made: (dialog: Dialog) => boolean): void {
    for (const [key, dialog] of this.#dialogs) {
      if (!dialog.confirmed && dialog.method === method && made(dialog)) this.#dialogs.delete(key);
    }
  }

  /** Drop what time has ended. */
  forget(): void {
    const now = this.#clock.now();
    for (const [key, dialog] of this.#dialogs) if (dialog.until <= now) this.#dialogs.delete(key);
  }
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
export const sameUri = (written: string, known: string): boolean =>
  written === known || (uriKey(written) ?? written) === uriKey(known);

export function sameRoutes(message: Message, learned: readonly string[]): boolean {
  const routes = routeUris(message, "route");
  if (routes?.length !== learned.length) return false;
  return routes.every((uri, at) => sameUri(uri, learned[at]!));
}

/** The one Contact URI of a message, undefined where there is none to go by. */
export function contactOf(message: Message): string | undefined {
  const contacts = readContacts(message);
  return contacts === undefined || contacts === "*" || contacts.length !== 1 ? undefined : contacts[0]!.address.uri;
}
