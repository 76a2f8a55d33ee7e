import type { Customers } from "../core/customers.ts";
import type { Customer, Identity, Name } from "../core/identity.ts";
import type { JsonObject } from "../core/strict-json.ts";
import { type Claims, readClaims } from "./claims.ts";
import type { KeySets } from "./jwks.ts";
import { type Jws, readJws, readPayload } from "./jws-text.ts";
import { type Candidate, type KeyName, TokenKeys } from "./token-keys.ts";
import { isAlgorithm, verifyJws } from "./verification-keys.ts";

/** What the gateway asked, which the answer must be to. */
export interface PermissionAsked {
  readonly customer: Customer;
  readonly user: string;
  readonly domain: string;
  /** iss of the request, aud of the answer. */
  readonly issuer: string;
  /** jti of the request. */
  readonly nonce: string;
}

/** Who it is for, on which key's word, until when by the customer's clock and what it may be wrong. */
export type Permitted = Pick<Identity, "user" | "domain" | "provedBy" | "jwk" | "expiry" | "narrowing" | "names">;

export type ReadPermission =
  | { readonly kind: "permitted"; readonly permitted: Permitted }
  /** sentence: what is wrong with the permission_token; holds nothing of it. */
  | { readonly kind: "unfit"; readonly sentence: string };

const unfit = (sentence: string): ReadPermission => ({ kind: "unfit", sentence });

/** Milliseconds that key sets may take where a visitor waits. */
const setPatience = 1_000;
/** Seconds that iat and nbf may be ahead, beside the customer's clockSkew. */
const ahead = 5;

/**
 * Proves what an application answers to getPermissionToken: a JWS under a key of its customer, to this very question. An
 * older answer, one to somebody else and one for somebody else are none.
 */
export class PermissionTokens {
  readonly #keySets: KeySets;
  readonly #keys: TokenKeys;

  constructor(keySets: KeySets) {
    this.#keySets = keySets;
    this.#keys = new TokenKeys(keySets);
  }

  /** now: Unix seconds. Rejects only for faults. */
  async prove(text: string, asked: PermissionAsked, customers: Customers, now: number): Promise<ReadPermission> {
    const read = readJws(text);
    if (read.kind === "refused") return unfit(read.refusal.sentence);
    const { jws } = read;
    const payload = readPayload(jws);
    if (payload.kind === "refused") return unfit(payload.refusal.sentence);
    const given = readClaims(payload.object);
    if (given.kind === "refused") return unfit(given.refusal.sentence);
    if (jws.typ !== undefined && jws.typ !== "jwt") return unfit("the token's typ is not JWT: leave it out");
    this.#keys.prepare(customers);
    const candidate = await this.#search(jws, given.claims, asked.customer);
    if (!candidate) return unfit(unsigned);
    const fault = claimFault(given.claims, payload.object, asked, candidate, now);
    return fault === undefined ? permitted(given.claims, payload.object, asked, candidate) : unfit(fault);
  }

  /** Twice, where a set that may have the key is another one when it is asked for again. */
  async #search(jws: Jws, { keyId }: Claims, customer: Customer): Promise<Candidate | undefined> {
    if (!isAlgorithm(jws.alg)) return undefined;
    const name = { alg: jws.alg, kid: jws.kid, keyId };
    const { generation } = this.#keySets;
    const found = await this.#try(jws, customer, name);
    if (found) return found;
    const uris = customer.keys.flatMap(({ alg, source }) =>
      alg === name.alg && source.kind === "remote" ? [source.uri] : [],
    );
    await inTime(Promise.all(uris.map((uri) => this.#keySets.consult(uri))));
    return this.#keySets.generation === generation ? undefined : this.#try(jws, customer, name);
  }

  async #try(jws: Jws, customer: Customer, name: KeyName): Promise<Candidate | undefined> {
    for (const candidate of this.#keys.candidates(customer, name)) {
      if (await verifyJws(jws, candidate.key)) return candidate;
    }
    return undefined;
  }
}

/** Whatever it comes to, or after the time that a visitor waits for key sets; who comes later finds what came then. */
async function inTime(work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, setPatience);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}

const unsigned =
  "the token is signed by no key of the customer: give the gateway the public key, with the token's alg and kid";

/** A conferenceID is the Call-ID of its call. */
const isConference = (text: unknown): text is string => typeof text === "string" && /^[\x21-\x7e]{1,256}$/.test(text);

function claimFault(
  claims: Claims,
  { nonce, conferenceID }: JsonObject,
  { customer, user, domain, issuer, nonce: wanted }: PermissionAsked,
  { of }: Candidate,
  now: number,
): string | undefined {
  if (!claims.audiences?.includes(issuer)) return "the token's aud is not the iss of the gateway's request";
  if (nonce !== wanted) return "the token's nonce is not the jti of the gateway's request: answer each one anew";
  if (of.issuer !== undefined && claims.issuer !== of.issuer)
    return "the token's iss is not the issuer set for its key";
  if (claims.appId !== undefined && claims.appId !== customer.id) return "the token's appID is another customer's";
  if (claims.user !== user || (claims.domain ?? customer.domains[0]) !== domain)
    return "the token's userID is not that of the gateway's request";
  if (claims.narrowing.permissions === undefined) return "the token has no permissions: write them as a list of names";
  if (claims.oneCall) return "the token has oneCall: name its conferenceID instead";
  if (conferenceID !== undefined && !isConference(conferenceID))
    return "the token's conferenceID is not 1 to 256 visible characters of ASCII";
  return timeFault(claims, customer, now);
}

function timeFault({ expiry, notBefore = 0, issuedAt = 0 }: Claims, { clockSkew }: Customer, now: number) {
  if (now > expiry + clockSkew) return "the token has ended by its exp: set the clock that makes it";
  if (Math.max(notBefore, issuedAt) > now + clockSkew + ahead)
    return "the token is not yet valid by its nbf or iat: set the clock that makes it";
  return undefined;
}

function permitted(
  claims: Claims,
  { conferenceID }: JsonObject,
  { user, domain, customer }: PermissionAsked,
  { of, thumbprint }: Candidate,
): ReadPermission {
  const names: Name[] = claims.id === undefined ? [] : [{ kind: "jti", value: claims.id }];
  const permissions = [...new Set(claims.narrowing.permissions)];
  const conference = isConference(conferenceID) ? { conference: conferenceID } : {};
  return {
    kind: "permitted",
    permitted: {
      ...{ user, domain, provedBy: of, names },
      ...(thumbprint !== undefined && { jwk: thumbprint }),
      expiry: Math.floor(claims.expiry) + customer.clockSkew,
      narrowing: { ...claims.narrowing, permissions, ...conference },
    },
  };
}
