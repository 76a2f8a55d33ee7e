import type { AnswerOptions, RTCSession } from "jssip/lib/RTCSession.js";
import type { CallOptions, UA, UAConfiguration } from "jssip/lib/UA.js";

/** As RTCPeerConnection takes it. */
export interface IceServer {
  readonly urls: string | string[];
  readonly username?: string;
  readonly credential?: string;
}

export interface ConnectOptions {
  /** JsSIP itself: the package's own export, or `window.JsSIP`. */
  readonly jssip: { readonly UA: new (configuration: UAConfiguration) => UA };
  /**
   * Where your server gives the logged-in visitor a credential, asked by GET; or a function that resolves with what it
   * gave. `{username, password, ttl}` (mint, the exchange), `{key, expires, username}` (voxrtc_config) or `{token}`.
   */
  readonly credentials: string | URL | ((signal: AbortSignal) => Promise<unknown>);
  /** The gateway's /v1/exchange: what `credentials` gave is exchanged there, which adds servers, address and ICE servers. */
  readonly exchange?: string | URL;
  /** wss:// URLs, the preferred first. Default: `uris` of the answer. */
  readonly servers?: string | readonly string[];
  /** The visitor's address, `sip:alice@acme.example`. Default: `uri` of the answer, or whom the credential names. */
  readonly uri?: string;
  /** Whether to register, so that calls come in; true by default. */
  readonly register?: boolean;
  /** Milliseconds that `credentials` and the exchange have for an answer; 10 s by default. */
  readonly timeout?: number;
  /** More of JsSIP's own configuration. */
  readonly configuration?: Partial<UAConfiguration>;
}

/** A code for programs and a sentence for people: plain text, at most 300 characters. */
export interface Trouble {
  /** The gateway's code (`origin-denied`, …) or one of {@link OwnCode}. */
  readonly code: string;
  readonly sentence: string;
  /** Seconds until it is tried again; absent: it is not. */
  readonly retryIn?: number;
}

export type OwnCode =
  | "offline"
  | "credentials-unavailable"
  | "credentials-denied"
  | "credentials-unreadable"
  | "server-unreachable"
  | "connection-lost"
  | "misconfigured"
  | "closed";

/** A request that the gateway refused. */
export interface Refused extends Trouble {
  readonly method: string;
  readonly status: number;
  readonly callId: string;
}

export interface PhoneEventMap {
  /** A socket is open. */
  connected: CustomEvent<{ readonly server: string }>;
  /** It is no more; another is coming. */
  disconnected: CustomEvent<Trouble>;
  /** There is a new credential; seconds. Nothing of the credential is told. */
  renewed: CustomEvent<{ readonly ttl: number; readonly renewIn: number }>;
  /** No new credential could be had. The present one and all calls go on. */
  trouble: CustomEvent<Trouble>;
  refused: CustomEvent<Refused>;
  /** It is over: by `close()` (code `closed`) or because coming back would be of no use. */
  closed: CustomEvent<Trouble>;
}

/** Why there is no connection. message: the sentence. */
export interface ConnectError extends Error {
  readonly code: string;
}

export interface Phone extends EventTarget {
  /** Resolves at the first connection; rejects with a {@link ConnectError} where there will be none. */
  readonly ready: Promise<UA>;
  /** From the first credential on. */
  readonly ua: UA | undefined;
  readonly iceServers: readonly IceServer[];
  /** JsSIP's call with the ICE servers, audio alone unless told otherwise, and a fresh credential. */
  call(target: string, options?: CallOptions): Promise<RTCSession>;
  /** JsSIP's answer with the same. */
  answer(session: RTCSession, options?: AnswerOptions): void;
  /** Hangs up, unregisters and closes; nothing runs on. */
  close(): void;
  addEventListener<T extends keyof PhoneEventMap>(
    type: T,
    listener: (event: PhoneEventMap[T]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

/** Begins at once; see docs/browser.md. @throws {TypeError} where an option is missing. */
export function connect(options: ConnectOptions): Phone;
