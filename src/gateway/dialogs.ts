import type { Clock } from "../core/clock.ts";
import type { Message } from "../sip/message.ts";
import type { ReplyHead } from "../sip/reply.ts";
import type { Request } from "../sip/request.ts";
import {
  byeOf,
  type CallName,
  type Calls,
  callsIn,
  countCalls,
  endsAtClient,
  endsUpstream,
  type Hangup,
  isCall,
  isOf,
  rings,
  type Unfinished,
} from "./calls.ts";
import { contactOf, type Dialog, DialogTable, type Judged, linger, patience } from "./dialog-table.ts";
import { asCallee, asCaller, canMake, forkOf, makesDialog, routeSet } from "./learned.ts";
import {
  answerFault,
  answers,
  askedByClient,
  askedOfClient,
  type ClientTransaction,
  type Followed,
  follows,
  type ServerTransaction,
  sideOf,
  transactionKey,
} from "./transactions.ts";

export const bounds = { transactions: 512, forks: 16 };

/** The bounded table of one leg's dialogs and of the transactions that can make or end them. No I/O. */
export class Dialogs {
  readonly #clock: Clock;
  readonly #dialogs: DialogTable;
  readonly #client = new Map<string, ClientTransaction>();
  readonly #server = new Map<string, ServerTransaction>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#dialogs = new DialogTable(clock);
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
    if (this.#dialogs.size === 0 && this.#client.size === 0) return 0;
    this.#forget();
    return countCalls(this.#dialogs.values(), this.#client.values());
  }

  /** Whether the Call-ID and From tag are of a call that rings or stands: two calls under them would be counted as one. */
  hasCall({ message: { callId }, fromTag }: Request): boolean {
    for (const one of this.#dialogs.values())
      if (isCall(one) && one.callId === callId && one.localTag === fromTag) return true;
    for (const one of this.#client.values())
      if (rings(one) && one.callId === callId && one.fromTag === fromTag) return true;
    return false;
  }

  /** Whether a call of this Call-ID that the client placed or took rings or stands. */
  isInCall(callId: string): boolean {
    this.#forget();
    for (const one of this.#dialogs.values()) if (isCall(one) && one.callId === callId) return true;
    for (const one of this.#client.values()) if (rings(one) && one.callId === callId) return true;
    return false;
  }

  /** Whether the tables can take one more request; an INVITE needs room for its dialog too. */
  hasRoom(method: string): boolean {
    this.#forget();
    if (this.#client.size >= bounds.transactions) return false;
    return !makesDialog.has(method) || !this.#dialogs.isFull;
  }

  /** Whether this branch is in use by another request of the client that is not answered yet. */
  isPending(message: Message): boolean {
    const transaction = this.#client.get(transactionKey(message));
    return transaction !== undefined && transaction.status < 200;
  }

  owns(callId: string, oneTag: string, otherTag: string): boolean {
    return this.#dialogs.owns(callId, oneTag, otherTag);
  }

  judgeInDialog(request: Request): Judged {
    return this.#dialogs.judge(request);
  }

  /** Whether this message of the client goes to a trunk: a request inside such a dialog, a response to what came from one. */
  towardsTrunk(message: Message): boolean {
    const [from, to] = [message.from.params.get("tag") ?? "", message.to.params.get("tag") ?? ""];
    if (message.isRequest) return this.#dialogs.find(message.callId, from, to)?.toTrunk ?? false;
    const answered = this.#server.get(transactionKey(message)) ?? this.#dialogs.find(message.callId, to, from);
    return answered?.toTrunk ?? false;
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
    return this.#dialogs.judge(request).kind === "dialog" ? "inside" : "nobody's";
  }

  /** A client's request has gone upstream. */
  sent(request: Request, head: ReplyHead, dialog: Dialog | undefined, toTrunk = false): void {
    const { message } = request;
    if (message.method === "ACK") return;
    if (dialog) dialog.localCseq = Math.max(dialog.localCseq, message.cseq);
    if (dialog && message.method === "BYE") this.#dialogs.endSoon(dialog);
    const key = transactionKey(message);
    const before = this.#client.get(key);
    if (before) this.#endEarly(before);
    this.#client.set(key, askedByClient(request, head, { dialog, toTrunk, until: this.#clock.now() + patience }));
  }

  /**
   * Upstream answered: dialogs are made, confirmed, refreshed and ended by what passes. False where it answers no
   * request of this client, or one that has its final answer: it is nobody's then.
   */
  received(response: Message): boolean {
    const key = transactionKey(response);
    const transaction = this.#client.get(key);
    if (!transaction || !answers(response, transaction)) return false;
    transaction.status = Math.max(transaction.status, response.status);
    if (confirms(response)) transaction.answeredBy ??= response.to.params.get("tag") ?? "";
    const dialog = transaction.dialog ?? this.#learnAsCaller(response, transaction);
    if (dialog) this.#dialogs.progress(dialog, response, contactOf, transaction.dialog !== undefined);
    if (response.status < 200) return true;
    if (dialog && response.method === "BYE") this.#hungUp(dialog, response.status);
    if (response.status >= 300) this.#endEarly(transaction);
    if (response.method === "INVITE") transaction.until = this.#clock.now() + linger;
    else this.#client.delete(key);
    return true;
  }

  /**
   * A 2xx from another far end than the one whose 2xx came first: the call is that one's, and this one is to be ended (RFC 3261
   * §13.2.2.4). hangup: how, where it showed a Contact. Undefined for any other response.
   */
  laterAnswer(response: Message): { readonly hangup?: Hangup } | undefined {
    const transaction = this.#client.get(transactionKey(response));
    if (!transaction || transaction.dialog || !confirms(response) || !answers(response, transaction)) return undefined;
    const tag = response.to.params.get("tag") ?? "";
    if (transaction.answeredBy === undefined || transaction.answeredBy === tag) return undefined;
    const requestUri = contactOf(response);
    const ofMany = transaction.forks.size >= bounds.forks && !transaction.forks.has(tag);
    if (requestUri === undefined || ofMany) return {};
    transaction.forks.add(tag);
    return { hangup: forkOf(response, transaction, requestUri) };
  }

  /**
   * The client's BYE was refused, or never answered: what a client puts into it may be what the far end's parser drops, while
   * Kamailio takes the call for over and bounds it no more. How to say it once more without that; undefined for all else.
   */
  refusedBye(response: Message): Hangup | undefined {
    if (response.method !== "BYE" || response.status < 300 || response.status === 481) return undefined;
    const dialog = this.#client.get(transactionKey(response))?.dialog;
    return dialog?.method === "INVITE" ? byeOf(dialog) : undefined;
  }

  /** The gateway's own BYE in it was answered. */
  byeAnswered(response: Message): void {
    const [local, remote] = [response.from.params.get("tag") ?? "", response.to.params.get("tag") ?? ""];
    const dialog = this.#dialogs.known(response.callId, local, remote);
    if (dialog) this.#hungUp(dialog, response.status);
  }

  /** A request from upstream goes to the client. False where the table is full of what rings or was just taken. */
  delivered(request: Message): boolean {
    if (request.method === "ACK") return true;
    this.#forget();
    if (this.#server.size >= bounds.transactions && !this.#forgetIdle()) return false;
    const fromTag = request.from.params.get("tag") ?? "";
    const dialog = this.#dialogs.find(request.callId, request.to.params.get("tag") ?? "", fromTag);
    if (dialog && request.method === "BYE") this.#dialogs.endSoon(dialog);
    if (dialog) dialog.remoteCseq = Math.max(dialog.remoteCseq, request.cseq);
    if (request.method === "CANCEL") this.#giveUp(request);
    this.#server.set(transactionKey(request), askedOfClient(request, { dialog, until: this.#clock.now() + patience }));
    return true;
  }

  /** Whoever asked is told by itself that it is over (RFC 3261 §9.1); the client that says nothing to it rings no more. */
  #giveUp({ via: { branch } }: Message): void {
    const invite = this.#server.get(`${branch} INVITE`);
    if (invite) invite.until = Math.min(invite.until, this.#clock.now() + linger);
  }

  /**
   * Who sends what this client does not answer, or refuses, keeps nobody else from it: of that the oldest goes. False
   * where there is none.
   */
  #forgetIdle(): boolean {
    for (const [key, { status }] of this.#server) {
      if (status > 0 && status < 300) continue;
      this.#server.delete(key);
      return true;
    }
    return false;
  }

  /** Why a client's response may not go upstream; undefined where it may. */
  judgeAnswer(response: Message): string | undefined {
    const transaction = this.#server.get(transactionKey(response));
    return transaction ? answerFault(transaction, response) : "a response to no request that was delivered here";
  }

  /** A judged response of the client has gone upstream. */
  answered(response: Message): void {
    const key = transactionKey(response);
    const transaction = this.#server.get(key);
    if (!transaction) return;
    transaction.status = Math.max(transaction.status, response.status);
    const dialog = transaction.dialog ?? this.#learnAsCallee(response, transaction);
    if (dialog) this.#dialogs.progress(dialog, response, () => transaction.contact, transaction.dialog !== undefined);
    if (response.status >= 300) this.#endEarlyCallee(transaction);
    if (response.status >= 200) {
      if (dialog && response.method === "BYE") this.#dialogs.end(dialog);
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

  /** What ends at upstream the calls that stand or ring, or one of them alone. */
  unfinished(one?: CallName): Unfinished {
    return endsUpstream(this.#calls(one));
  }

  /** The same at the client, which hears it as if from the other side. */
  unfinishedAtClient(one?: CallName): Unfinished {
    return endsAtClient(this.#calls(one));
  }

  /**
   * It was ended in its parties' place: nothing of it is theirs any more. An INVITE that still rings stays known with its
   * forks, for its answer may make a call yet.
   */
  endCall(one: CallName): void {
    const { offered } = this.#calls(one);
    for (const dialog of this.#dialogs.values()) {
      const tag = one.outgoing ? dialog.localTag : dialog.remoteTag;
      const isOver = dialog.confirmed || !one.outgoing;
      if (dialog.method === "INVITE" && isOver && isOf(one, dialog.callId, tag)) this.#dialogs.end(dialog);
    }
    for (const transaction of offered) {
      for (const [key, other] of this.#server) if (other === transaction) this.#server.delete(key);
    }
  }

  #calls(one: CallName | undefined): Calls {
    this.#forget();
    const [client, server] = [this.#client.values(), this.#server.values()];
    return callsIn({ dialogs: this.#dialogs.values(), client, server }, one);
  }

  /** How to end the call that this response to the client's INVITE confirms. */
  hangupOf(response: Message): Hangup | undefined {
    const [local, remote] = [response.from.params.get("tag") ?? "", response.to.params.get("tag") ?? ""];
    const dialog = this.#dialogs.find(response.callId, local, remote);
    return dialog && byeOf(dialog);
  }

  #learnAsCaller(response: Message, transaction: ClientTransaction): Dialog | undefined {
    const remoteTag = response.to.params.get("tag");
    if (!canMake(response) || remoteTag === undefined) return undefined;
    const known = this.#dialogs.known(response.callId, transaction.fromTag, remoteTag);
    if (known) {
      if (!known.confirmed) known.routes = routeSet(response);
      return known;
    }
    const target = contactOf(response);
    if (target === undefined || !this.#mayFork(transaction.forks, remoteTag)) return undefined;
    transaction.forks.add(remoteTag);
    return this.#dialogs.add(response, asCaller(response, transaction, { remoteTag, target }));
  }

  #learnAsCallee(response: Message, transaction: ServerTransaction): Dialog | undefined {
    const localTag = response.to.params.get("tag");
    const target = transaction.contact;
    if (!canMake(response) || localTag === undefined || target === undefined) return undefined;
    const known = this.#dialogs.known(response.callId, localTag, transaction.fromTag);
    if (known || !this.#mayFork(transaction.forks, localTag)) return known;
    transaction.forks.add(localTag);
    return this.#dialogs.add(response, asCallee(response, transaction, { localTag, target }));
  }

  /** Any other answer to the client's BYE may come from who was on the way: the far end goes on, and its call is counted. */
  #hungUp(dialog: Dialog, status: number): void {
    if (status < 300 || status === 408 || status === 481) this.#dialogs.end(dialog);
    else this.#dialogs.goesOn(dialog);
  }

  #mayFork(forks: ReadonlySet<string>, tag: string): boolean {
    return !forks.has(tag) && forks.size < bounds.forks && !this.#dialogs.isFull;
  }

  /** A refused INVITE leaves no early dialog behind; those of another try under the same Call-ID and tag are not its. */
  #endEarly({ dialog: inside, callId, fromTag, head, forks }: ClientTransaction): void {
    const isOurs = (one: Dialog): boolean => one.callId === callId && one.localTag === fromTag;
    if (!inside) this.#dialogs.endEarly(head.method, (one) => isOurs(one) && forks.has(one.remoteTag));
  }

  #endEarlyCallee({ dialog: inside, callId, fromTag, head, forks }: ServerTransaction): void {
    const isOurs = (one: Dialog): boolean => one.callId === callId && one.remoteTag === fromTag;
    if (!inside) this.#dialogs.endEarly(head.method, (one) => isOurs(one) && forks.has(one.localTag));
  }

  /** Drop what time has ended. Runs only where a table is asked for room or life, over bounded tables. */
  #forget(): void {
    const now = this.#clock.now();
    for (const [key, transaction] of this.#server) {
      if (transaction.until > now) continue;
      this.#endEarlyCallee(transaction);
      this.#server.delete(key);
    }
    this.#dialogs.forget();
    for (const [key, transaction] of this.#client) {
      if (transaction.until > now) continue;
      this.#endEarly(transaction);
      this.#client.delete(key);
    }
  }
}

const confirms = ({ method, status }: Message): boolean => method === "INVITE" && status >= 200 && status < 300;
