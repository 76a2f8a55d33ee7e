export type HashName = "sha1" | "sha256" | "sha384" | "sha512";

/** A shared secret of a customer. notBefore and notAfter are Unix seconds, inclusive. */
export interface Secret {
  readonly id: string;
  readonly secret: string;
  readonly algorithm: HashName;
  readonly notBefore?: number;
  readonly notAfter?: number;
}

/** Who owns domains, secrets, origins, numbers and a trunk. Every list may be empty; domains are lower case. */
export interface Customer {
  readonly id: string;
  readonly domains: readonly string[];
  readonly secrets: readonly Secret[];
  /** Serialized origins (RFC 6454), `scheme://*.host` for every subdomain. Empty: any. */
  readonly origins: readonly string[];
  /** Longest life of a credential, seconds. */
  readonly maxTtl: number;
  /** Seconds that a customer's clock may be wrong. */
  readonly clockSkew: number;
  /** `user@domain` or `*@domain`. */
  readonly callFrom: readonly string[];
  /** Number patterns: `+3225887000` or, with every number below it, `+3225887*`. */
  readonly numbers: readonly string[];
  readonly dial: readonly string[];
  readonly methods: readonly string[];
  readonly trunk?: string;
  /** Where calls go while trunk does not answer or has no service. */
  readonly trunk2?: string;
  readonly callerId?: string;
  readonly inbound: Readonly<Record<string, string>>;
  readonly passHeaders: readonly string[];
  readonly limits: { readonly connections: number; readonly calls: number; readonly callSeconds: number };
}

/** A proved visitor: who, on whose word, until when. */
export interface Identity {
  readonly customer: Customer;
  readonly user: string;
  /** One of the customer's domains, lower case. */
  readonly domain: string;
  /** Id of the secret that proved it. */
  readonly secret: string;
  /** Unix seconds; the credential is good while now ≤ expiry. */
  readonly expiry: number;
}

export const address = (identity: Identity): string => `${identity.user}@${identity.domain}`;

/** 1–64 characters of RFC 3261 `unreserved` and `&=+$,`: what a user may be, wherever it comes from. */
export const userPattern = /^[A-Za-z0-9\-_.!~*'()&=+$,]{1,64}$/;

export const defaultMethods: readonly string[] = [
  "REGISTER",
  "INVITE",
  "ACK",
  "CANCEL",
  "BYE",
  "UPDATE",
  "INFO",
  "PRACK",
  "OPTIONS",
  "MESSAGE",
];
