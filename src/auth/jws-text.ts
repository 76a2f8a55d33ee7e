import { type Refusal, refuse } from "../core/errors.ts";
import { isJsonObject, type JsonObject, parseStrictJson } from "../core/strict-json.ts";

/** Characters; nothing that a browser sends with each request is longer. */
export const maxToken = 8192;

/** A compact JWS (RFC 7515 §7.1) that was read strictly; nothing of it is proved. */
export interface Jws {
  readonly text: string;
  /** As the header has it; which ones are taken is the key's to say. */
  readonly alg: string;
  readonly kid: string | undefined;
  /** Lower case, without `application/`. */
  readonly typ: string | undefined;
  readonly header: JsonObject;
  readonly payload: Buffer;
}

export type ReadJws =
  | { readonly kind: "jws"; readonly jws: Jws }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/**
 * Three parts in canonical base64url without padding, the header a JSON object. Extensions (`crit`, `b64`) and keys
 * that the token brings itself are refused, `none` in whatever spelling too. Never throws.
 */
export function readJws(text: string): ReadJws {
  if (text.length > maxToken) return malformed(`the token is longer than ${maxToken} characters: give it fewer claims`);
  const parts = text.split(".", 5);
  if (parts.length !== 3) return malformed("the token is no compact JWS: write header.payload.signature");
  const [head = "", body = "", tail = ""] = parts;
  const [header, payload, signature] = [decode(head), decode(body), decode(tail)];
  if (header === undefined || payload === undefined || signature === undefined) {
    return malformed("the token has a part that is not base64url without padding (RFC 7515 section 2)");
  }
  if (signature.length === 0) return malformed("the token has no signature: sign it with a key of the customer");
  const read = readObject(header, "header");
  return read.kind === "object" ? readHeader(text, read.object, payload) : read;
}

export type ReadObject =
  | { readonly kind: "object"; readonly object: JsonObject }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/** The claims of a token (RFC 7519 §4): its payload as a JSON object. */
export const readPayload = (jws: Jws): ReadObject => readObject(jws.payload, "payload");

function readObject(bytes: Buffer, part: "header" | "payload"): ReadObject {
  const json = parseStrictJson(bytes);
  if (json.kind === "malformed") return malformed(`in the token's ${part} ${json.sentence}`);
  if (!isJsonObject(json.value)) return malformed(`the token's ${part} is not a JSON object`);
  return { kind: "object", object: json.value };
}

function readHeader(text: string, header: JsonObject, payload: Buffer): ReadJws {
  const { alg, kid, typ } = header;
  if (Object.hasOwn(header, "crit") || Object.hasOwn(header, "b64")) {
    return malformed("the token's header has crit or b64: extensions of JWS are not taken");
  }
  if (typeof alg !== "string") return malformed("the token's header has no alg");
  if (kid !== undefined && typeof kid !== "string") return malformed("the token's kid is not a text");
  if (typ !== undefined && typeof typ !== "string") return malformed("the token's typ is not a text");
  if (alg.toLowerCase() === "none") return rejected("the token's alg is none: sign it with a key of the customer");
  if (bringsKey(header)) {
    return rejected("the token brings its own key: leave jwk, jku, x5u and x5c out, name the key by kid");
  }
  const type = typ?.toLowerCase().replace(/^application\//, "");
  return { kind: "jws", jws: { text, alg, kid, typ: type, header, payload } };
}

/** RFC 8725 §3.10: a key that comes with what it signs proves nothing. */
const bringsKey = (header: JsonObject): boolean =>
  ["jwk", "jku", "x5u", "x5c"].some((member) => Object.hasOwn(header, member));

/** Node's decoder passes over what is no base64url; only what it would write itself is taken. */
function decode(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, "base64url");
  return bytes.toString("base64url") === part ? bytes : undefined;
}

const malformed = (sentence: string) => ({
  kind: "refused" as const,
  refusal: refuse("credential-malformed", sentence),
});
const rejected = (sentence: string) => ({ kind: "refused" as const, refusal: refuse("credential-rejected", sentence) });
