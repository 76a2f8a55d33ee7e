import { type Refusal, refuse } from "./errors.ts";
import { address, type CallsThen, type Customer, type Identity, type Revocation } from "./identity.ts";

/** What is revoked, by kind and name: a look-up for each name that is asked for, however many there are. */
type Index = Readonly<Record<Revocation["kind"], ReadonlyMap<string, readonly Revocation[]>>>;

const indexes = new WeakMap<Customer, Index>();

function indexOf(customer: Customer): Index {
  const known = indexes.get(customer);
  if (known) return known;
  const index = { user: byName(), credential: byName(), jti: byName(), handle: byName() };
  for (const revocation of customer.revoked) {
    const [names, name] = [index[revocation.kind], nameOf(revocation)];
    names.set(name, [...(names.get(name) ?? []), revocation]);
  }
  indexes.set(customer, index);
  return index;
}

const byName = (): Map<string, readonly Revocation[]> => new Map();

/** A handle may be named by the whole username that holds it. */
const nameOf = ({ kind, value }: Revocation): string =>
  kind === "handle" ? value.slice(value.indexOf(";") + 1) : value;

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
  let calls = customer.suspended;
  const consider = (found: readonly Revocation[] = []): void => {
    for (const one of found) if (now <= one.until && calls !== "end") calls = one.calls;
  };
  if (index.user.size > 0) {
    consider(index.user.get(user));
    consider(index.user.get(address(identity)));
  }
  for (const { kind, value } of names) consider(index[kind].get(value));
  return calls;
}

const suspended = refuse("credential-revoked", "the customer is suspended: its operator can tell why");
const revoked = refuse("credential-revoked", "the customer has revoked this user or credential: ask it for another");

/** How whoever was taken back is told so. */
export const revokedOf = (customer: Customer): Refusal => (customer.suspended === undefined ? revoked : suspended);
