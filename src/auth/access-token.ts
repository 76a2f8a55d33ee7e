import { createHash, randomUUID } from "node:crypto";
import { LRUCache } from "lru-cache";
import { type Clock, seconds } from "../core/clock.ts";
import type { Customers } from "../core/customers.ts";
import { PosternError, type Refusal, refuse } from "../core/errors.ts";
import { address, type Identity, type Name, type Narrowing } from "../core/identity.ts";
import { type Authenticator, type NotMine, notMine, type Presented, type Proof } from "./authenticator.ts";
import type { EndedConferences } from "./conferences.ts";
import { rejectedToken, sameText } from "./ephemeral.ts";
import { type Evidence, evidenceOf, keyOf, noRemoteKeys, ownerOf, provedByOf, type RemoteKeys } from "./evidence.ts";
import { maxToken } from "./jws-text.ts";
import type { OwnKeys } from "./own-keys.ts";

/** JOSE header of every access token, and of nothing else. */
const header = Buffer.from(JSON.stringify({ alg: "HS256", typ: "postern-access+jwt" })).toString("base64url");

/** Whether a text is one of ours, or means to be. */
export const isAccessToken = (text: string): boolean => text.startsWith(`${header}.`);

interface Claims {
  readonly iss: string;
  readonly aud: string;
  readonly sub: string;
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
  readonly evidence: Evidence;
  readonly narrowing: Narrowing;
}

/** Characters of what narrows the identities that are remembered. */
const maxSize = 8_000_000;
const sizeOf = ({ narrowing }: Identity): number => 200 + JSON.stringify(narrowing).length;

/** A compact JWS under the gateway's own key. issuer: `publicUrl`, its audience too; ttl: seconds; now: Unix seconds. Throws
 * exchange-narrowed where it would be longer than a token may be. */
export function mintAccessToken(wanted: {
  readonly identity: Identity;
  readonly keys: OwnKeys;
  readonly issuer: string;
  readonly ttl: number;
  readonly now: number;
}): string {
  const { identity, keys, issuer, ttl, now } = wanted;
  const claims: Claims = {
    iss: issuer,
    aud: issuer,
    sub: address(identity),
    iat: now,
    exp: now + ttl,
    jti: randomUUID(),
    evidence: evidenceOf(identity, keys),
    narrowing: identity.narrowing,
  };
  const text = `${header}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}`;
  const token = `${text}.${keys.sign(text)}`;
  if (token.length <= maxToken) return token;
  throw new PosternError(
    "exchange-narrowed",
    "the token narrows by more than an access token can carry: shorten its lists",
  );
}

const expired = refuse("credential-expired", "the access token has expired: authenticate again");
const revoked = refuse(
  "credential-revoked",
  "what the access token was given for is no longer good: authenticate again",
);
const conferenceOver = refuse(
  "credential-expired",
  "the conference that this data token is good for has ended: get a data token for the next one",
);

/** Rightly signed, so no guess: it is not counted as one. */
const elsewhere = refuse(
  "credential-revoked",
  "the access token was given under another publicUrl: authenticate again",
);

/** Proves what `mintAccessToken` made; a token with any other header is not mine. */
export class AccessTokenAuthenticator implements Authenticator {
  readonly #customers: () => Customers;
  readonly #clock: Clock;
  readonly #keys: () => OwnKeys;
  readonly #remote: RemoteKeys;
  readonly #issuer: () => string;
  readonly #conferences: Pick<EndedConferences, "isOver">;
  /** One identity for one token, by its hash, for what hangs on it downstream. */
  readonly #known = new LRUCache<string, Identity>({ max: 10_000, maxSize, sizeCalculation: sizeOf });

  constructor(parts: {
    readonly customers: () => Customers;
    readonly clock: Clock;
    readonly keys: () => OwnKeys;
    readonly remote?: RemoteKeys;
    readonly issuer: () => string;
    /** Default: none ends. */
    readonly conferences?: Pick<EndedConferences, "isOver">;
  }) {
    this.#customers = parts.customers;
    this.#clock = parts.clock;
    this.#keys = parts.keys;
    this.#remote = parts.remote ?? noRemoteKeys;
    this.#issuer = parts.issuer;
    this.#conferences = parts.conferences ?? { isOver: () => false };
  }

  prove(presented: Presented): Proof | NotMine {
    if (presented.kind !== "token" || !isAccessToken(presented.token)) return notMine;
    const { token } = presented;
    if (token.length > maxToken) return { kind: "refused", refusal: rejectedToken };
    const end = token.lastIndexOf(".");
    const [text, given] = [token.slice(0, end), token.slice(end + 1)];
    const signed =
      end > header.length &&
      this.#keys()
        .signatures(text)
        .some((right) => sameText(given, right));
    if (!signed) return { kind: "refused", refusal: rejectedToken };
    const claims = JSON.parse(Buffer.from(text.slice(header.length + 1), "base64url").toString()) as Claims;
    if (claims.aud !== this.#issuer() || claims.iss !== this.#issuer()) return { kind: "refused", refusal: elsewhere };
    return this.#stands(token, claims);
  }

  #stands(token: string, { sub, exp, jti, evidence, narrowing }: Claims): Proof {
    const [user = "", domain = ""] = sub.split("@");
    const customer = ownerOf(evidence, domain, this.#customers());
    const refused = (refusal: Refusal): Proof => ({ kind: "refused", refusal, ...(customer && { customer }) });
    if (seconds(this.#clock) > exp) return refused(expired);
    const [keys, remote, now] = [this.#keys(), this.#remote, seconds(this.#clock)];
    const provedBy = provedByOf(customer, evidence, { keys, remote, now });
    if (!customer || !provedBy) return refused(revoked);
    if (this.#conferences.isOver({ customer, narrowing })) return refused(conferenceOver);
    const hash = createHash("sha256").update(token).digest("base64url");
    const known = this.#known.get(hash);
    if (known?.customer === customer) return { kind: "proved", identity: known };
    const names: Name[] = [{ kind: "jti", value: jti }, ...(evidence.names ?? [])];
    const proof = { provedBy, expiry: exp, ownClock: true, narrowing, names, ...keyOf(evidence) } as const;
    const identity = { customer, user, domain, ...proof };
    this.#known.set(hash, identity);
    return { kind: "proved", identity };
  }
}
