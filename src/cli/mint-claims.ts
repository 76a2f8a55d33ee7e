import { type JsonObject, type JsonValue, parseStrictJson } from "../core/strict-json.ts";

export type ClaimsRead =
  | { readonly kind: "claims"; readonly claims: JsonObject }
  | { readonly kind: "fault"; readonly sentence: string };

/** The claims that may be given by hand: what narrows a token, and what its key may ask for. The rest is mint's own. */
const takes: readonly string[] = [
  "methods",
  "numbers",
  "oneCall",
  "maxSeconds",
  "callerId",
  "permissions",
  "jti",
  "aud",
  "iss",
  "appID",
  "nbf",
];

/** `name=value` each, the value JSON where it parses, else text. The sentence holds nothing of a value. */
export function claimsOf(given: readonly string[]): ClaimsRead {
  const claims: Record<string, JsonValue> = {};
  for (const one of given) {
    const at = one.indexOf("=");
    const name = one.slice(0, Math.max(at, 0));
    if (at < 1) return fault("--claim takes <name>=<value>");
    if (!takes.includes(name)) return fault(`--claim takes ${takes.join(", ")}; the other claims are mint's own`);
    if (Object.hasOwn(claims, name)) return fault(`--claim gives ${name} twice`);
    const parsed = parseStrictJson(one.slice(at + 1));
    claims[name] = parsed.kind === "value" ? parsed.value : one.slice(at + 1);
  }
  return { kind: "claims", claims };
}

const fault = (sentence: string): ClaimsRead => ({ kind: "fault", sentence });
