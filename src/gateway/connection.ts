import type { WebSocket } from "ws";
import type { CallRecord } from "../core/calls.ts";
import { seconds } from "../core/clock.ts";
import type { Refusal } from "../core/errors.ts";
import type { CallsThen, Customer, Identity } from "../core/identity.ts";
import type { Session } from "../core/runtime.ts";
import { contactRefusal } from "../policy/authorize.ts";
import type { Header, Message } from "../sip/message.ts";
import { type ReplyHead, replyHead } from "../sip/reply.ts";
import type { Request } from "../sip/request.ts";
import type { ConnectionState } from "../telemetry/metrics.ts";
import { Tap } from "../telemetry/tap.ts";
import type { About, Party } from "../telemetry/trace.ts";
import type { Guest } from "./admission.ts";
import { Answers, type Asked, refusals } from "./answers.ts";
import { refusedCall } from "./call-record.ts";
import { nowhere, type Outward } from "./chain.ts";
import type { Context } from "./context.ts";
import type { Dialog } from "./dialog-table.ts";
import type { Drainable } from "./drain.ts";
import { Ending } from "./ending.ts";
import { bindingCap } from "./forward.ts";
import { type Incoming, Intake } from "./intake.ts";
import { beginsAnew, conferenceRefusal, insideRefusal, judgeOutside, type Whence } from "./judge.ts";
import type { ClientEnd, Leg } from "./leg.ts";
import { claimCall, unclaimCall } from "./one-call.ts";
import { aboutOf, type Parsed, parse } from "./parse.ts";
import { judgeResponse, passRequest, passResponse, whenOpen } from "./pass.ts";
import { Inlet, Outlet } from "./pressure.ts";
import { type Attended, sessionOf } from "./sessions.ts";
import { type Watched, watchToken } from "./token-end.ts";
import { type Proof, type Proved, Visitor } from "./visitor.ts";

export interface Peer {
  /** Of the connection: a name that no other has. */
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly origin: string | undefined;
  /** Where it reached the gateway. */
  readonly gateway: Party;
  /** Whom the token of the handshake proved. */
  readonly vouched?: Identity | undefined;
}

/** Methods that exist inside a dialog only, with or without a To tag. */
const dialogOnly = new Set(["BYE", "UPDATE", "INFO", "PRACK"]);
const pong = Buffer.from("\r\n");

/** A request, and how it can be answered. */
interface Question extends Asked {
  readonly request: Request;
}

/** What its verdicts add to a request that may go upstream. */
interface Leave {
  readonly outward?: Outward;
  readonly inside?: boolean;
  readonly dialog?: Dialog;
  readonly credentials?: readonly Header[];
}

/** One browser's WebSocket: each message goes down the list of verbs and ends as a reply, upstream, or nowhere. */
export class Connection implements Guest, ClientEnd, Drainable, Attended {
  readonly id: string;
  readonly tap: Tap;
  readonly #inlet: Inlet;
  readonly #outlet: Outlet;
  readonly #peer: Peer;
  readonly #context: Context;
  readonly #visitor: Visitor;
  readonly #answers: Answers;
  readonly #intake: Intake;
  readonly #ending: Ending;
  /** Milliseconds. */
  readonly #since: number;
  #leg: Leg | undefined;
  #heard = false;
  #deadline: NodeJS.Timeout | undefined;
  #unwatch: (() => void) | undefined;

  constructor(socket: WebSocket, peer: Peer, context: Context) {
    const [inlet, outlet] = [new Inlet(socket), new Outlet(socket)];
    this.id = peer.id;
    this.#inlet = inlet;
    this.#outlet = outlet;
    this.#peer = peer;
    this.#context = context;
    this.#since = context.clock.now();
    const { metrics, trace } = context;
    this.tap = new Tap({ connection: this.id, client: peer, gateway: peer.gateway, metrics, trace });
    const { address, origin, vouched } = peer;
    this.#visitor = new Visitor({ connection: this.id, address, origin, vouched, context });
    this.#answers = new Answers({
      connection: this.id,
      address: peer.address,
      origin: peer.origin,
      inlet,
      outlet,
      nonces: this.#visitor.nonces,
      tap: this.tap,
      context,
    });
    this.#intake = new Intake({
      socket,
      inlet,
      clock: context.clock,
      messagesPerSecond: () => context.limits().messagesPerSecond,
      handle: (incoming) => this.#handle(incoming),
      inTurn: (work) => this.#inTurn(work),
      readOn: (release) => this.#readOn(release),
      flood: () => this.#close(refusals.tooFast),
      fault: (error) => {
        context.log.error({ connection: this.id, err: error }, "a message could not be handled");
        this.#ending.fail();
      },
    });
    this.#ending = new Ending({
      connection: this.id,
      socket,
      answers: this.#answers,
      tap: this.tap,
      context,
      leg: () => this.#leg,
      clear: () => this.#intake.clear(),
    });
    if (vouched) this.#unwatch = watchToken(this.#token());
    socket.on("error", (error) =>
      context.log.info({ connection: this.id, address: peer.address, reason: error.message }, "protocol error"),
    );
  }

  get silent(): boolean {
    return !this.#heard;
  }

  get state(): ConnectionState {
    if (this.silent) return "silent";
    return this.#visitor.accepted ? "accepted" : "unaccepted";
  }

  get callable(): boolean {
    return this.#ending.isOpen && this.#isWelcome;
  }

  get reachable(): boolean {
    return this.#ending.isOpen && this.#isServed;
  }

  /** Its credential stands, and it is not to go. */
  get #isWelcome(): boolean {
    return this.#visitor.accepted && !this.#ending.notice;
  }

  /** Why what had to be waited for may not begin any more. */
  get #barred(): Refusal | undefined {
    return this.#ending.notice ?? (this.#visitor.takenBack && this.#visitor.takenBackWhy);
  }

  /** Its credential still stands, or a call of it goes on. */
  get #isServed(): boolean {
    return this.#visitor.accepted || (this.#leg?.dialogs.live ?? false);
  }

  get takesCalls(): boolean {
    return !this.#context.draining();
  }

  get inCall(): boolean {
    return (this.#leg?.calls ?? 0) > 0;
  }

  dismiss(): void {
    if (this.#ending.isOpen) this.#close(refusals.draining);
  }

  /** Of whom it is; undefined before the first proof. */
  get customer(): string | undefined {
    return this.#visitor.customer;
  }

  /** Its customer was changed. alsoRemoved: a secret or key that is gone takes along what it proved. */
  dismissRevoked(alsoRemoved: boolean): void {
    const visitor = this.#visitor;
    if (alsoRemoved && visitor.revoked) this.sendAway("end", refusals.revoked);
    else if (visitor.takenBack) this.sendAway(visitor.takenBack, visitor.takenBackWhy, () => !!visitor.takenBack);
  }

  sendAway(calls: CallsThen, refusal: Refusal, stands?: () => boolean): void {
    this.#ending.sendAway(calls, refusal, stands);
  }

  get lingers(): boolean {
    return this.#ending.lingers;
  }

  /** As who manages sees it; undefined before the first proof. */
  get session(): Session | undefined {
    const { identity } = this.#visitor;
    if (!identity) return undefined;
    return sessionOf({ id: this.id, peer: this.#peer, since: this.#since, identity, leg: this.#leg });
  }

  get liveCalls(): readonly CallRecord[] {
    return this.#leg?.watch.records ?? [];
  }

  hangUp(id: string): boolean {
    return this.#ending.hangUp(id);
  }

  makeRoom(): void {
    this.#close(refusals.crowded);
  }

  /**
   * The browser's socket is closed. Its leg stays for goneSeconds, or until hurry. Resolves when nothing of it is left
   * at Kamailio, or cannot be helped.
   */
  async end(hurry: AbortSignal): Promise<void> {
    clearTimeout(this.#deadline);
    this.#unwatch?.();
    await this.#ending.end(hurry);
  }

  deliver(bytes: Buffer, binary: boolean, from: Inlet, about: About): void {
    this.tap.toClient(about, bytes);
    this.#outlet.send(bytes, binary, from);
  }

  unanswered(heads: readonly ReplyHead[]): void {
    for (const head of heads) this.#refuse({ head, binary: false }, refusals.gone);
  }

  /** A promise only where something has to be waited for. */
  #handle({ bytes, binary, over }: Incoming): Promise<void> | undefined {
    const parsed = parse(bytes, this.#context.limits().messageBytes);
    if (parsed.kind === "keep-alive") return parsed.ping ? this.#answers.send(pong, binary) : undefined;
    this.#hear();
    const about = aboutOf(parsed);
    if (about) this.tap.fromClient(about, bytes);
    if (over) return this.#slowDown(parsed, binary);
    switch (parsed.kind) {
      case "request":
        return this.#request(parsed.request, binary);
      case "response":
        return this.#response(parsed.message, binary);
      case "refused":
        return this.#refuse({ head: parsed.head, binary }, parsed.refusal);
      case "noise":
        return this.#close(parsed.refusal);
      case "dropped":
        return this.#answers.drop(parsed.reason);
    }
  }

  #request(request: Request, binary: boolean): Promise<void> | undefined {
    if (request.method === "ACK") return this.#ack(request, binary);
    const asked = { request, head: replyHead(request.message), binary };
    if (request.method === "CANCEL") return this.#cancel(asked);
    if (this.#leg?.dialogs.isPending(request.message)) return this.#refuse(asked, refusals.branchInUse);
    const inside = request.toTag !== undefined || dialogOnly.has(request.method);
    if (!inside && request.method === "INVITE" && this.#leg?.dialogs.hasCall(request))
      return this.#refuse(asked, refusals.callInUse);
    const judged = inside ? this.#leg?.dialogs.judgeInDialog(request) : undefined;
    const unknown = judged?.kind === "dialog" ? undefined : judged?.sentence;
    const known = judged?.kind === "dialog" ? judged.dialog : undefined;
    if (known && (this.#isWelcome || !beginsAnew(request))) return this.#insideDialog(asked, known);
    if (!known && inside && this.#visitor.accepted) return this.#refuse(asked, refusals.unknownDialog(unknown));
    const next = (proof: Proof): Promise<void> | undefined => {
      if (this.#ending.isOver) return undefined;
      const proved = this.#proved(asked, proof);
      if (!proved) return undefined;
      if (this.#ending.notice) return this.#turnDown(asked, this.#ending.notice, proved.identity);
      if (known) return this.#insideDialog(asked, known);
      if (inside) return this.#refuse(asked, refusals.unknownDialog(unknown));
      return this.#outsideDialog(asked, proved);
    };
    const proof = this.#visitor.prove(request);
    return proof instanceof Promise ? proof.then(next) : next(proof);
  }

  /** Undefined where an answer has been given instead. */
  #proved(asked: Question, proof: Proof): Proved | undefined {
    switch (proof.kind) {
      case "proved":
        return proof;
      case "challenge":
        return this.#answers.challenge(asked, this.#visitor.realmOf(asked.request), proof.stale);
      case "refused":
        this.#noteRefused(asked.request, proof.refusal, proof.customer);
        return this.#answers.refuse(asked, proof.refusal, proof.customer?.id);
      case "bad-token":
        this.#noteRefused(asked.request, proof.refusal, proof.customer);
        return this.#answers.badToken(asked, this.#visitor.realmOf(asked.request), proof.refusal, proof.customer?.id);
    }
  }

  #outsideDialog(asked: Question, { identity, header }: Proved): Promise<void> | undefined {
    const { request } = asked;
    const refuse = (refusal: Refusal): undefined => this.#turnDown(asked, refusal, identity);
    const rights = judgeOutside(identity, request, this.#whence);
    if (rights.kind === "refused") return refuse(rights.refusal);
    const next = (other: Refusal | undefined): Promise<void> | undefined => {
      if (this.#ending.isOver) return undefined;
      const claimed = other ?? this.#barred;
      if (claimed) return refuse(claimed);
      if (!this.#isInTime(identity, request)) return this.#unclaimed(asked, identity, refusals.callsPerMinute);
      this.#accept(request.method, identity);
      return this.#forward(asked, { outward: rights, ...(header && { credentials: [header] }) });
    };
    const claimed = claimCall(identity, request, this.#context.state);
    return claimed instanceof Promise ? claimed.then(next) : next(claimed);
  }

  #insideDialog(asked: Question, dialog: Dialog): Promise<void> | undefined {
    const refusal = insideRefusal(this.#visitor.identity!, asked.request, this.#whence);
    return refusal ? this.#refuse(asked, refusal) : this.#forward(asked, { inside: true, dialog });
  }

  #ack(request: Request, binary: boolean): Promise<void> | undefined {
    const followed = this.#leg?.dialogs.judgeAck(request) ?? "nobody's";
    if (followed === "nobody's") {
      this.tap.judged("absorbed");
      return undefined;
    }
    const refusal = contactRefusal(request);
    if (refusal) return this.#answers.drop(refusal.sentence);
    return this.#forward({ request, binary }, { inside: followed === "inside" });
  }

  #cancel(asked: Question): Promise<void> | undefined {
    const followed = this.#leg?.dialogs.judgeCancel(asked.request) ?? "nobody's";
    const refusal = followed === "nobody's" ? refusals.unknownInvite : contactRefusal(asked.request);
    if (refusal) return this.#refuse(asked, refusal);
    return this.#forward(asked, { inside: followed === "inside" });
  }

  /** Responses go upstream where they answer what was delivered here; nobody is told of the others. */
  #response(message: Message, binary: boolean): Promise<void> | undefined {
    const leg = this.#leg;
    const reason = leg ? judgeResponse(leg, message) : "a response before anything was accepted";
    if (!leg || reason !== undefined) return this.#answers.drop(reason ?? "");
    this.tap.judged("accepted");
    const credentials = this.#visitor.credentialsIn(message);
    return whenOpen(leg, () => passResponse(leg, message, { binary, credentials }, this.#inlet));
  }

  #accept(method: string, identity: Identity): void {
    if (!this.#isServed) this.#context.strangers.accept();
    this.#visitor.accept();
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
    if (this.#leg) this.#leg.identity = identity;
    this.#answers.accepted(method, identity);
  }

  /** Last of all, for a call that is refused for something else is none. */
  #isInTime({ customer }: Identity, { method }: Request): boolean {
    return method !== "INVITE" || this.#context.callRate.take(customer.id, customer.limits.callsPerMinute);
  }

  /** It went nowhere: what is good for one call may be shown again. */
  #unclaimed(asked: Question, identity: Identity, refusal: Refusal): Promise<void> | undefined {
    this.#turnDown(asked, refusal, identity);
    const done = unclaimCall(identity, asked.request, this.#context.state);
    return done instanceof Promise ? done : undefined;
  }

  /** head: where it can be answered. */
  #forward(asked: Omit<Question, "head"> & { head?: ReplyHead }, leave: Leave): Promise<void> | undefined {
    const identity = this.#visitor.identity!;
    const { request, head, binary } = asked;
    const refuse = (refusal: Refusal): undefined =>
      head && this.#turnDown({ head, binary, request }, refusal, identity);
    this.#leg ??= this.#context.legs.create(identity, this.#peer, this, this.#context);
    if (!this.#leg) return refuse(refusals.noPort);
    const leg = this.#leg;
    leg.viaHost = request.message.via.host;
    const {
      outward = nowhere,
      inside = false,
      dialog,
      credentials = this.#visitor.credentialsIn(request.message),
    } = leave;
    leg.callWaits = request.method === "INVITE" && !inside;
    if (request.method === "REGISTER") leg.bindings.asked(request, bindingCap(identity, seconds(this.#context.clock)));
    const turnBack = (refusal: Refusal): void => {
      leg.bindings.answered(request.message.via.branch, false);
      refuse(refusal);
    };
    const pass = (): void => {
      if (this.#ending.isOver) return;
      leg.callWaits = false;
      const barred = inside ? undefined : (this.#barred ?? conferenceRefusal(identity, request, this.#context));
      if (barred) {
        turnBack(barred);
        return;
      }
      this.tap.judged("accepted");
      const [lines, now] = [this.#context.chain().lines(identity, outward), seconds(this.#context.clock)];
      const passage = { request, identity, head, outward, binary, inside, dialog, credentials, lines, now };
      passRequest(leg, passage, this.#inlet);
    };
    return whenOpen(leg, pass, () => {
      leg.callWaits = false;
      turnBack(refusals.gone);
      return inside ? undefined : unclaimCall(identity, request, this.#context.state);
    });
  }

  get #whence(): Whence {
    return { origin: this.#peer.origin, leg: this.#leg, context: this.#context };
  }

  /** Who was accepted, or is in a call yet, does not wait for who was not, and is served where memory is short. */
  #inTurn(work: () => Promise<void> | undefined): Promise<void> | undefined {
    if (this.#isServed) return work();
    if (this.#context.memoryShort()) return this.#close(refusals.overloaded);
    return this.#context.strangers.run(this.#peer.address, work);
  }

  /** Where strangers wait, another one is not read before its turn. */
  #readOn(release: (() => void) | undefined): void {
    const { strangers } = this.#context;
    if (this.#isServed || strangers.idle) release?.();
    else strangers.read(this.#peer.address, release ?? this.#inlet.hold());
  }

  /** From the first message on there is a time within which a request must be accepted. */
  #hear(): void {
    this.#heard = true;
    const { preAuthSeconds } = this.#context.limits();
    if (this.#deadline || preAuthSeconds === 0 || this.#visitor.accepted) return;
    this.#deadline = setTimeout(() => {
      this.#deadline = undefined;
      if (!this.reachable) this.#close(refusals.tooLate(preAuthSeconds));
    }, preAuthSeconds * 1000);
    this.#deadline.unref();
  }

  #token(): Watched {
    return {
      left: () => this.#visitor.tokenLeft,
      inDialog: () => this.#leg?.dialogs.live ?? false,
      over: () => this.#close(refusals.tokenOver),
      endsEarly: this.#visitor.identity?.narrowing.conference !== undefined,
    };
  }

  #slowDown(parsed: Parsed, binary: boolean): undefined {
    if (parsed.kind === "refused") return this.#refuse({ head: parsed.head, binary }, refusals.tooFast);
    if (parsed.kind !== "request" || parsed.request.method === "ACK") {
      return this.#answers.drop(refusals.tooFast.sentence);
    }
    return this.#refuse({ head: replyHead(parsed.request.message), binary }, refusals.tooFast);
  }

  #refuse(asked: Asked, refusal: Refusal): undefined {
    return this.#answers.refuse(asked, refusal, this.#visitor.identity?.customer.id);
  }

  /** A request outside a dialog, after the proof. */
  #turnDown(asked: Question, refusal: Refusal, identity: Identity): undefined {
    this.#noteRefused(asked.request, refusal, identity);
    return this.#refuse(asked, refusal);
  }

  /** who: nobody where nothing is proved, and then there is no record. */
  #noteRefused(request: Request, refusal: Refusal, who: Identity | Customer | undefined): void {
    if (who === undefined || request.method !== "INVITE" || request.toTag !== undefined) return;
    const { calls, clock, gatewayId } = this.#context;
    calls.note(refusedCall(request, who, refusal, { gateway: gatewayId, at: clock.now() }));
  }

  #close(refusal: Refusal): undefined {
    return this.#ending.close(refusal);
  }
}
