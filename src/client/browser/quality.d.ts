/** A session of JsSIP (RTCSession) or SIP.js (Inviter, Invitation): what is read of it. */
export interface Session {
  readonly id: string;
  readonly direction?: string;
  readonly connection?: RTCPeerConnection;
  readonly state?: string;
  readonly stateChange?: { addListener(listener: (state: string) => void): void };
  readonly sessionDescriptionHandler?: object | undefined;
  isEstablished?(): boolean;
  on?(name: string, listener: (told: { readonly audio?: boolean }) => void): unknown;
}

/** What waits to be sent, as the module keeps it. at: by performance.now(). */
export interface Item {
  readonly permission: string;
  readonly at: number;
  readonly body: object;
}

/** What `POST /v1/data-tokens` answers. expires_in: seconds. */
export interface DataToken {
  readonly data_token: string;
  readonly expires_in: number;
}

/** The gateway's refusal, or the application service's by the gateway. retryAfter: seconds. */
export interface Refused extends Error {
  readonly status: number;
  /** As in `Postern-Code`: `permission-missing`, `application-denied`. */
  readonly code: string;
  readonly retryAfter: number;
}

export interface Problem {
  /** `message` is a sentence for people: what is wrong, what to do. */
  readonly problem: Partial<Refused>;
  /** What the token does not permit: nothing that needs it is sent any more. */
  readonly permission?: string | undefined;
  /** Nothing at all is sent any more. */
  readonly stopped: boolean;
}

export interface Options {
  /** Where the gateway's HTTP is: `https://sip.acme.example:8443`. */
  readonly gateway: string;
  /** The token's: `alice@acme.example`. */
  readonly userID: string;
  /** Runs the whole process from its first step; called again when a token has ended or is refused. */
  readonly dataToken: () => Promise<DataToken>;
  /** A token that the page has already. */
  readonly first?: DataToken;
  /** Seconds between two looks at getStats; default 10. */
  readonly every?: number;
  readonly onProblem?: (problem: Problem) => void;
}

export interface Quality {
  /** From now on this session is told of. conferenceID: default its Call-ID. */
  watch(session: Session, options?: { readonly conferenceID?: string }): void;
  /** An event that the session does not tell by itself, as `deviceChanged` or `feedback`. */
  event(session: Session, event: string, detail?: Readonly<Record<string, string | number | boolean>>): void;
  /** Ends the call for all who are in it, which needs TerminateConference. */
  end(session: Session): void;
  /** Sends what waits, as at the page's end, and nothing more. */
  close(): void;
}

export function quality(options: Options): Quality;

/** The process in one function: what the page's site says of its visitor, then a data_token for that. */
export function dataTokens(options: {
  readonly gateway: string;
  /** The customer's id. */
  readonly appID: string;
  readonly userID: string;
  /** fetchAppToken: asks the page's own site. */
  readonly applicationToken: () => Promise<string>;
}): () => Promise<DataToken>;
