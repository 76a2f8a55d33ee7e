import type { Customers } from "../core/customers.ts";
import type { Customer, Identity, JwtAlgorithm, Name, Secret, VerificationKey } from "../core/identity.ts";
import { inWindow } from "./ephemeral.ts";
import { essence, type OwnKeys } from "./own-keys.ts";

/** What customers' key sets have now. */
export interface RemoteKeys {
  /** Higher whenever some set is another one than before. */
  readonly generation: number;
  /** Whether a set has this key, and for this algorithm. */
  has(uri: string, alg: JwtAlgorithm, thumbprint: string): boolean;
}

export const noRemoteKeys: RemoteKeys = { generation: 0, has: () => false };

/** The very secret or key that proved an identity, as the customer has it now: an id may have been given to another. */
export function stillProves(customer: Customer, identity: Identity, now: number, remote: RemoteKeys): boolean {
  const { provedBy } = identity;
  if (!isSecret(provedBy))
    return customer.keys.some((key) => same(key, provedBy)) && inSet(provedBy, identity.jwk, remote);
  return customer.secrets.some((secret) => same(secret, provedBy) && inWindow(secret, now));
}

/** The very secret or key that proved it is the customer's yet, whatever its window says. */
export const stillHas = (customer: Customer, { provedBy }: Identity): boolean =>
  (isSecret(provedBy) ? customer.secrets : customer.keys).some((one) => same(one, provedBy));

export const isSecret = (provedBy: Identity["provedBy"]): provedBy is Secret => "algorithm" in provedBy;

/** A key that its set does not have any more, or not for this, proves nothing, nor what was made of its word. */
function inSet({ source, alg }: VerificationKey, jwk: string | undefined, remote: RemoteKeys): boolean {
  return source.kind !== "remote" || (jwk !== undefined && remote.has(source.uri, alg, jwk));
}

const same = (one: Secret | VerificationKey, other: Secret | VerificationKey): boolean =>
  one === other || (one.id === other.id && essence(one) === essence(other));

/** What something of ours remembers of the proof that it was made from. */
export interface Evidence {
  readonly customer: string;
  readonly kind: "secret" | "key";
  readonly id: string;
  readonly fingerprint: string;
  /** Of the key in a fetched set. */
  readonly jwk?: string;
  readonly names?: readonly Name[];
}

export const evidenceOf = ({ customer, provedBy, jwk, names }: Identity, keys: OwnKeys): Evidence => ({
  customer: customer.id,
  kind: isSecret(provedBy) ? "secret" : "key",
  id: provedBy.id,
  fingerprint: keys.fingerprint(provedBy),
  ...(jwk !== undefined && { jwk }),
  ...(names.length > 0 && { names }),
});

export const keyOf = ({ jwk }: Evidence): Pick<Identity, "jwk"> => (jwk === undefined ? {} : { jwk });

/** The customer that the evidence names, if the domain is still its own and no heir's. */
export function ownerOf({ customer: id }: Evidence, domain: string, customers: Customers): Customer | undefined {
  const customer = customers.byDomain(domain);
  return customer?.id === id ? customer : undefined;
}

/** The secret or key that the evidence names, if that customer still has it. now: Unix seconds. */
export function provedByOf(
  customer: Customer | undefined,
  { customer: id, kind, id: named, fingerprint, jwk }: Evidence,
  { keys, remote, now }: { readonly keys: OwnKeys; readonly remote: RemoteKeys; readonly now: number },
): Identity["provedBy"] | undefined {
  if (customer?.id !== id) return undefined;
  const all: readonly Identity["provedBy"][] = kind === "secret" ? customer.secrets : customer.keys;
  const found = all.find((one) => one.id === named);
  if (!found || !keys.hasFingerprint(found, fingerprint)) return undefined;
  const stands = isSecret(found) ? inWindow(found, now) : inSet(found, jwk, remote);
  return stands ? found : undefined;
}
