import { type Refusal, refuse } from "../core/errors.ts";
import { type Narrowing, userPattern } from "../core/identity.ts";
import type { JsonObject, JsonValue } from "../core/strict-json.ts";
import { readNarrowing } from "./narrowing.ts";

/** What a customer's token says (RFC 7519 §4, callstats.io's userID, appID and keyID), read strictly, not proved. */
export interface Claims {
  readonly user: string;
  /** Lower case. */
  readonly domain: string | undefined;
  readonly appId: string | undefined;
  readonly issuer: string | undefined;
  readonly keyId: string | undefined;
  readonly audiences: readonly string[] | undefined;
  /** Unix seconds, perhaps with a fraction. */
  readonly expiry: number;
  readonly notBefore: number | undefined;
  readonly issuedAt: number | undefined;
  readonly id: string | undefined;
  /** Without oneCall, whose name is made of the token. */
  readonly narrowing: Narrowing;
  readonly oneCall: boolean;
}

export type ReadClaims =
  | { readonly kind: "claims"; readonly claims: Claims }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/** Each claim that is known here is of its type, or absent; others are passed over, as RFC 7519 §4 has it. */
export function readClaims(payload: JsonObject): ReadClaims {
  const fault = textFault(payload) ?? otherFault(payload) ?? timeFault(payload);
  if (fault !== undefined) return malformed(fault);
  const address = text(payload.userID) ?? text(payload.sub);
  if (address === undefined) return malformed("has no user: write it as sub or userID");
  const at = address.indexOf("@");
  const user = at < 0 ? address : address.slice(0, at);
  if (!userPattern.test(user)) return malformed("has a user that is not 1 to 64 letters, digits or -_.!~*'()&=+$,");
  const narrowed = readNarrowing(payload);
  if (narrowed.kind === "refused") return narrowed;
  return {
    kind: "claims",
    claims: {
      user,
      domain: at < 0 ? undefined : address.slice(at + 1).toLowerCase(),
      appId: typeof payload.appID === "number" ? String(payload.appID) : text(payload.appID),
      issuer: text(payload.iss),
      keyId: text(payload.keyID),
      audiences: typeof payload.aud === "string" ? [payload.aud] : texts(payload.aud),
      expiry: number(payload.exp) ?? 0,
      notBefore: number(payload.nbf),
      issuedAt: number(payload.iat),
      id: text(payload.jti),
      narrowing: narrowed.narrowing,
      oneCall: narrowed.oneCall,
    },
  };
}

const malformed = (what: string): { readonly kind: "refused"; readonly refusal: Refusal } => ({
  kind: "refused",
  refusal: refuse("credential-malformed", `the token ${what}`),
});

const text = (value: JsonValue | undefined): string | undefined => (typeof value === "string" ? value : undefined);
const number = (value: JsonValue | undefined): number | undefined => (typeof value === "number" ? value : undefined);
const texts = (value: JsonValue | undefined): string[] | undefined =>
  Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : undefined;

const longestId = 256;

function textFault(payload: JsonObject): string | undefined {
  for (const name of ["sub", "userID", "iss", "keyID", "jti"]) {
    if (payload[name] !== undefined && typeof payload[name] !== "string") return `has a ${name} that is not a text`;
  }
  const { sub, userID, jti } = payload;
  if (sub !== undefined && userID !== undefined && sub !== userID) return "has a sub and another userID: give one";
  return typeof jti === "string" && jti.length > longestId
    ? `has a jti longer than ${longestId} characters`
    : undefined;
}

/** appID: callstats.io publishes it as a number, clients send both. */
function otherFault({ appID, aud }: JsonObject): string | undefined {
  const whole = typeof appID === "number" && Number.isSafeInteger(appID) && appID >= 0;
  if (appID !== undefined && typeof appID !== "string" && !whole) return "has an appID that is no text or whole number";
  const list = typeof aud === "string" ? [aud] : texts(aud);
  const sound = aud === undefined || (list !== undefined && (!Array.isArray(aud) || list.length === aud.length));
  return sound ? undefined : "has an aud that is no text or list of texts";
}

/** Kamailio reads stamps as unsigned 32-bit. */
const lastSecond = 2 ** 32 - 1;

function timeFault(payload: JsonObject): string | undefined {
  if (payload.exp === undefined) return "has no exp: say when it ends, in Unix seconds";
  for (const name of ["exp", "nbf", "iat"]) {
    const value = payload[name];
    if (value !== undefined && typeof value !== "number") return `has an ${name} that is not a number of Unix seconds`;
    if (value !== undefined && value > 1e11) return `has an ${name} in milliseconds: use seconds`;
    if (value !== undefined && !(value >= 0 && value <= lastSecond)) return `has an ${name} that is no Unix time`;
  }
  return undefined;
}
