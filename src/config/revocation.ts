import { z } from "zod";
import type { Revocation } from "../core/identity.ts";
import { collect, isMapValue } from "./collect.ts";
import type { Faults } from "./faults.ts";
import * as is from "./fields.ts";
import { instant, map, text } from "./values.ts";
import type { Value } from "./walk.ts";

export const revokedKinds = ["user", "credential", "jti", "handle"] as const satisfies readonly Revocation["kind"][];

export const callsThen = z.enum(["finish", "end"]);

/** Longer than any username or jti that is taken at all. */
const longest = 1024;
/** Of a username that holds a handle. */
const longestHandle = 3400;

const printable = (most: number) =>
  text(
    (value) => value !== "" && value.length <= most && /^[\x21-\x7e]*$/.test(value),
    `is no name that a credential could have: up to ${most} printable ASCII characters`,
  );

const jti = text(
  (value) => value !== "" && value.length <= longest && value.isWellFormed(),
  `is no jti: up to ${longest} characters`,
);

const user = text(isUserOrAddress, "is no user: write a user part, or user@domain").transform((value) =>
  value.replace(/@.*$/, (domain) => domain.toLowerCase()),
);

function isUserOrAddress(value: string): boolean {
  const [name = "", domain, ...more] = value.split("@");
  return is.isUser(name) && more.length === 0 && (domain === undefined || is.isDomain(domain.toLowerCase()));
}

export const revocation = map({
  user: user.optional(),
  credential: printable(longest).optional(),
  jti: jti.optional(),
  handle: printable(longestHandle).optional(),
  until: instant,
  calls: callsThen.default("end"),
});

export function revokedRule(root: Value, faults: Faults): void {
  for (const { path, value } of collect(root, "customers[].revoked[]")) {
    if (!isMapValue(value) || revokedKinds.filter((kind) => value[kind] !== undefined).length === 1) continue;
    faults.add(path, "needs exactly one of user, credential, jti, handle");
  }
}

/** The rule has seen to it that exactly one is given. */
export function revocationOf({ until, calls, ...rest }: z.output<typeof revocation>): Revocation {
  const kind = revokedKinds.find((one) => rest[one] !== undefined) ?? "user";
  return { kind, value: rest[kind] ?? "", until, calls };
}
