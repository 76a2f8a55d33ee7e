import type { Customers } from "../core/customers.ts";
import { type Refusal, refuse } from "../core/errors.ts";
import type { Customer } from "../core/identity.ts";
import { type Claims, readClaims } from "./claims.ts";
import { type Jws, readJws, readPayload } from "./jws-text.ts";
import type { KeyName } from "./token-keys.ts";
import { type ClaimedName, claimedCustomer, claimedNames } from "./token-verdict.ts";
import { isAlgorithm } from "./verification-keys.ts";

/** A token that reads well, and whose it says it is; nothing of it is proved. */
export interface TokenText {
  readonly jws: Jws;
  readonly claims: Claims;
  readonly name: KeyName;
  readonly customers: Customers;
  readonly customer: Customer | undefined;
  /** Whatever could name the customer, also one that is none. */
  readonly claimed: readonly ClaimedName[];
  /** The domain of From, where only that named the customer. */
  readonly from: string | undefined;
}

export type ReadToken =
  | { readonly kind: "token"; readonly token: TokenText }
  | { readonly kind: "refused"; readonly refusal: Refusal };

const foreignType = refuse(
  "credential-rejected",
  "the token's typ is neither JWT nor at+jwt: it was made for something else",
);
const foreignAlgorithm = refuse(
  "credential-rejected",
  "the token's alg is none of HS256, RS256, PS256, ES256, their 384 and 512, EdDSA: sign it with that of its key",
);

/** What can be said of a token before any key is tried. from: the domain of From, lower case. */
export function readToken(text: string, from: string | undefined, customers: Customers): ReadToken {
  const read = readJws(text);
  if (read.kind === "refused") return read;
  const payload = readPayload(read.jws);
  if (payload.kind === "refused") return payload;
  const given = readClaims(payload.object);
  if (given.kind === "refused") return given;
  const [{ jws }, { claims }] = [read, given];
  if (!types.includes(jws.typ)) return { kind: "refused", refusal: foreignType };
  if (!isAlgorithm(jws.alg)) return { kind: "refused", refusal: foreignAlgorithm };
  const { customer, byFrom } = claimedCustomer(claims, customers, from);
  const name = { alg: jws.alg, kid: jws.kid, keyId: claims.keyId };
  const claimed = claimedNames(claims, customers, from);
  return {
    kind: "token",
    token: { jws, claims, name, customers, customer, claimed, from: byFrom ? from : undefined },
  };
}

/** RFC 8725 §3.11: a token made for another purpose under the same key is none of these; RFC 9068 §2.1 is the last. */
const types: readonly (string | undefined)[] = [undefined, "jwt", "at+jwt"];
