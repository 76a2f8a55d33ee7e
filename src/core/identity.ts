export type HashName = "sha1" | "sha256" | "sha384" | "sha512";

/** A shared secret of a customer. notBefore and notAfter are Unix seconds, inclusive. */
export interface Secret {
  readonly id: string;
  readonly secret: string;
  readonly algorithm: HashName;
  readonly notBefore?: number;
  readonly notAfter?: number;
}

/** RFC 7518 §3.1 and RFC 8037; `none` is not among them. */
export type JwtAlgorithm =
  | "HS256"
  | "HS384"
  | "HS512"
  | "RS256"
  | "RS384"
  | "RS512"
  | "PS256"
  | "PS384"
  | "PS512"
  | "ES256"
  | "ES384"
  | "ES512"
  | "EdDSA";

/** How a customer's JWTs are verified; the algorithm is the key's, never the token's to choose. */
export interface VerificationKey {
  readonly id: string;
  readonly alg: JwtAlgorithm;
  readonly source:
    | { readonly kind: "secret"; readonly secret: string }
    | { readonly kind: "pem"; readonly pem: string }
    | { readonly kind: "jwk"; readonly jwk: Readonly<Record<string, unknown>> }
    /** A JWK set (RFC 7517 §5), fetched. */
    | { readonly kind: "remote"; readonly uri: string };
  readonly issuer?: string;
  readonly audience?: string;
  /** A token, by its `jti`, serves one connection or one exchange. */
  readonly singleUse: boolean;
}

/** What a customer or an operator signs management requests with. */
export interface ApiKey {
  readonly id: string;
  readonly secret: string;
}

/** Whether calls under way may go on, or end now, when who placed them loses the right to. */
export type CallsThen = "finish" | "end";

/** Who or what is refused for a while. */
export interface Revocation {
  /** user: a user part, or `user@domain`; credential: an ephemeral username; handle: an exchange handle, or the username that holds it. */
  readonly kind: "user" | "credential" | "jti" | "handle";
  readonly value: string;
  /** Unix seconds, inclusive. */
  readonly until: number;
  readonly calls: CallsThen;
}

/** What a credential can be revoked by, beside its user. */
export interface Name {
  readonly kind: Revocation["kind"];
  readonly value: string;
}

/** 0: no limit. */
export interface CustomerLimits {
  readonly connections: number;
  /** Bindings at once: each Contact of each registered user is one. */
  readonly registrations: number;
  readonly calls: number;
  readonly callsPerMinute: number;
  readonly callSeconds: number;
}

/** Up to where a customer's own API keys may raise what stands beside it; absent: not at all. */
export type Ceilings = {
  readonly [name in keyof CustomerLimits | "connectionsPerUser" | "maxTtl"]?: number | undefined;
};

/** Where a customer's call records go. */
export interface Webhook {
  readonly url: string;
  readonly secret: string;
}

/** Of a digest (RFC 3261 §22). realm: the only one that it is for; absent: whichever the trunk names. */
export interface TrunkAuth {
  readonly username: string;
  readonly password: string;
  readonly realm?: string | undefined;
}

/** Who owns domains, secrets, origins, numbers and a trunk. Every list may be empty; domains are lower case. */
export interface Customer {
  readonly id: string;
  /** Milliseconds: another had its id before, and nothing from before is this one's to know. Absent: nobody had. */
  readonly since?: number;
  readonly domains: readonly string[];
  readonly secrets: readonly Secret[];
  readonly keys: readonly VerificationKey[];
  readonly apiKeys: readonly ApiKey[];
  /** Serialized origins (RFC 6454), `scheme://*.host` for every subdomain. Empty: any. */
  readonly origins: readonly string[];
  /** Pages of those origins may send events and statistics without a token; never where there are none. */
  readonly originReports?: true;
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
  /** Where calls go, in this order, while trunk does not answer or has no service. */
  readonly trunk2?: readonly string[];
  /** What its trunks are told when they challenge. */
  readonly trunkAuth?: TrunkAuth;
  /** How its trunks write E.164 numbers: what one begins with, `+` and all → what stands in the place of that. */
  readonly trunkFormat?: Readonly<Record<string, string>>;
  /** false: its trunks are not told who calls where the caller wants that hidden (RFC 3325 §7). */
  readonly trunkTrusted?: boolean;
  readonly callerId?: string;
  readonly inbound: Readonly<Record<string, string>>;
  readonly passHeaders: readonly string[];
  readonly limits: CustomerLimits;
  readonly ceilings: Ceilings;
  /** Nothing new is taken from its users; absent: not suspended. */
  readonly suspended?: CallsThen;
  readonly revoked: readonly Revocation[];
  readonly webhook?: Webhook;
  /** Its application service, asked by the three-party flow for what a visitor may do. */
  readonly permissionUrl?: string;
}

/** What a data token or a JWT may permit (callstats.io, three-party proposal). */
export const permissions = [
  "*",
  "CreateConference",
  "TerminateConference",
  "SubmitBridgeEvent",
  "SubmitBridgeStats",
  "SubmitConferenceEvent",
  "SubmitConferenceStats",
] as const;

export type Permission = (typeof permissions)[number];

/** Good for one call, wherever the token or what was made of it is shown. */
export interface OneCall {
  /** Under which the call is claimed. */
  readonly name: string;
  /** Unix seconds: nothing that was made of the token is good any more. */
  readonly until: number;
}

/** What a token takes away from its customer's rights; it never adds to them. What is absent narrows nothing. */
export interface Narrowing {
  readonly methods?: readonly string[];
  /** Number patterns; where they stand, nothing else can be called. */
  readonly numbers?: readonly string[];
  readonly oneCall?: OneCall;
  /** Longest call, seconds. */
  readonly maxSeconds?: number;
  readonly callerId?: string;
  readonly permissions?: readonly Permission[];
  /** The only conferenceID, that is Call-ID, that it opens; it ends with that conference. */
  readonly conference?: string;
}

export const unnarrowed: Narrowing = {};

/** A proved visitor: who, on whose word, until when. */
export interface Identity {
  readonly customer: Customer;
  readonly user: string;
  /** One of the customer's domains, lower case. */
  readonly domain: string;
  /** Of the customer's, as it was at the proof. */
  readonly provedBy: Secret | VerificationKey;
  /** Thumbprint (RFC 7638) of the key in a fetched set that proved it. */
  readonly jwk?: string;
  /** Unix seconds; the credential is good while now ≤ expiry. */
  readonly expiry: number;
  /** By the gateway's own clock, so that its customer's clockSkew adds nothing. */
  readonly ownClock?: true;
  readonly narrowing: Narrowing;
  /** Of what was shown, and of what that was exchanged for: each of them revoked takes this along. */
  readonly names: readonly Name[];
}

/** Seconds that the clock which gave the expiry may be wrong. */
export const skewOf = ({ ownClock, customer }: Identity): number => (ownClock ? 0 : customer.clockSkew);

export const address = (identity: Pick<Identity, "user" | "domain">): string => `${identity.user}@${identity.domain}`;

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
