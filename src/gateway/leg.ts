import { randomBytes } from "node:crypto";
import type { WebSocket } from "ws";
import type { CallSink, EndReason } from "../core/calls.ts";
import type { Clock } from "../core/clock.ts";
import { PosternError } from "../core/errors.ts";
import { address, type Identity } from "../core/identity.ts";
import type { Message } from "../sip/message.ts";
import type { ReplyHead } from "../sip/reply.ts";
import type { Log } from "../telemetry/log.ts";
import type { Tap } from "../telemetry/tap.ts";
import type { About } from "../telemetry/trace.ts";
import { Bindings } from "./bindings.ts";
import { CallWatch } from "./call-watch.ts";
import type { CallName, Hangup } from "./calls.ts";
import type { Chain } from "./chain.ts";
import type { CallConferences } from "./conferences.ts";
import { deliver, type Receiver } from "./deliver.ts";
import { Dialogs } from "./dialogs.ts";
import { ackAndBye, farewell, farewellToLate, hangup, newVia, type Registration, unregister } from "./farewell.ts";
import { answered, keysOf, say } from "./own-words.ts";
import { Inlet, Outlet } from "./pressure.ts";
import { Registered } from "./registered.ts";
import { Retry } from "./retry.ts";
import { Shown } from "./shown.ts";
import { transactionKey } from "./transactions.ts";
import { AddressTaken, type Announced, type Opened, openUpstream, type UpstreamOptions } from "./upstream.ts";

/** The browser's end of a leg. */
export interface ClientEnd {
  /** Its credential still stands: what is new may come to it. */
  readonly callable: boolean;
  /** The same, or a call of it goes on: what belongs to that may come. */
  readonly reachable: boolean;
  /** Not while the gateway drains. */
  readonly takesCalls: boolean;
  /** What passes on the leg is counted and traced as this client's. */
  readonly tap: Tap;
  deliver(bytes: Buffer, binary: boolean, from: Inlet, about: About): void;
  /** Upstream is gone: what it never answered is answered here. */
  unanswered(heads: readonly ReplyHead[]): void;
}

/** What a leg works with. Functions are asked anew each time, for a reload may change what they say. */
export interface LegParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly upstream: () => UpstreamOptions;
  readonly chain: () => Chain;
  /** until: milliseconds; Kamailio may hold a binding under the leg's address so long. */
  readonly ended: (leg: Leg, until: number) => void;
  /** Another address in the place of one that another gateway's leg has; undefined where there is none left. */
  readonly elsewhere: (taken: Announced) => Announced | undefined;
  /** What tells this gateway from others at the same Kamailio. */
  readonly gatewayId: string;
  /** Told of every call. */
  readonly calls: CallSink;
  /** Told who is in which. */
  readonly parties: CallConferences;
}

/** Addresses that are tried where another gateway has them. */
const mostAddresses = 8;

/**
 * The upstream connection of one proved identity, with the one address it announces to Kamailio. Its two ends, the
 * browser's socket and the upstream socket, may each be replaced; dialogs, Contacts and the address stay.
 */
export class Leg implements Receiver {
  identity: Identity;
  announced: Announced;
  readonly dialogs: Dialogs;
  readonly watch: CallWatch;
  readonly bindings: Bindings;
  readonly shown = new Shown();
  readonly client: ClientEnd;
  /** An INVITE waits for this leg to open: a call already, where calls are counted. */
  callWaits = false;
  /** The host of the Via of the client's latest request: what is said in its place shows the same. */
  viaHost = "";
  /** To tag of responses of our own to upstream. */
  readonly tag = randomBytes(8).toString("hex");
  readonly #parts: LegParts;
  #upstream: { readonly socket: WebSocket; readonly url: string; readonly outlet: Outlet } | undefined;
  #opening: Promise<void> | undefined;
  readonly #retry = new Retry();
  #ended = false;
  #ending: Promise<void> | undefined;
  /** Transactions of the gateway's own beside the client's; lost with the connection. */
  readonly #own = new Set<string>();
  /** Its binding is to be taken back while calls go on. */
  #withdrawn = false;
  readonly #registered: Registered;

  constructor(identity: Identity, announced: Announced, client: ClientEnd, parts: LegParts) {
    this.identity = identity;
    this.announced = announced;
    this.client = client;
    this.#parts = parts;
    this.dialogs = new Dialogs(parts.clock);
    this.watch = new CallWatch(parts);
    this.bindings = new Bindings(parts.clock);
    this.#registered = new Registered(parts.clock);
  }

  get isOpen(): boolean {
    return this.#upstream?.socket.readyState === 1;
  }

  /** Calls that ring or stand, or are about to. */
  get calls(): number {
    return this.dialogs.calls + (this.callWaits ? 1 : 0);
  }

  /** Open upstream, or wait for the opening under way. Rejects with upstream-unavailable. */
  open(): Promise<void> {
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** cause: what is to wait where upstream is slow. */
  send(bytes: Buffer, binary: boolean, cause: Inlet, about: About): void {
    if (!this.#upstream) return;
    this.client.tap.toUpstream(about, bytes);
    this.#upstream.outlet.send(bytes, binary, cause);
  }

  /** A REGISTER that binds for so many seconds has gone upstream. */
  registers(registration: Registration, forSeconds: number): void {
    this.#withdrawn = false;
    this.#registered.add(registration, forSeconds, this.#upstream?.url);
  }

  get isRegistered(): boolean {
    return this.#registered.current !== undefined;
  }

  /** This url no longer answers: a leg on it goes to another. */
  leaveUpstream(url: string): void {
    if (this.#upstream?.url === url && !this.#ended) this.#lost(this.#upstream.socket, 1006);
  }

  /** Its client gets nothing new any more: the binding is taken back, and calls go on. */
  withdraw(): void {
    this.#withdrawn = true;
    const registration = this.#registered.current;
    if (!registration) return;
    this.say([unregister(registration, newVia(this.viaHost), this.#parts.chain().lines(this.identity))]);
  }

  /** Says something in the client's place; the answers are not the client's. Nothing where upstream is not open. */
  say(words: readonly Buffer[]): void {
    if (!this.#upstream || this.#ended) return;
    for (const bytes of words) {
      for (const key of keysOf(bytes)) this.#own.add(key);
      say(this.#upstream.socket, bytes, this.client.tap);
    }
  }

  /** Ends one of its calls upstream; whatever is still answered to it is the gateway's to hear. */
  hangUp(call: CallName): void {
    const lines = this.#parts.chain().lines(this.identity);
    const { dialogs, tag, viaHost: host } = this;
    this.say(farewell({ dialogs, registration: undefined, lines, host, tag }, call));
    this.dialogs.endCall(call);
  }

  /** Ends the call that a 2xx made which its client is not to have. */
  endAnswered(call: Hangup, response: Message): void {
    this.say(ackAndBye(call, response, response.via.host, this.#parts.chain().lines(this.identity)));
  }

  /** The client's BYE once more, without anything of the client's. */
  byeAgain(call: Hangup, { via: { host } }: Message): void {
    this.say([hangup("BYE", call, newVia(host), this.#parts.chain().lines(this.identity))]);
  }

  /** Whether this answers the gateway's own word. */
  answersUs(response: Message): boolean {
    const key = transactionKey(response);
    if (!this.#own.has(key)) return false;
    if (response.status < 200) return true;
    if (response.method === "INVITE") return this.#cancelled(response);
    this.#own.delete(key);
    if (response.method === "REGISTER" && response.status < 300) this.#unbound();
    if (response.method === "BYE") {
      this.dialogs.byeAnswered(response);
      this.watch.heard(response);
    }
    return true;
  }

  /** The answer to an INVITE that was hung up while it rang: one that crossed the CANCEL has made a call, which is ended. */
  #cancelled(response: Message): true {
    const host = response.via.host;
    const parts = { dialogs: this.dialogs, registration: undefined, tag: this.tag, host };
    if (response.status >= 300) this.dialogs.received(response);
    this.say(farewellToLate({ ...parts, lines: this.#parts.chain().lines(this.identity) }, response));
    this.dialogs.endCall({ callId: response.callId, tag: response.from.params.get("tag") ?? "", outgoing: true });
    return true;
  }

  /** Taken back at the one upstream that had it. */
  #unbound(): void {
    if (!this.#registered.isOnlyAt(this.#upstream?.url)) return;
    this.#registered.clear();
    this.bindings.clear();
  }

  get isEnding(): boolean {
    return this.#ended;
  }

  /** The browser is gone: what it leaves behind is ended in its place, then upstream is closed. reason: why its calls end. */
  end(reason: EndReason = "socket-lost"): Promise<void> {
    this.#ending ??= this.#end(reason);
    return this.#ending;
  }

  async #end(reason: EndReason): Promise<void> {
    this.#ended = true;
    this.watch.close(reason);
    this.#retry.stop();
    // Whoever got the address meanwhile would be announced beside it. A failure is in the log.
    await this.#opening?.catch(() => {});
    const tidy = await this.#takeLeave();
    this.#upstream?.socket.close(1000);
    this.#parts.ended(this, tidy ? 0 : this.#registered.until);
  }

  /** Whether upstream has answered everything within the time it has. */
  async #takeLeave(): Promise<boolean> {
    const registration = this.#registered.current;
    const lines = this.#parts.chain().lines(this.identity);
    const parts = { dialogs: this.dialogs, registration, lines, host: this.viaHost, tag: this.tag };
    const words = farewell(parts);
    if (words.length === 0) return true;
    const upstream = this.#upstream ?? (await this.#openOnceMore());
    if (!upstream) return false;
    const { socket, url } = upstream;
    socket.removeAllListeners("message");
    const { tap } = this.client;
    const leaving = answered(socket, words, tap, (response) => farewellToLate(parts, response));
    for (const message of words) say(socket, message, tap);
    const tidy = await leaving;
    socket.close(1000);
    return tidy && (registration === undefined || this.#registered.isOnlyAt(url));
  }

  async #openOnceMore(): Promise<Opened | undefined> {
    const { upstream, log } = this.#parts;
    try {
      const opened = await openUpstream(upstream(), this.announced, this.#headers());
      this.client.tap.upstream(opened.remote);
      return opened;
    } catch (error) {
      if (!(error instanceof PosternError)) throw error;
      log.warn(
        { upstream: error.message, user: address(this.identity) },
        "a client left and upstream could not be told",
      );
      return undefined;
    }
  }

  async #open(): Promise<void> {
    const { log } = this.#parts;
    if (this.#upstream) this.#lost(this.#upstream.socket, 1006);
    try {
      const opened = await this.#openSomewhere(mostAddresses);
      if (this.#ended) opened.socket.terminate();
      else this.#attach(opened);
    } catch (error) {
      const cause = error instanceof PosternError ? error.message : "an unexpected fault";
      log.warn({ upstream: cause, err: error instanceof PosternError ? undefined : error }, "upstream unavailable");
      throw error;
    }
  }

  /** Two legs under one address would get each other's calls: Kamailio says where another gateway has one. */
  async #openSomewhere(attempts: number): Promise<Opened> {
    try {
      return await openUpstream(this.#parts.upstream(), this.announced, this.#headers());
    } catch (error) {
      const other = error instanceof AddressTaken && attempts > 1 ? this.#parts.elsewhere(this.announced) : undefined;
      if (!other) throw error;
      this.announced = other;
      return this.#openSomewhere(attempts - 1);
    }
  }

  #headers(): Record<string, string> {
    const { chain, gatewayId } = this.#parts;
    return { ...chain().headers(this.identity), "X-Postern-Gateway": gatewayId };
  }

  #attach({ socket, url, remote }: Opened): void {
    this.#retry.reset();
    this.client.tap.upstream(remote);
    const inlet = new Inlet(socket);
    this.#upstream = { socket, url, outlet: new Outlet(socket) };
    socket.on("message", (data: Buffer, binary: boolean) => this.#deliver(data, binary, inlet));
    socket.on("error", (error) => this.#parts.log.warn({ upstream: error.message }, "upstream socket failed"));
    socket.on("close", (code) => this.#lost(socket, code));
    if (this.#withdrawn) this.withdraw();
  }

  /** No message of a far end may end more than itself. */
  #deliver(data: Buffer, binary: boolean, from: Inlet): void {
    try {
      deliver(this, data, binary, from, this.#parts.log);
    } catch (error) {
      this.#parts.log.error({ err: error }, "a message from upstream could not be handled");
    }
  }

  #lost(socket: WebSocket, code: number): void {
    if (this.#upstream?.socket !== socket) return;
    this.#upstream = undefined;
    this.#own.clear();
    socket.terminate();
    if (this.#ended) return;
    this.#parts.log.warn({ close: code, user: address(this.identity) }, "upstream lost");
    this.watch.abandon();
    this.client.unanswered(this.dialogs.abandon());
    this.#retryLater();
  }

  /** Bindings and calls outlive a restart of Kamailio where its new self finds the announced address again. */
  #retryLater(): void {
    if (this.#ended || this.#upstream) return;
    this.#retry.later(() => {
      if (this.isOpen) return;
      if (this.client.reachable) this.open().catch(() => this.#retryLater());
      else this.#retryLater();
    });
  }
}
