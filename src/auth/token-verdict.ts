import { createHash } from "node:crypto";
import { customerName } from "../core/counted.ts";
import type { Customers } from "../core/customers.ts";
import { type Refusal, refuse } from "../core/errors.ts";
import type { Customer, Identity, Name, OneCall, VerificationKey } from "../core/identity.ts";
import type { Claims } from "./claims.ts";
import { lifetime } from "./ephemeral.ts";

/** Whose key is meant, by what nobody has proved yet. */
export interface Claimed {
  readonly customer: Customer | undefined;
  /** Only From told: with another From it is another's. */
  readonly byFrom: boolean;
}

/** By appID, else by iss where it is a customer's id, else by the user's domain, else by that of From. */
export function claimedCustomer(claims: Claims, customers: Customers, from: string | undefined): Claimed {
  const { appId, issuer, domain } = claims;
  if (appId !== undefined) return { customer: customers.byId(appId), byFrom: false };
  const issued = issuer === undefined ? undefined : customers.byId(issuer);
  if (issued !== undefined) return { customer: issued, byFrom: false };
  if (domain !== undefined) return { customer: customers.byDomain(domain), byFrom: false };
  return { customer: from === undefined ? undefined : customers.byDomain(from), byFrom: true };
}

/** A name by which a token claims its customer, and who has it. */
export interface ClaimedName {
  readonly name: string;
  readonly customer: Customer | undefined;
}

/** All that could name the customer, whichever of them does; what could be nobody's id names none. */
export function claimedNames(claims: Claims, customers: Customers, from: string | undefined): readonly ClaimedName[] {
  const { appId, issuer = "", domain = from ?? "" } = claims;
  const byId = (name: string): ClaimedName[] =>
    customerName(name) === "unnamed" ? [] : [{ name, customer: customers.byId(name) }];
  if (appId !== undefined) return byId(appId);
  return [...byId(issuer), { name: domain, customer: customers.byDomain(domain) }];
}

export type Identified =
  | { readonly kind: "identity"; readonly identity: Identity }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/** Who a token names, once a key of the customer has proved it. signed: its header and payload as they were signed. */
export function identify(claims: Claims, customer: Customer, key: VerificationKey, signed: string): Identified {
  const domain = claims.domain ?? customer.domains[0];
  if (domain === undefined || !customer.domains.includes(domain)) {
    return rejected("the token's user is in no domain of its customer: write sub as user@domain with one that it has");
  }
  const fault = issuerFault(claims, key) ?? audienceFault(claims, key);
  if (fault !== undefined) return rejected(fault);
  if (key.singleUse && claims.id === undefined) {
    const sentence = "the token has no jti, which its key asks for: give each token one of its own";
    return { kind: "refused", refusal: refuse("credential-malformed", sentence) };
  }
  const narrowing = claims.oneCall
    ? { ...claims.narrowing, oneCall: oneCall(claims, customer, signed) }
    : claims.narrowing;
  const expiry = Math.floor(claims.expiry);
  const names: Name[] = claims.id === undefined ? [] : [{ kind: "jti", value: claims.id }];
  const { user } = claims;
  return { kind: "identity", identity: { customer, user, domain, provedBy: key, expiry, narrowing, names } };
}

/** Seconds that an access token may outlive the token that it was made of. */
const longestAccess = 3_600;

/**
 * Named by what was signed: of one text there is more than one right signature, (r, s) and (r, n-s) with ECDSA, and whoever
 * holds the one can write the other.
 */
const oneCall = ({ expiry }: Claims, { id, clockSkew }: Customer, signed: string): OneCall => ({
  name: createHash("sha256").update(`${id} ${signed}`).digest("base64url").slice(0, 22),
  until: Math.ceil(expiry) + clockSkew + longestAccess,
});

const rejected = (sentence: string): Identified => ({
  kind: "refused",
  refusal: refuse("credential-rejected", sentence),
});

const issuerFault = ({ issuer }: Claims, key: VerificationKey): string | undefined =>
  key.issuer === undefined || issuer === key.issuer ? undefined : "the token's iss is not the issuer set for its key";

/** RFC 7519 §4.1.3: a token for somebody else is refused, also where the key does not say who we are. */
function audienceFault({ audiences }: Claims, key: VerificationKey): string | undefined {
  if (key.audience === undefined) {
    return audiences === undefined ? undefined : "the token has an aud, but no audience is set for its key";
  }
  return audiences?.includes(key.audience) ? undefined : "the token's aud does not hold the audience set for its key";
}

/** Seconds that iat may be ahead: it says when a token was made, not from when on it is good (RFC 7519 §4.1.6). */
const issuedAhead = 5;

/** Whether a proved token is good now: not yet, no longer, or too long. now: milliseconds since the epoch. */
export function timeVerdict(claims: Claims, customer: Customer, now: number): Refusal | undefined {
  const latest = now / 1000 + customer.clockSkew;
  if ((claims.notBefore ?? 0) > latest || (claims.issuedAt ?? 0) > latest + issuedAhead) {
    return refuse("credential-rejected", "the token is not yet valid by its nbf or iat: set the clock that makes it");
  }
  return lifetime(customer, Math.floor(claims.expiry), Math.floor(now / 1000));
}
