import { generateKeyPairSync, randomBytes } from "node:crypto";
import type { JwtAlgorithm } from "../core/identity.ts";
import { type ImportedKey, importJwk, importSecret, type ProvingKey } from "./verification-keys.ts";

/** Keys that nobody has: what is checked against them costs what a customer's key costs, and never counts. */
export class DecoyKeys {
  readonly #made = new Map<JwtAlgorithm, ProvingKey>();

  for(alg: JwtAlgorithm): ProvingKey {
    const known = this.#made.get(alg);
    if (known) return known;
    let imported = make(alg);
    while (imported.kind === "unusable") imported = make(alg);
    this.#made.set(alg, imported.key);
    return imported.key;
  }
}

function make(alg: JwtAlgorithm): ImportedKey {
  if (alg.startsWith("HS")) return importSecret(alg, randomBytes(64));
  return importJwk(alg, jwk(alg));
}

function jwk(alg: JwtAlgorithm): Readonly<Record<string, unknown>> {
  if (alg === "EdDSA") return { ...generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }) };
  if (!alg.startsWith("ES")) return { kty: "RSA", e: "AQAB", n: modulus().toString("base64url") };
  const namedCurve = alg === "ES512" ? "P-521" : `P-${alg.slice(2)}`;
  return { ...generateKeyPairSync("ec", { namedCurve }).publicKey.export({ format: "jwk" }) };
}

/** 2048 bits, odd: to check a signature nobody needs its factors, and finding two primes takes a second. */
function modulus(): Buffer {
  const bytes = randomBytes(256);
  bytes[0] = (bytes[0] ?? 0) | 0x80;
  bytes[255] = (bytes[255] ?? 0) | 1;
  return bytes;
}
