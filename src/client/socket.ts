import { WebSocket } from "ws";
import { header, type LadderEntry, mask } from "./ladder.ts";

export interface SocketOptions {
  /** ws:// or wss://. */
  readonly url: string;
  /** The Origin header, as a browser would send it; none by default. */
  readonly origin?: string;
  /** PEM of the authority that signed the gateway's certificate, for wss. */
  readonly ca?: string;
  /** How this end and the other are called in the ladder. */
  readonly name: string;
  readonly peer: string;
  /** Told of every SIP message in both directions, credentials masked. */
  readonly onMessage: (entry: LadderEntry) => void;
}

export interface Closed {
  /** WebSocket close code; 1006 where there was no close frame, or no connection at all. */
  readonly code: number;
  readonly reason: string;
}

/** Milliseconds. */
const handshakeTimeout = 10_000;
const closeTimeout = 1_000;

/** The socket of JsSIP's Socket interface over `ws`, which unlike a browser's can set Origin and can be listened to. */
export class SipSocket {
  readonly url: string;
  readonly sip_uri: string;
  via_transport: string;
  /** Why the last connection ended, as long as there is no new one. */
  closed: Closed | undefined;
  onconnect: () => void = () => undefined;
  ondisconnect: (error: boolean, code?: number, reason?: string) => void = () => undefined;
  ondata: (data: string) => void = () => undefined;
  readonly #options: SocketOptions;
  /** Requests sent that have no final response yet. */
  readonly #open = new Set<string>();
  #idle: (() => void)[] = [];
  #ws: WebSocket | undefined;

  constructor(options: SocketOptions) {
    const { protocol, host } = new URL(options.url);
    this.#options = options;
    this.url = options.url;
    this.sip_uri = `sip:${host};transport=ws`;
    this.via_transport = protocol === "wss:" ? "WSS" : "WS";
  }

  connect(): void {
    if (this.isConnected() || this.isConnecting()) return;
    const { origin, ca } = this.#options;
    const options = { handshakeTimeout, perMessageDeflate: false, ...(origin && { origin }), ...(ca && { ca }) };
    const ws = new WebSocket(this.url, "sip", options);
    let fault = "";
    ws.on("open", () => {
      this.closed = undefined;
      this.onconnect();
    });
    ws.on("message", (data) => this.#receive(data.toString()));
    ws.on("error", (error) => {
      fault = error.message;
    });
    ws.on("close", (code, reason) => {
      if (this.#ws === ws) this.#lost({ code, reason: reason.toString() || fault });
    });
    this.#ws = ws;
  }

  /** Cuts the connection without a close frame; JsSIP is told nothing and stays as it is. */
  terminate(): void {
    const ws = this.#ws;
    this.#ws = undefined;
    ws?.terminate();
    this.#settle();
  }

  disconnect(): void {
    const ws = this.#ws;
    this.#ws = undefined;
    ws?.close(1000);
    this.#settle();
  }

  /** Closes for good, as if the other end had: JsSIP then drops its transactions, which would else live on for 32 s. */
  async end(): Promise<void> {
    const ws = this.#ws;
    if (!ws) return;
    const gone = new Promise<void>((resolve) => ws.once("close", () => resolve()));
    ws.close(1000);
    const impatience = setTimeout(() => ws.terminate(), closeTimeout);
    this.#lost({ code: 1000, reason: "" });
    await gone;
    clearTimeout(impatience);
  }

  /** Cuts the connection without a close frame, as a lost network does; JsSIP will connect again. */
  drop(): void {
    this.#ws?.terminate();
  }

  send(message: string): boolean {
    if (!this.isConnected()) return false;
    this.#ws?.send(message);
    this.#trace(message, true);
    return true;
  }

  isConnected(): boolean {
    return this.#ws?.readyState === WebSocket.OPEN;
  }

  isConnecting(): boolean {
    return this.#ws?.readyState === WebSocket.CONNECTING;
  }

  /** When every request sent has its final response, or the connection is gone. */
  idle(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #receive(data: string): void {
    this.#trace(data, false);
    this.ondata(data);
    // Only now, for what came may have been a challenge that was answered meanwhile.
    if (this.#open.size === 0) this.#settle();
  }

  #lost(closed: Closed): void {
    this.#ws = undefined;
    this.closed = closed;
    this.#settle();
    this.ondisconnect(true, closed.code, closed.reason);
  }

  #settle(): void {
    this.#open.clear();
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #trace(message: string, sent: boolean): void {
    if (message.trim() === "") return;
    const { name, peer, onMessage } = this.#options;
    this.#follow(message, sent);
    onMessage({
      at: performance.timeOrigin + performance.now(),
      from: sent ? name : peer,
      to: sent ? peer : name,
      message: mask(message),
    });
  }

  #follow(message: string, sent: boolean): void {
    const isResponse = message.startsWith("SIP/2.0 ");
    if (isResponse === sent || message.startsWith("ACK ")) return;
    const key = `${header(message, "Call-ID")} ${header(message, "CSeq")}`;
    if (sent) this.#open.add(key);
    else if (!message.startsWith("SIP/2.0 1")) this.#open.delete(key);
  }
}
