import JsSIP from "jssip";
import type { RTCSession } from "jssip/lib/RTCSession.js";
import type { Socket } from "jssip/lib/Socket.js";
import type { RTCSessionEvent, UA, UAConfiguration } from "jssip/lib/UA.js";
import { Audio } from "./audio.ts";
import { Call, type CallOptions, failure, media, type Outcome } from "./call.ts";
import type { LadderEntry } from "./ladder.ts";
import { isLoopback } from "./sdp.ts";
import { type Closed, SipSocket } from "./socket.ts";
import { loadWebRtc, type WebRtc } from "./webrtc.ts";

/** What mint and the exchange print, or a JWT. */
export type Credentials = { readonly username: string; readonly password: string } | { readonly token: string };

export interface AgentOptions {
  /** The gateway: ws:// or wss://. Where it is on this very host, media stays there too. */
  readonly url: string;
  /** The user's address: sip:alice@acme.example. */
  readonly uri: string;
  readonly credentials: Credentials;
  /** Whether to register; true by default. */
  readonly register?: boolean;
  /** Seconds a registration is asked for; 600 by default. */
  readonly expires?: number;
  readonly origin?: string;
  readonly ca?: string;
  /** Hz of the tone that is listened for; by default the one that is played, 440. */
  readonly hears?: number;
  /** Told of every SIP message in both directions, credentials masked. */
  readonly onMessage?: (entry: LadderEntry) => void;
}

/** Milliseconds that a leaving agent waits for the answers to its BYE and un-REGISTER. */
const patience = 2_000;

/** Messages kept; older ones are forgotten. */
const longestLadder = 10_000;

/** A SIP user agent: JsSIP over `ws`, with libwebrtc for the sound. It connects at once. */
export async function createUserAgent(options: AgentOptions): Promise<Agent> {
  return new Agent(options, await loadWebRtc());
}

export class Agent {
  readonly ladder: LadderEntry[] = [];
  /** The socket's first fate. */
  readonly connected: Promise<Outcome>;
  /** The first registration; waits for ever where none was asked for. */
  readonly registered: Promise<Outcome>;
  /** Called with each incoming call, which rings until it is answered or hung up. Without it calls are refused as busy. */
  onIncoming: ((call: Call) => void) | undefined;
  readonly ua: UA;
  readonly socket: SipSocket;
  readonly #wrtc: WebRtc;
  readonly #hears: number | undefined;
  readonly #callOptions: CallOptions;
  readonly #calls = new Set<Call>();

  constructor(options: AgentOptions, wrtc: WebRtc) {
    const { url, uri, onMessage } = options;
    const name = /^sips?:([^@]+)@/.exec(uri)?.[1] ?? uri;
    this.#wrtc = wrtc;
    this.#hears = options.hears;
    this.socket = new SipSocket({
      ...options,
      name,
      peer: "postern",
      onMessage: (entry) => this.#note(entry, onMessage),
    });
    this.#callOptions = { loopback: isLoopback(new URL(url).hostname), explain: (cause) => this.#explain(cause) };
    this.ua = new JsSIP.UA(configuration(options, this.socket as unknown as Socket));
    this.connected = this.#firstConnection();
    this.registered = this.#firstRegistration();
    this.ua.on("newRTCSession", ({ originator, session }: RTCSessionEvent) => {
      if (String(originator) === "remote") this.#ring(session);
    });
    this.ua.start();
  }

  /** How the connection ended, where it did. */
  get closed(): Closed | undefined {
    return this.socket.closed;
  }

  /** Calls with the tone as sound. target: user, number or SIP URI. @throws {TypeError} where it is none of these. */
  call(target: string, extraHeaders: readonly string[] = []): Call {
    const audio = new Audio(this.#wrtc, this.#hears);
    try {
      const session = this.ua.call(target, { ...media(audio), extraHeaders: [...extraHeaders] });
      return this.#keep(new Call(session, audio, this.#callOptions));
    } catch (fault) {
      audio.stop();
      throw fault;
    }
  }

  /** Hangs up, unregisters, closes. */
  async stop(): Promise<void> {
    for (const call of this.#calls) call.hangUp();
    if (this.ua.isRegistered()) this.ua.unregister();
    const impatience = Promise.withResolvers<void>();
    const timer = setTimeout(impatience.resolve, patience);
    await Promise.race([this.socket.idle(), impatience.promise]);
    clearTimeout(timer);
    const closing = this.socket.end();
    this.ua.stop();
    await closing;
  }

  /** What a crash does: the socket ends and nothing is said before. */
  abandon(): void {
    this.socket.terminate();
  }

  #ring(session: RTCSession): void {
    const call = this.#keep(new Call(session, new Audio(this.#wrtc, this.#hears), this.#callOptions));
    if (this.onIncoming) this.onIncoming(call);
    else call.hangUp();
  }

  #keep(call: Call): Call {
    this.#calls.add(call);
    void call.ended.then(() => this.#calls.delete(call));
    return call;
  }

  #note(entry: LadderEntry, onMessage: AgentOptions["onMessage"]): void {
    this.ladder.push(entry);
    if (this.ladder.length > longestLadder) this.ladder.shift();
    onMessage?.(entry);
  }

  #explain(cause: string): string {
    const closed = this.socket.closed;
    return closed ? `connection closed with ${closed.code}${closed.reason && `: ${closed.reason}`}` : cause;
  }

  #firstConnection(): Promise<Outcome> {
    return new Promise((resolve) => {
      this.ua.on("connected", () => resolve({ ok: true, status: 101 }));
      this.ua.on("disconnected", () => resolve(failure(null, this.#explain("disconnected"))));
    });
  }

  #firstRegistration(): Promise<Outcome> {
    return new Promise((resolve) => {
      this.ua.on("registered", ({ response }) => resolve({ ok: true, status: response.status_code }));
      this.ua.on("registrationFailed", ({ response, cause }) =>
        resolve(failure(response, response ? String(cause) : this.#explain(String(cause)))),
      );
      this.ua.on("disconnected", () => resolve(failure(null, this.#explain("disconnected"))));
    });
  }
}

function configuration(options: AgentOptions, socket: Socket): UAConfiguration {
  const { uri, credentials, register = true, expires = 600 } = options;
  const proof =
    "token" in credentials
      ? { authorization_jwt: `Bearer ${credentials.token}` }
      : { authorization_user: credentials.username, password: credentials.password };
  return { sockets: [socket], uri, register, register_expires: expires, ...proof };
}
