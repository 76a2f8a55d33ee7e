import type { Outcome } from "../manage/change.ts";
import { noCustomer, type Refused, refused } from "./asked.ts";
import type { FieldError } from "./http.ts";

export const noStore = refused(
  503,
  "there is no store for customers yet: write store: into the config and restart, or use postern customer add",
);
export const hasty = refused(429, "too many changes within a minute: several can be made by one PATCH", {
  code: "rate-limited",
});
export const spent = refused(429, "too many changes within a day by the customer's own keys: ask the operator", {
  code: "rate-limited",
});
export const isDeclared = refused(409, "the customer is declared in the config: change it there");
export const unreadable = (sentence: string): Refused => refused(503, `the customer cannot be read: ${sentence}`);
export const ofOtherVersion = refused(503, "the customer is of another version of Postern and cannot be shown");
export const unavailable = (sentence: string): Refused => refused(503, `${sentence}: nothing was changed`);

export const asUnavailable = (error: unknown): Refused =>
  refused(503, error instanceof Error ? error.message : "the store failed");

/** path: how a path in the item is called in what was sent. */
export function refusalOf(
  outcome: Exclude<Outcome<unknown>, { kind: "changed" }>,
  path = (text: string) => text,
): Refused {
  switch (outcome.kind) {
    case "refused":
      return faulty(
        outcome.faults.map((one) => ({ path: path(one.path), message: one.message })),
        outcome.denied,
      );
    case "absent":
      return refused(404, `the customer has no ${outcome.what} of that name`);
    case "unknown":
      return noCustomer;
    case "unreadable":
      return unreadable(outcome.sentence);
    case "stale":
      return refused(412, "the customer is another one now than If-Match says: read it again");
    case "unavailable":
      return unavailable(outcome.sentence);
  }
}

/** Every fault at once. denied: some of it is not this manager's to change. */
export function faulty(errors: readonly FieldError[], denied = false): Refused {
  const count = errors.length === 1 ? "a fault" : `${errors.length} faults`;
  return denied
    ? refused(403, `not all of this is yours to change: see errors; nothing was changed`, {
        code: "permission-missing",
        errors,
      })
    : refused(422, `what was sent has ${count}: see errors; nothing was changed`, { errors });
}
