/** Types within the modules. Pages need nothing of it. */
import type { IncomingResponse } from "jssip/lib/SIPMessage.js";
import type { Socket } from "jssip/lib/Socket.js";
import type { ConnectOptions, connect, Phone, Refused } from "./connect.js";

export type { UA } from "jssip/lib/UA.js";

export type Options = ConnectOptions;
export type Connect = typeof connect;

/** What was given and can be shown. */
export interface Credential {
  /** Under JsSIP's names. */
  readonly proof: Readonly<Record<string, string>>;
  readonly uri: string | undefined;
  readonly servers: readonly string[];
  readonly iceServers: RTCIceServer[];
  /** Seconds. */
  readonly ttl: number;
  readonly renewIn: number;
  /** When it came, milliseconds of the page's clock; 0: it must be renewed. */
  at: number;
}

/** JsSIP's Socket. The handlers are JsSIP's to set. */
export interface Line extends Socket {
  via_transport: string;
  onconnect(): void;
  ondisconnect(error: boolean, code: number, reason: string): void;
}

/** Members of what came as JSON. */
export type Fields = Readonly<Record<string, unknown>>;
export type FieldsOf = (value: unknown) => Fields;
export type Proved = { readonly proof: Record<string, string>; readonly stamp?: unknown; readonly user?: unknown };
export type ProofOf = (given: Fields) => Proved | undefined;
/** now: the server's clock, Unix seconds. */
export type Read = (answer: unknown, now: number) => Credential;
export type Ask = (url: string | URL, init: RequestInit) => Promise<[answer: unknown, now: number]>;
export type Show = (proof: Fields) => RequestInit;
export type Asked = (options: ConnectOptions, signal: AbortSignal) => Promise<Credential>;
/** Seconds. */
export type Pause = (seconds: number, signal: AbortSignal) => Promise<void>;
export type RefusedIn = (message: string) => Refused | undefined;
export type Answered = IncomingResponse | null;
export type Call = Phone["call"];
export type Answer = Phone["answer"];
