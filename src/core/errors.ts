/** Every refusal that Postern can utter, and what it becomes in SIP, in HTTP and as a WebSocket close. */
export type Code =
  | "message-malformed"
  | "message-too-big"
  | "credential-malformed"
  | "credential-rejected"
  | "credential-expired"
  | "credential-ttl"
  | "credential-replayed"
  | "credential-revoked"
  | "origin-denied"
  | "identity-mismatch"
  | "method-denied"
  | "destination-denied"
  | "dialog-unknown"
  | "permission-missing"
  | "application-denied"
  | "exchange-narrowed"
  | "rate-limited"
  | "limit-reached"
  | "upstream-unavailable"
  | "draining";

interface Mapping {
  /** SIP status of a refused request. */
  readonly sip: number;
  readonly http: number;
  /** WebSocket close code where the connection itself is refused. */
  readonly close: number;
}

export const codes: Readonly<Record<Code, Mapping>> = {
  "message-malformed": { sip: 400, http: 400, close: 1008 },
  "message-too-big": { sip: 513, http: 413, close: 1009 },
  "credential-malformed": { sip: 403, http: 400, close: 4403 },
  "credential-rejected": { sip: 403, http: 401, close: 4403 },
  "credential-expired": { sip: 403, http: 401, close: 4401 },
  "credential-ttl": { sip: 403, http: 403, close: 4403 },
  "credential-replayed": { sip: 403, http: 401, close: 4403 },
  "credential-revoked": { sip: 403, http: 401, close: 4403 },
  "origin-denied": { sip: 403, http: 403, close: 4403 },
  "identity-mismatch": { sip: 403, http: 403, close: 4403 },
  "method-denied": { sip: 403, http: 403, close: 4403 },
  "destination-denied": { sip: 403, http: 403, close: 4403 },
  "dialog-unknown": { sip: 481, http: 404, close: 1008 },
  "permission-missing": { sip: 403, http: 403, close: 4403 },
  "application-denied": { sip: 403, http: 403, close: 4403 },
  "exchange-narrowed": { sip: 403, http: 403, close: 4403 },
  "rate-limited": { sip: 503, http: 429, close: 4429 },
  "limit-reached": { sip: 503, http: 503, close: 1008 },
  "upstream-unavailable": { sip: 503, http: 503, close: 1001 },
  draining: { sip: 503, http: 503, close: 1001 },
};

/** A refusal: the code a program reads and the sentence a person reads: what is wrong, what to do. */
export interface Refusal {
  readonly code: Code;
  /** Printable ASCII without `"` and `\`; never holds a secret or an unverified claim. */
  readonly sentence: string;
}

export const refuse = (code: Code, sentence: string): Refusal => ({ code, sentence });

/** The one error class: a fault that carries its code. Expected outcomes are unions, not errors. */
export class PosternError extends Error {
  readonly code: Code;
  constructor(code: Code, sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.name = "PosternError";
    this.code = code;
  }
}
