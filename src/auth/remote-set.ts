import { createHash } from "node:crypto";
import type { JwtAlgorithm } from "../core/identity.ts";
import { isJsonObject, type JsonObject, parseStrictJson } from "../core/strict-json.ts";
import { importJwk, type ProvingKey } from "./verification-keys.ts";

const mostKeys = 100;

export type ReadKeySet =
  | { readonly kind: "set"; readonly keys: readonly JsonObject[] }
  /** reason: a sentence. */
  | { readonly kind: "bad"; readonly reason: string };

/** A JWK set (RFC 7517 §5), at most 100 keys. Which of them are of use is another question. */
export function readKeySet(body: Buffer): ReadKeySet {
  const json = parseStrictJson(body);
  if (json.kind === "malformed") return { kind: "bad", reason: "the answer is not JSON that every parser reads alike" };
  const keys = isJsonObject(json.value) ? json.value.keys : undefined;
  if (!Array.isArray(keys)) return { kind: "bad", reason: "the answer is not a JWK set: a member keys is missing" };
  const objects = keys.filter(isJsonObject);
  if (objects.length !== keys.length) return { kind: "bad", reason: "the answer is not a JWK set: a key is no object" };
  return keys.length > mostKeys
    ? { kind: "bad", reason: `the answer has more than ${mostKeys} keys` }
    : { kind: "set", keys: objects };
}

/** A key of a set, under the name that the set gives it. */
export interface NamedKey {
  readonly kid: string | undefined;
  readonly key: ProvingKey;
  /** RFC 7638, SHA-256 in base64url. */
  readonly thumbprint: string;
}

/** The keys of one answer. A key that was in the answer before, letter by letter, is the same object again. */
export class KeySet {
  readonly #jwks: readonly JsonObject[];
  readonly #text: string;
  readonly #imported: Map<string, ProvingKey | undefined>;
  readonly #fitting = new Map<JwtAlgorithm, readonly NamedKey[]>();

  constructor(jwks: readonly JsonObject[], before?: KeySet) {
    const byText = new Map(jwks.map((jwk) => [JSON.stringify(jwk), jwk]));
    this.#jwks = [...byText.values()];
    this.#text = [...byText.keys()].join();
    const imported = before === undefined ? [] : [...before.#imported];
    const kept = imported.filter(([text]) => byText.has(text.slice(text.indexOf(" ") + 1)));
    this.#imported = new Map(kept);
  }

  /** Whether both are the same answer. */
  equals(other: KeySet): boolean {
    return this.#text === other.#text;
  }

  /** Those fit for the algorithm. Where two have one `kid`, neither is used: it tells nothing (RFC 7517 §4.5). */
  fitting(alg: JwtAlgorithm): readonly NamedKey[] {
    const known = this.#fitting.get(alg);
    if (known) return known;
    const fit = this.#jwks.flatMap((jwk): NamedKey[] => {
      const key = this.#import(alg, jwk);
      if (key === undefined) return [];
      return [{ kid: typeof jwk.kid === "string" ? jwk.kid : undefined, key, thumbprint: thumbprintOf(jwk) }];
    });
    const clear = fit.filter(({ kid }) => kid === undefined || fit.filter((other) => other.kid === kid).length === 1);
    this.#fitting.set(alg, clear);
    return clear;
  }

  /** RFC 7517 §5: what is not understood, or not for this, is passed over. */
  #import(alg: JwtAlgorithm, jwk: JsonObject): ProvingKey | undefined {
    const text = `${alg} ${JSON.stringify(jwk)}`;
    if (!this.#imported.has(text)) {
      const imported = importJwk(alg, jwk);
      this.#imported.set(text, imported.kind === "key" ? imported.key : undefined);
    }
    return this.#imported.get(text);
  }
}

const thumbprints = new WeakMap<JsonObject, string>();

/** Over what makes the key and nothing else (RFC 7638 §3.2, RFC 8037 §2): the rest of a JWK may be written anew. */
function thumbprintOf(jwk: JsonObject): string {
  const known = thumbprints.get(jwk);
  if (known !== undefined) return known;
  const { crv, e, kty, n, x, y } = jwk;
  const members = JSON.stringify({ crv, e, kty, n, x, y });
  const made = createHash("sha256").update(members).digest("base64url");
  thumbprints.set(jwk, made);
  return made;
}
