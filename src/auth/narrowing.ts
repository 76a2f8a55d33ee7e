import type { Refusal } from "../core/errors.ts";
import { refuse } from "../core/errors.ts";
import { type Narrowing, type Permission, permissions } from "../core/identity.ts";
import type { JsonObject, JsonValue } from "../core/strict-json.ts";

export type ReadNarrowing =
  | {
      readonly kind: "narrowing";
      /** Without oneCall, whose name is made of the token. */
      readonly narrowing: Narrowing;
      readonly oneCall: boolean;
    }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/**
 * The claims `methods`, `numbers`, `oneCall`, `maxSeconds`, `callerId` and `permissions`. One that cannot be understood
 * is refused, for passing over it would give more than was meant; what they narrow is the customer's to give.
 */
export function readNarrowing(claims: JsonObject): ReadNarrowing {
  const { oneCall, maxSeconds, callerId } = claims;
  const methods = texts(claims.methods, isMethod);
  if (methods === "malformed") return malformed('methods is no list of SIP methods like ["INVITE"]');
  const numbers = texts(claims.numbers, isNumberPattern);
  if (numbers === "malformed") return malformed("numbers is no list of number patterns like +3225887000 or +3225887*");
  const allowed = texts(claims.permissions, isPermission);
  if (allowed === "malformed") return malformed(`permissions is no list of names among ${permissions.join(", ")}`);
  if (oneCall !== undefined && typeof oneCall !== "boolean") return malformed("oneCall is neither true nor false");
  if (maxSeconds !== undefined && !isDuration(maxSeconds))
    return malformed("maxSeconds is no number of seconds from 1");
  if (callerId !== undefined && !isCallerId(callerId)) return malformed("callerId is no number like +3225887000");
  const narrowing: Narrowing = {
    ...(methods !== undefined && { methods }),
    ...(numbers !== undefined && { numbers }),
    ...(maxSeconds !== undefined && { maxSeconds: Math.floor(maxSeconds) }),
    ...(callerId !== undefined && { callerId }),
    ...(allowed !== undefined && { permissions: allowed }),
  };
  return { kind: "narrowing", narrowing, oneCall: oneCall === true };
}

const malformed = (what: string): ReadNarrowing => ({
  kind: "refused",
  refusal: refuse("credential-malformed", `the token's ${what.replaceAll('"', "'")}`),
});

const longestList = 50;

/** A list of at most 50, of which every entry is one of these; an empty one allows nothing at all. */
function texts<Text extends string>(
  value: JsonValue | undefined,
  is: (text: string) => text is Text,
): readonly Text[] | undefined | "malformed" {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length > longestList) return "malformed";
  const entries: readonly JsonValue[] = value;
  const sound = entries.filter((entry): entry is Text => typeof entry === "string" && is(entry));
  return sound.length === entries.length ? sound : "malformed";
}

const isMethod = (text: string): text is string => /^[A-Z][A-Z0-9._-]{0,31}$/.test(text);
const isNumberPattern = (text: string): text is string => /^\+?[0-9]{0,20}\*?$/.test(text) && /[0-9*]/.test(text);
const isPermission = (text: string): text is Permission => permissions.some((known) => known === text);
const isCallerId = (value: JsonValue): value is string => typeof value === "string" && /^\+[0-9]{1,20}$/.test(value);
const isDuration = (value: JsonValue): value is number =>
  typeof value === "number" && value >= 1 && value <= 2 ** 31 - 1;
