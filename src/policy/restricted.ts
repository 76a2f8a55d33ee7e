import { matchesNumber } from "../core/customers.ts";
import type { Customer } from "../core/identity.ts";
import {
  costlyNetworks,
  countryCodeLength,
  emergencyBehindLine,
  emergencyCodes,
  internationalPrefixes,
  type Plan,
  plans,
} from "./numbering.ts";

export type Restriction = "emergency" | "costly";

/** One way in which somebody may read a dialled number: something stands in the place of what it begins with. */
interface Reading {
  readonly strip: string;
  readonly add: string;
  readonly as: "international" | "national" | "extension";
}

/** As it stands, and as in `+32 (0)900…`, which trunks mend. */
const behind = (prefix: string): Reading[] =>
  [
    { strip: prefix, add: "" },
    ...plans
      .filter(({ trunk }) => trunk !== "")
      .map(({ code, trunk }) => ({ strip: prefix + code + trunk, add: code })),
  ].map((reading) => ({ ...reading, as: "international" }));
const direct = behind("");
const abroad = internationalPrefixes.flatMap(behind);
const costly = new Set([
  ...costlyNetworks,
  ...plans.flatMap(({ code, premium }) => premium.map((prefix) => code + prefix)),
]);
const longestCostly = Math.max(...[...costly].map(({ length }) => length));
/** Below that a number without + is an extension or short, and of no country. */
const leastNational = 7;
/** After a country code so few digits are a service of the country (112, 15, 911), never a subscriber. */
const shortService = 3;

/** Whether these digits alone call for help, whoever has or has not listed them. */
export const isEmergency = (number: string): boolean => emergencyCodes.includes(plain(number));

/** Whether what a trunk gets to dial for a number calls for help, and no pattern names that very number. */
export const becomesEmergency = (dial: string, number: string, patterns: readonly string[]): boolean =>
  (isEmergency(dial) || emergencyBehindLine.includes(plain(dial))) &&
  !matchesNumber(
    patterns.filter((pattern) => !pattern.endsWith("*")),
    number,
  );

/**
 * Why a number that some of the patterns have is refused all the same: none of them names what it is, an emergency or a costly
 * number, but only what it lies below (`+32*` for `+32900…`). Undefined where it is no such number, or one names it.
 */
export function restrictionOf(number: string, patterns: readonly string[], homes: readonly Plan[]) {
  let found: Restriction | undefined;
  for (const pattern of patterns) {
    if (!matchesNumber([pattern], number)) continue;
    found = closedBy(pattern, number, homes);
    if (found === undefined) return undefined;
  }
  return found;
}

const plain = (number: string): string => number.replace(/[+*]/g, "");

/** Restricted in some reading, in which the pattern does not begin with all that restricts it. */
function closedBy(pattern: string, number: string, homes: readonly Plan[]): Restriction | undefined {
  const digits = plain(number);
  const international = number.startsWith("+") || pattern.startsWith("+");
  for (const reading of readings(digits, international, homes)) {
    const restricted = restrictedPart(read(digits, reading) ?? "", reading.as);
    if (restricted && !read(plain(pattern), reading)?.startsWith(restricted.part)) return restricted.kind;
  }
  return undefined;
}

function readings(digits: string, international: boolean, homes: readonly Plan[]): readonly Reading[] {
  if (international) return [...direct, ...abroad];
  const own = { strip: "", add: "" };
  if (digits.length < leastNational) return [{ ...own, as: "extension" }, ...abroad];
  const national = [own, ...homes.map(({ code, trunk }) => ({ strip: trunk, add: code }))];
  return [...abroad, ...national.map((reading) => ({ ...reading, as: "national" as const }))];
}

function read(digits: string, { strip, add }: Reading): string | undefined {
  return digits.startsWith(strip) ? add + digits.slice(strip.length) : undefined;
}

interface Restricted {
  readonly kind: Restriction;
  readonly part: string;
}

function restrictedPart(digits: string, as: Reading["as"]): Restricted | undefined {
  const whole: Restricted = { kind: "emergency", part: digits };
  if (emergencyCodes.includes(digits) || emergencyBehindLine.includes(digits)) return whole;
  if (as === "extension") return undefined;
  const national = as === "international" ? digits.slice(countryCodeLength(digits)) : "";
  if (emergencyCodes.includes(national)) return whole;
  for (let length = 2; length <= longestCostly; length++) {
    const part = digits.slice(0, length);
    if (costly.has(part)) return { kind: "costly", part };
  }
  return national.length > 0 && national.length <= shortService ? whole : undefined;
}

const homesOfCustomer = new WeakMap<Customer, readonly Plan[]>();

/** In whose national form this customer dials: where its numbers are. All, where nothing says so. */
export function homesOf(customer: Customer): readonly Plan[] {
  const known = homesOfCustomer.get(customer);
  if (known) return known;
  const written = [...customer.numbers, ...customer.dial, customer.callerId ?? ""].filter((text) =>
    text.startsWith("+"),
  );
  const codes = new Set(written.map((text) => text.slice(1, 1 + countryCodeLength(text.slice(1)))));
  const homes = written.length === 0 ? plans : plans.filter(({ code }) => codes.has(code));
  homesOfCustomer.set(customer, homes);
  return homes;
}
