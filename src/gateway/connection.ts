import { randomBytes } from "node:crypto";
import type { WebSocket } from "ws";
import { Nonces } from "../auth/nonce.ts";
import { seconds } from "../core/clock.ts";
import { type Code, PosternError, type Refusal, refuse } from "../core/errors.ts";
import { address, type Identity } from "../core/identity.ts";
import {
  authorize,
  contactRefusal,
  methodRefusal,
  originRefusal,
  referenceRefusal,
  staysHere,
} from "../policy/authorize.ts";
import { MessageRate } from "../policy/limits.ts";
import { type ReplyHead, replyHead } from "../sip/reply.ts";
import { type Contact, type Request, readContacts } from "../sip/request.ts";
import type { Header, Message } from "../sip/scan.ts";
import { addressKey, type Guest } from "./admission.ts";
import { authenticate, type FailureCount, ownCredentials, realmOf } from "./authenticate.ts";
import { nowhere, type Outward } from "./chain.ts";
import { bearerChallenge, challenge, refusalReply } from "./challenge.ts";
import type { Context } from "./context.ts";
import type { Dialog } from "./dialogs.ts";
import { bindingCap, rewriteRequest, rewriteResponse } from "./forward.ts";
import { closing } from "./handshake.ts";
import type { ClientEnd, Leg } from "./leg.ts";
import { type Parsed, parse } from "./parse.ts";
import { Inlet, Outlet } from "./pressure.ts";

export interface Peer {
  readonly address: string;
  readonly port: number;
  readonly origin: string | undefined;
}

/** Methods that exist inside a dialog only, with or without a To tag. */
const follows = new Set(["ACK", "CANCEL"]);
const dialogOnly = new Set(["BYE", "UPDATE", "INFO", "PRACK"]);
const pong = Buffer.from("\r\n");
const maxQueued = 1000;
/** Milliseconds for the client to answer a close. */
const closeGrace = 2_000;

/** One browser's WebSocket: each message goes down the list of verbs and ends as a reply, upstream, or nowhere. */
export class Connection implements Guest, ClientEnd {
  readonly id = randomBytes(8).toString("hex");
  readonly socket: WebSocket;
  readonly #inlet: Inlet;
  readonly #outlet: Outlet;
  readonly #peer: Peer;
  readonly #context: Context;
  readonly #nonces: Nonces;
  readonly #rate: MessageRate;
  readonly #failures: FailureCount;
  readonly #queue: Incoming[] = [];
  #busy = false;
  #realm: string | undefined;
  #identity: Identity | undefined;
  #leg: Leg | undefined;
  /** A request of the bound identity was accepted at least once. */
  #wasAccepted = false;
  #heard = false;
  /** Of the latest request that went upstream. */
  #viaHost = "";
  #deadline: NodeJS.Timeout | undefined;

  constructor(socket: WebSocket, peer: Peer, context: Context) {
    this.socket = socket;
    this.#inlet = new Inlet(socket);
    this.#outlet = new Outlet(socket);
    this.#peer = peer;
    this.#context = context;
    this.#nonces = new Nonces(context.nonceKey, this.id, context.clock);
    this.#rate = new MessageRate(context.clock);
    this.#failures = failuresOf(addressKey(peer.address), context);
    socket.on("message", (data: Buffer, binary: boolean) => this.#receive(data, binary));
    socket.on("error", (error) => context.log.info({ connection: this.id, reason: error.message }, "protocol error"));
  }

  get silent(): boolean {
    return !this.#heard;
  }

  /** The credential of the latest proof still stands and a request under it was accepted. */
  get accepted(): boolean {
    if (!this.#wasAccepted || !this.#identity) return false;
    return seconds(this.#context.clock) <= this.#identity.expiry + this.#identity.customer.clockSkew;
  }

  get reachable(): boolean {
    return this.accepted || (this.#leg?.dialogs.live ?? false);
  }

  makeRoom(): void {
    this.#close(refuse("limit-reached", "too many silent connections from this address"));
  }

  /** Close, and cut off who does not answer the close. */
  leave(code: number, reason: string): void {
    this.socket.close(code, reason);
    setTimeout(() => this.socket.terminate(), closeGrace).unref();
  }

  /** The browser's socket is closed. Resolves when nothing of it is left at Kamailio, or cannot be helped. */
  async end(): Promise<void> {
    clearTimeout(this.#deadline);
    this.#queue.length = 0;
    await this.#leg?.end(this.#viaHost);
  }

  deliver(bytes: Buffer, binary: boolean, from: Inlet): void {
    this.#outlet.send(bytes, binary, from);
  }

  unanswered(heads: readonly ReplyHead[]): void {
    for (const head of heads) this.#refuse(head, gone, false);
  }

  #receive(bytes: Buffer, binary: boolean): void {
    if (this.socket.readyState !== this.socket.OPEN) return;
    const rate = this.#rate.take(this.#context.limits().messagesPerSecond);
    if (rate === "flood" || this.#queue.length >= maxQueued) {
      this.#close(tooFast);
      return;
    }
    this.#queue.push({ bytes, binary, over: rate === "over" });
    if (!this.#busy) void this.#work();
  }

  /** Messages are handled one after another, for their order is the order Kamailio gets them in. */
  async #work(): Promise<void> {
    this.#busy = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        const waiting = this.#handle(next);
        if (!waiting) continue;
        const release = this.#inlet.hold();
        await waiting.finally(release);
      }
    } catch (error) {
      this.#context.log.error({ connection: this.id, err: error }, "a message could not be handled");
      this.leave(1011, "internal fault");
    } finally {
      this.#busy = false;
    }
  }

  /** A promise only where something has to be waited for. */
  #handle({ bytes, binary, over }: Incoming): Promise<void> | undefined {
    const parsed = parse(bytes, this.#context.limits().messageBytes);
    if (parsed.kind === "keep-alive") return parsed.ping ? this.#send(pong, binary) : undefined;
    this.#hear();
    if (over) return this.#slowDown(parsed, binary);
    switch (parsed.kind) {
      case "request":
        return this.#request(parsed.request, binary);
      case "response":
        return this.#response(parsed.message, binary);
      case "refused":
        return this.#refuse(parsed.head, parsed.refusal, binary);
      case "noise":
        return this.#close(parsed.refusal);
      case "dropped":
        return this.#drop(parsed.reason);
    }
  }

  #request(request: Request, binary: boolean): Promise<void> | undefined {
    if (request.method === "ACK") return this.#ack(request, binary);
    const head = replyHead(request.message);
    if (request.method === "CANCEL") return this.#cancel(request, head, binary);
    if (this.#leg?.dialogs.isPending(request.message)) return this.#refuse(head, branchInUse, binary);
    const inside = request.toTag !== undefined || dialogOnly.has(request.method);
    const judged = inside ? this.#leg?.dialogs.judgeInDialog(request) : undefined;
    if (judged?.kind === "dialog") return this.#insideDialog(request, head, judged.dialog, binary);
    if (inside && this.accepted) return this.#refuse(head, unknownDialog(judged?.sentence), binary);
    const proof = this.#prove(request, head, binary);
    if (!proof) return undefined;
    return inside
      ? this.#refuse(head, unknownDialog(judged?.sentence), binary)
      : this.#outsideDialog(request, head, proof, binary);
  }

  #outsideDialog(request: Request, head: ReplyHead, proof: Bound, binary: boolean): Promise<void> | undefined {
    const { identity } = proof;
    const rights = authorize(identity, request, this.#rights());
    if (rights.kind === "refused") return this.#refuse(head, rights.refusal, binary);
    const full = this.#limitRefusal(identity, request.method);
    if (full) return this.#refuse(head, full, binary);
    this.#accept(request, identity);
    return this.#forward({ request, head, outward: rights, binary, credentials: [proof.header] });
  }

  /** The verdicts of a dialog's own requests: method, Contact and references; the dialog itself is judged already. */
  #insideDialog(request: Request, head: ReplyHead, dialog: Dialog, binary: boolean): Promise<void> | undefined {
    const identity = this.#identity!;
    const method = request.method === "NOTIFY" ? undefined : methodRefusal(identity.customer, request.method);
    const refusal = method ?? contactRefusal(request) ?? referenceRefusal(identity, request, this.#rights());
    if (refusal) return this.#refuse(head, refusal, binary);
    if (!this.#leg!.dialogs.hasRoom("")) return this.#refuse(head, tableFull, binary);
    return this.#forward({ request, head, outward: nowhere, binary, inside: true, dialog });
  }

  #ack(request: Request, binary: boolean): Promise<void> | undefined {
    const followed = this.#leg?.dialogs.judgeAck(request) ?? "nobody's";
    if (followed === "nobody's") return undefined;
    const refusal = contactRefusal(request);
    if (refusal) return this.#drop(refusal.sentence);
    return this.#forward({ request, outward: nowhere, binary, inside: followed === "inside" });
  }

  #cancel(request: Request, head: ReplyHead, binary: boolean): Promise<void> | undefined {
    const followed = this.#leg?.dialogs.judgeCancel(request) ?? "nobody's";
    const refusal = followed === "nobody's" ? unknownInvite : contactRefusal(request);
    if (refusal) return this.#refuse(head, refusal, binary);
    return this.#forward({ request, head, outward: nowhere, binary, inside: followed === "inside" });
  }

  /** Responses go upstream where they answer what was delivered here; nobody is told of the others. */
  #response(message: Message, binary: boolean): Promise<void> | undefined {
    const leg = this.#leg;
    if (!leg) return this.#drop("a response before anything was accepted");
    const contacts = readContacts(message);
    const redirects = message.status >= 300 && message.status < 400;
    const strays =
      contacts === undefined || contacts === "*" || !contacts.every((contact) => this.#isHere(contact, leg));
    const reason = strays && !redirects ? "Contact is not on a host of this client" : leg.dialogs.judgeAnswer(message);
    if (reason !== undefined) return this.#drop(reason);
    return this.#whenOpen(leg, () => {
      if (contacts !== undefined && !redirects) leg.show(contacts);
      leg.dialogs.answered(message);
      const narrowed = leg.dialogs.towardsTrunk(message) ? passed(leg.identity) : undefined;
      leg.send(rewriteResponse(message, narrowed), binary, this.#inlet);
    });
  }

  #isHere(contact: Contact, leg: Leg): boolean {
    return leg.hasShownHost(contact.uri.host) && staysHere(contact, contact.uri.host);
  }

  /** Who sent it, bound to this connection; undefined where a reply has been given instead. */
  #prove(request: Request, head: ReplyHead, binary: boolean): Bound | undefined {
    const realm = realmOf(request, { realm: this.#realm });
    const proof = authenticate(
      request,
      { realm: this.#realm, nonces: this.#nonces, failures: this.#failures },
      this.#context.digest,
    );
    if (proof.kind === "proved") {
      const identity = this.#bind(proof.identity, realm, head, binary);
      return identity && { identity, header: proof.header };
    }
    if (proof.kind === "challenge") return this.#challenge(head, realm, proof.stale, binary);
    if (proof.kind === "refused") return this.#refuse(head, proof.refusal, binary, proof.customer?.id);
    this.#verdict(proof.refusal.code, head.method);
    this.#send(bearerChallenge(head, this.id, realm, proof.refusal), binary);
    return undefined;
  }

  /** The first proved customer, user and domain are the connection's; a newer proof of the same replaces the older. */
  #bind(identity: Identity, realm: string, head: ReplyHead, binary: boolean): Identity | undefined {
    const refusal = originRefusal(identity.customer, this.#rights());
    if (refusal) return this.#refuse(head, refusal, binary, identity.customer.id);
    const bound = this.#identity;
    if (bound && (bound.customer.id !== identity.customer.id || address(bound) !== address(identity))) {
      return this.#refuse(head, otherIdentity, binary, identity.customer.id);
    }
    this.#realm ??= realm;
    const same =
      bound?.expiry === identity.expiry && bound.customer === identity.customer && bound.secret === identity.secret;
    if (!same) this.#identity = identity;
    return this.#identity;
  }

  #accept(request: Request, identity: Identity): void {
    this.#wasAccepted = true;
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
    if (this.#leg) this.#leg.identity = identity;
    this.#verdict("accepted", request.method, identity);
  }

  #limitRefusal({ customer }: Identity, method: string): Refusal | undefined {
    const { legs } = this.#context;
    const { connections, calls } = customer.limits;
    if (this.#leg) {
      if (!this.#leg.dialogs.hasRoom(method)) return tableFull;
    } else if (connections > 0 && legs.connectionsOf(customer.id) >= connections) {
      return refuse("limit-reached", "the customer has as many connections as it may: close some");
    }
    if (method !== "INVITE" || calls === 0 || legs.callsOf(customer.id) < calls) return undefined;
    return refuse("limit-reached", "the customer has as many calls as it may: end some");
  }

  #forward(passage: Passage): Promise<void> | undefined {
    const identity = this.#identity!;
    this.#leg ??= this.#context.legs.create(identity, this.#peer, this, this.#context);
    const { head, binary } = passage;
    if (!this.#leg) return head && this.#refuse(head, noPort, binary);
    const leg = this.#leg;
    return this.#whenOpen(
      leg,
      () => this.#pass(leg, identity, passage),
      () => head && this.#refuse(head, gone, binary),
    );
  }

  #whenOpen(leg: Leg, then: () => void, otherwise: () => void = () => {}): Promise<void> | undefined {
    if (!leg.isOpen) return leg.open().then(then, unavailable(otherwise));
    then();
    return undefined;
  }

  #pass(leg: Leg, identity: Identity, passage: Passage): void {
    const { request, head, outward, binary, inside, dialog } = passage;
    const toTrunk = outward.trunk !== "" || leg.dialogs.towardsTrunk(request.message);
    const register = request.method === "REGISTER";
    const cap = register ? bindingCap(identity, seconds(this.#context.clock)) : undefined;
    if (!follows.has(request.method)) leg.show(request.contacts);
    this.#viaHost = request.message.via.host;
    if (cap !== undefined) this.#rememberRegistration(leg, request, cap);
    if (head) leg.dialogs.sent(request, head, dialog, toTrunk);
    const bytes = rewriteRequest({
      request,
      identity,
      lines: this.#context.chain().lines(identity, outward),
      inDialog: inside ?? false,
      credentials:
        passage.credentials ?? ownCredentials(request.message, this.#realm ?? "").map(({ header }) => header),
      passHeaders: toTrunk ? passed(identity) : undefined,
      capSeconds: cap,
    });
    leg.send(bytes, binary, this.#inlet);
  }

  #rememberRegistration(leg: Leg, { message, contacts }: Request, cap: number): void {
    if (contacts === "*" || contacts.length === 0) return;
    const [from, to] = ["from", "to"].map((name) => message.value(message.header(name)!));
    const { requestUri, callId, cseq } = message;
    const bound = contacts.map(({ address: contact }) => contact.uri);
    leg.registers({ requestUri, from: from!, to: to!, callId, cseq, contacts: bound }, cap);
  }

  #rights() {
    const { customers, gatewayDomains, allowMissingOrigin } = this.#context;
    return {
      customers: customers(),
      gatewayDomains: gatewayDomains(),
      origin: this.#peer.origin,
      allowMissingOrigin: allowMissingOrigin(),
      ownsDialog: (callId: string, one: string, other: string) => this.#leg?.dialogs.owns(callId, one, other) ?? false,
    };
  }

  /** From the first message on there is a time within which a request must be accepted. */
  #hear(): void {
    this.#heard = true;
    const { preAuthSeconds } = this.#context.limits();
    if (this.#deadline || preAuthSeconds === 0 || this.accepted) return;
    this.#deadline = setTimeout(() => {
      this.#deadline = undefined;
      if (!this.reachable) this.#close(refuse("limit-reached", `nothing was accepted within ${preAuthSeconds} s`));
    }, preAuthSeconds * 1000);
    this.#deadline.unref();
  }

  #slowDown(parsed: Parsed, binary: boolean): undefined {
    if (parsed.kind === "refused") return this.#refuse(parsed.head, tooFast, binary);
    if (parsed.kind !== "request" || parsed.request.method === "ACK") return this.#drop("too many messages a second");
    return this.#refuse(replyHead(parsed.request.message), tooFast, binary);
  }

  #challenge(head: ReplyHead, realm: string, stale: boolean, binary: boolean): undefined {
    this.#context.metrics.verdict("challenged");
    this.#context.log.debug({ connection: this.id, method: head.method, stale }, "challenged");
    this.#send(challenge(head, this.id, realm, this.#nonces, stale), binary);
  }

  #refuse(head: ReplyHead, refusal: Refusal, binary: boolean, customer?: string): undefined {
    this.#context.metrics.verdict(refusal.code);
    const known = customer ?? this.#identity?.customer.id;
    const { method } = head;
    this.#context.log.info(
      { connection: this.id, customer: known, method, code: refusal.code, reason: refusal.sentence },
      "refused",
    );
    this.#send(refusalReply(head, this.id, refusal), binary);
  }

  #verdict(code: Code | "accepted", method: string, identity?: Identity): void {
    this.#context.metrics.verdict(code);
    const who = identity && { customer: identity.customer.id, user: address(identity), provedBy: identity.secret };
    this.#context.log.info({ connection: this.id, ...who, method, code }, "verdict");
  }

  #drop(reason: string): undefined {
    this.#context.log.info({ connection: this.id, reason }, "dropped");
  }

  #close(refusal: Refusal): undefined {
    this.#queue.length = 0;
    this.#context.metrics.verdict(refusal.code);
    this.#context.log.info({ connection: this.id, code: refusal.code, reason: refusal.sentence }, "closed");
    this.leave(...closing(refusal));
  }

  #send(bytes: Buffer, binary: boolean): undefined {
    this.#outlet.send(bytes, binary, this.#inlet);
  }
}

interface Incoming {
  readonly bytes: Buffer;
  readonly binary: boolean;
  /** Above messagesPerSecond. */
  readonly over: boolean;
}

/** A judged request on its way upstream; head is there where it can be answered. */
interface Passage {
  readonly request: Request;
  readonly head?: ReplyHead;
  readonly outward: Outward;
  readonly binary: boolean;
  readonly inside?: boolean;
  readonly dialog?: Dialog;
  /** Where they are known already: what is not to be forwarded. */
  readonly credentials?: readonly Header[];
}

/** Who this connection is, and the header field that said so. */
interface Bound {
  readonly identity: Identity;
  readonly header: Header;
}

const branchInUse = refuse(
  "message-malformed",
  "this branch belongs to a request that is still under way: use a new one",
);
const unknownDialog = (sentence = "there is no such dialog on this connection"): Refusal =>
  refuse("dialog-unknown", sentence);
const unknownInvite = refuse("dialog-unknown", "there is no INVITE of this connection that this CANCEL follows");
const otherIdentity = refuse("identity-mismatch", "this connection is another user's: open a new one");
const tableFull = refuse("limit-reached", "this connection has as many dialogs and requests under way as it may");
const noPort = refuse("limit-reached", "this address has as many connections as it may");
const gone = refuse("upstream-unavailable", "the telephone side cannot be reached now: try again in a few seconds");
const tooFast = refuse("rate-limited", "too many messages a second: send fewer");

/** Made-up domains do not hide an address that fails at so many of them. */
const anyDomain = "";
const anyDomainFactor = 10;

function failuresOf(address: string, { failures, limits }: Context): FailureCount {
  return {
    isOver: (domain) => {
      const limit = limits().failuresPerMinute;
      return failures.isOver(address, domain, limit) || failures.isOver(address, anyDomain, limit * anyDomainFactor);
    },
    add: (domain) => {
      failures.add(address, domain);
      failures.add(address, anyDomain);
    },
  };
}

/** The only `X-` fields of this customer's pages that a trunk gets, lower case. */
const passed = ({ customer }: Identity): ReadonlySet<string> =>
  new Set(customer.passHeaders.map((name) => name.toLowerCase()));

/** What upstream's unavailability calls for; any other fault is one and goes on. */
function unavailable(otherwise: () => void): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof PosternError)) throw error;
    otherwise();
  };
}
