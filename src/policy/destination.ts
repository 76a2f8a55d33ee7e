import { type Customers, matchesNumber } from "../core/customers.ts";
import { type Identity, userPattern } from "../core/identity.ts";
import { type Uri, unescapeUser } from "../sip/uri.ts";
import { type Outward, outwardTo } from "./outward.ts";
import { becomesEmergency, homesOf, isEmergency, type Restriction, restrictionOf } from "./restricted.ts";

export interface DestinationContext {
  readonly customers: Customers;
  /** Hosts under which any customer may dial numbers; lower case. */
  readonly gatewayDomains: ReadonlySet<string>;
}

export type Destination =
  | { readonly kind: "user" }
  /** A telephone number: where it goes, and as whom the customer calls. */
  | (Outward & { readonly kind: "number" })
  | { readonly kind: "denied"; readonly sentence: string };

const denied = (sentence: string): Destination => ({ kind: "denied", sentence });
const maxDigits = 32;
const maxExtensionDigits = 6;
/** Parameters by which a URI names another next hop than its host (RFC 3261 §19.1.1; Kamailio's nathelper). */
const rerouting = ["maddr", "alias", "received"];

/**
 * Where a request outside a dialog may go. Pure. What reads as a telephone number in any spelling is judged as a
 * number and nothing else, so that no spelling reaches a trunk unjudged.
 */
export function judgeDestination(
  uri: Uri,
  method: string,
  identity: Identity,
  context: DestinationContext,
): Destination {
  if (uri.scheme === "tel") return judgeTel(uri, identity, context);
  if (uri.scheme !== "sip") return denied("only sip: and tel: destinations can be called");
  if (rerouting.some((name) => uri.params.has(name)))
    return denied("maddr, alias and received are not allowed in a destination");
  if (uri.port !== undefined) return denied("a destination has no port: leave it out");
  if (uri.user === undefined) return judgeDomain(uri, method, identity);
  if (uri.user.includes(";")) return denied("parameters in the user part are not allowed");
  const plain = plainUser(uri.user);
  if (plain === undefined) return denied("the user part holds an escape that is not allowed");
  const number = asNumber(plain);
  if (number === undefined || isExtension(number, identity)) return judgeUser(uri, identity);
  if (!ownDomain(uri, identity) && !context.gatewayDomains.has(uri.host)) return foreign;
  return judgeNumber(number, identity, context);
}

/** Unescaped, and printable ASCII: another byte may be white space to one reader and none to the next. */
function plainUser(user: string): string | undefined {
  const plain = unescapeUser(user);
  return plain === undefined || /[^ -~]/.test(plain) ? undefined : plain;
}

/** The digits of what reads as a telephone number (RFC 3966 separators removed), with its `+` if it has one. */
export function asNumber(plain: string): string | undefined {
  const digits = plain.replace(/[-.() ]/g, "");
  return /^\+?\d+$/.test(digits) ? digits : undefined;
}

/** What an address is for, whoever asks: no verdict. */
export function kindOf({ scheme, user }: Uri): "number" | "user" | "domain" {
  if (user === undefined) return "domain";
  return scheme === "tel" || asNumber(plainUser(user) ?? "") !== undefined ? "number" : "user";
}

function isExtension(number: string, { customer }: Identity): boolean {
  if (number.startsWith("+") || number.length > maxExtensionDigits || isEmergency(number)) return false;
  return !matchesNumber(customer.numbers, number) && !matchesNumber(customer.dial, number);
}

const foreign = denied("the host must be one of your own domains: other hosts cannot be called");
const ownDomain = (uri: Uri, identity: Identity): boolean => identity.customer.domains.includes(uri.host);

function judgeTel(uri: Uri, identity: Identity, context: DestinationContext): Destination {
  if (uri.params.size > 0) return denied("parameters of a tel: URI are not allowed: dial the whole number, with +");
  const plain = plainUser(uri.user ?? "");
  const number = plain === undefined ? undefined : asNumber(plain);
  return number === undefined ? denied("the tel: URI holds no number") : judgeNumber(number, identity, context);
}

function judgeDomain(uri: Uri, method: string, identity: Identity): Destination {
  if (!ownDomain(uri, identity)) return foreign;
  return method === "OPTIONS"
    ? { kind: "user" }
    : denied("a destination needs a user; only OPTIONS may go to a domain alone");
}

function judgeUser(uri: Uri, identity: Identity): Destination {
  if (!ownDomain(uri, identity)) return foreign;
  if (identity.narrowing.numbers) return denied("this credential is good for some telephone numbers and nothing else");
  return userPattern.test(uri.user ?? "")
    ? { kind: "user" }
    : denied("the user part holds characters that no user has");
}

const nobodys = denied("this number is neither yours nor in your dial list: the operator can add it");
const another = denied(
  "this would be another number as its trunk writes it: dial the number itself, with country code",
);
const restricted: Readonly<Record<Restriction, string>> = {
  emergency: "emergency numbers and short services are not called from here: the operator can list this very number",
  costly: "premium-rate and satellite numbers are not called: the operator can list such a range by itself",
};

function judgeNumber(
  number: string,
  { customer, narrowing }: Identity,
  { customers }: DestinationContext,
): Destination {
  if (number.length > maxDigits) return denied("the number is too long");
  const owner = customers.ownerOf(number);
  const own = owner?.id === customer.id;
  if (!own && !matchesNumber(customer.dial, number))
    return isEmergency(number) ? denied(restricted.emergency) : nobodys;
  const patterns = own ? [...owner.numbers, ...customer.dial] : customer.dial;
  const restriction = restrictionOf(number, patterns, homesOf(customer));
  if (restriction) return denied(restricted[restriction]);
  if (narrowing.numbers && !matchesNumber(narrowing.numbers, number)) {
    return denied("this credential is not good for this number: get one that names it");
  }
  const of = owner ?? customer;
  if (of.trunk === undefined) return denied("there is no trunk for this number: the operator can set one");
  const caller = narrowing.callerId ?? customer.callerId ?? "";
  const isOwn = (): boolean => caller === customer.callerId || customers.ownerOf(caller)?.id === customer.id;
  if (narrowing.callerId !== undefined && !isOwn()) {
    return denied("the credential's callerId is none of the customer's numbers: leave it out, or name one of them");
  }
  const outward = outwardTo({ ...of, trunk: of.trunk }, number, patterns, caller);
  if (!outward) return another;
  const { dial } = outward;
  if (dial !== undefined && becomesEmergency(dial, number, patterns)) return denied(restricted.emergency);
  return { kind: "number", ...outward };
}
