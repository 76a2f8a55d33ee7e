import { type Refusal, refuse } from "./errors.ts";
import { address, type CallsThen, type Customer, type Identity, type Name, type Revocation } from "./identity.ts";

/** What is revoked, by its name: one look-up, however many there are. */
type Index = ReadonlyMap<string, readonly Revocation[]>;

const indexes = new WeakMap<Customer, Index>();

const keyOf = ({ kind, value }: Name | Revocation): string => `${kind} ${value}`;

/** A handle may be named by the whole username that holds it. */
const withoutUsername = ({ kind, value, ...rest }: Revocation): Revocation => ({
  ...rest,
  kind,
  value: kind === "handle" ? value.slice(value.indexOf(";") + 1) : value,
});

function indexOf(customer: Customer): Index {
  const known = indexes.get(customer);
  if (known) return known;
  const index = new Map<string, readonly Revocation[]>();
  for (const revocation of customer.revoked.map(withoutUsername)) {
    const key = keyOf(revocation);
    index.set(key, [...(index.get(key) ?? []), revocation]);
  }
  indexes.set(customer, index);
  return index;
}

type Who = Pick<Identity, "customer" | "user" | "domain" | "names">;

/**
 * What becomes of the calls of who was taken back: its customer is suspended, or its user or anything that names its
 * credential is revoked. Undefined where it stands. now: Unix seconds.
 */
export function takenBack(identity: Who, now: number): CallsThen | undefined {
  const { suspended, revoked } = identity.customer;
  return suspended === undefined && revoked.length === 0 ? undefined : judge(identity, now);
}

function judge(identity: Who, now: number): CallsThen | undefined {
  const { customer, user, names } = identity;
  const index = indexOf(customer);
  const all: readonly Name[] = [{ kind: "user", value: user }, { kind: "user", value: address(identity) }, ...names];
  const found = all.flatMap((name) => index.get(keyOf(name)) ?? []).filter(({ until }) => now <= until);
  const ways = [customer.suspended, ...found.map(({ calls }) => calls)];
  return ways.includes("end") ? "end" : ways.find((way) => way !== undefined);
}

const suspended = refuse("credential-revoked", "the customer is suspended: its operator can tell why");
const revoked = refuse("credential-revoked", "the customer has revoked this user or credential: ask it for another");

/** How whoever was taken back is told so. */
export const revokedOf = (customer: Customer): Refusal => (customer.suspended === undefined ? revoked : suspended);
