import type { Customer, Identity, Secret, VerificationKey } from "../core/identity.ts";
import { inWindow } from "./ephemeral.ts";

/** The very secret or key that proved an identity, as the customer has it now: an id may have been given to another. */
export function stillProves(customer: Customer, provedBy: Identity["provedBy"], now: number): boolean {
  if (!isSecret(provedBy)) return customer.keys.some((key) => same(key, provedBy));
  return customer.secrets.some((secret) => same(secret, provedBy) && inWindow(secret, now));
}

export const isSecret = (provedBy: Identity["provedBy"]): provedBy is Secret => "algorithm" in provedBy;

/** Both come out of a config with their members in one order. */
const same = (one: Secret | VerificationKey, other: Secret | VerificationKey): boolean =>
  one === other || (one.id === other.id && JSON.stringify(one) === JSON.stringify(other));
