import type { Fault } from "../config/types.ts";
import { parseInstant } from "../config/values.ts";
import { type CallFilter, mostRecords } from "../store/calls.ts";

export const filterNames = ["customer", "user", "number", "callId", "since", "until", "after", "limit"] as const;

/** What calls are asked for by, as it was typed. */
export type FilterTexts = Partial<Readonly<Record<(typeof filterNames)[number], string>>>;

export type ReadFilter =
  | { readonly kind: "filter"; readonly filter: CallFilter }
  | { readonly kind: "faults"; readonly faults: readonly Pick<Fault, "path" | "message">[] };

const usualLimit = 100;
const longest = 256;
const idPattern = /^[0-9a-f-]{36}$/;

/** Every fault at once. user: a user part, or user@domain; since, until: ISO 8601 or Unix seconds. */
export function readFilter(texts: FilterTexts): ReadFilter {
  const { customer, user, number, callId, after, limit = String(usualLimit) } = texts;
  const faults: Pick<Fault, "path" | "message">[] = [];
  const check = (path: keyof FilterTexts, isRight: boolean, message: string): void => {
    if (texts[path] !== undefined && !isRight) faults.push({ path, message });
  };
  const [since, until] = [instantOf(texts.since), instantOf(texts.until)];
  for (const name of ["customer", "user", "callId"] as const) {
    check(name, isShort(texts[name]), `is empty or longer than ${longest} characters`);
  }
  check("number", /^\+?[0-9][0-9 .()-]{0,39}$/.test(number ?? ""), "is no telephone number: write it whole");
  check("since", since !== undefined, "is no instant: write it like 2026-06-01T12:00Z, or in Unix seconds");
  check("until", until !== undefined, "is no instant: write it like 2026-06-01T12:00Z, or in Unix seconds");
  check("after", idPattern.test(after ?? ""), "is no id of a record: take `next` of the answer before");
  const count = /^[0-9]{1,3}$/.test(limit) ? Number(limit) : 0;
  check("limit", count >= 1 && count <= mostRecords, `must be 1 to ${mostRecords}`);
  if (faults.length > 0) return { kind: "faults", faults };
  const [name, domain] = user?.split(/@(?=[^@]*$)/) ?? [];
  const wanted = { customer, user: name, domain: domain?.toLowerCase(), number, callId, since, until, after };
  const given = Object.entries(wanted).filter(([, value]) => value !== undefined);
  return { kind: "filter", filter: { ...Object.fromEntries(given), limit: count } };
}

const isShort = (text = ""): boolean => text !== "" && text.length <= longest;

/** Milliseconds. */
function instantOf(text: string | undefined): number | undefined {
  const seconds = text === undefined ? undefined : parseInstant(text);
  return seconds === undefined ? undefined : seconds * 1000;
}
