import { createPublicKey, createSecretKey, type KeyObject, type webcrypto } from "node:crypto";
import { compactVerify, errors } from "jose";
import type { JwtAlgorithm, VerificationKey } from "../core/identity.ts";
import type { Jws } from "./jws-text.ts";
import { isRoca } from "./roca.ts";

/** A key that is fit for its algorithm and used with no other: a token's header chooses nothing. */
export interface ProvingKey {
  readonly alg: JwtAlgorithm;
  readonly key: webcrypto.CryptoKey;
}

export type ImportedKey =
  | { readonly kind: "key"; readonly key: ProvingKey }
  /** reason: continues "the key …". */
  | { readonly kind: "unusable"; readonly reason: string };

/** RFC 7518 §3 and RFC 8037 §3.1, as WebCrypto has it. */
interface Family {
  readonly kty: "oct" | "RSA" | "EC" | "OKP";
  readonly hash?: "SHA-256" | "SHA-384" | "SHA-512";
  /** OpenSSL's names of the key's type and curve. */
  readonly type?: string;
  readonly curve?: string;
  readonly params: { readonly name: string; readonly hash?: string; readonly namedCurve?: string };
  /** `alg` of a JWK that names this algorithm. */
  readonly names: readonly string[];
}

const hmac = (bits: 256 | 384 | 512): Family => ({
  kty: "oct",
  hash: `SHA-${bits}`,
  params: { name: "HMAC", hash: `SHA-${bits}` },
  names: [`HS${bits}`],
});
const rsa = (name: "RSASSA-PKCS1-v1_5" | "RSA-PSS", bits: 256 | 384 | 512): Family => ({
  kty: "RSA",
  type: "rsa",
  params: { name, hash: `SHA-${bits}` },
  names: [`${name === "RSA-PSS" ? "PS" : "RS"}${bits}`],
});
const ecdsa = (alg: string, curve: string, namedCurve: string): Family => ({
  kty: "EC",
  type: "ec",
  curve,
  params: { name: "ECDSA", namedCurve },
  names: [alg],
});

const families: Readonly<Record<JwtAlgorithm, Family>> = {
  HS256: hmac(256),
  HS384: hmac(384),
  HS512: hmac(512),
  RS256: rsa("RSASSA-PKCS1-v1_5", 256),
  RS384: rsa("RSASSA-PKCS1-v1_5", 384),
  RS512: rsa("RSASSA-PKCS1-v1_5", 512),
  PS256: rsa("RSA-PSS", 256),
  PS384: rsa("RSA-PSS", 384),
  PS512: rsa("RSA-PSS", 512),
  ES256: ecdsa("ES256", "prime256v1", "P-256"),
  ES384: ecdsa("ES384", "secp384r1", "P-384"),
  ES512: ecdsa("ES512", "secp521r1", "P-521"),
  EdDSA: { kty: "OKP", type: "ed25519", params: { name: "Ed25519" }, names: ["EdDSA", "Ed25519"] },
};

export const isAlgorithm = (alg: string): alg is JwtAlgorithm => Object.hasOwn(families, alg);

const unusable = (reason: string): ImportedKey => ({ kind: "unusable", reason });

/** Bytes, as of every secret. RFC 7518 §3.2 wants as many as the hash has; customers have what they have. */
const leastSecret = 16;

/** A shared secret; never the text of a public key (RFC 8725 §2.1). */
export function importSecret(alg: JwtAlgorithm, secret: Buffer): ImportedKey {
  const { kty, hash, params } = families[alg];
  if (kty !== "oct" || hash === undefined) return unusable(`is a shared secret, but ${alg} takes a public key`);
  if (secret.includes("-----BEGIN")) return unusable("is a public key, which everybody has, and no secret");
  if (secret.length < leastSecret) return unusable(`is shorter than ${leastSecret} bytes`);
  return { kind: "key", key: { alg, key: createSecretKey(secret).toCryptoKey(params, false, ["verify"]) } };
}

/** A public key in PEM form (SubjectPublicKeyInfo). */
export function importPem(alg: JwtAlgorithm, pem: string): ImportedKey {
  if (pem.includes("PRIVATE KEY")) return unusable("is a private key");
  return importPublic(alg, () => createPublicKey(pem));
}

/** RFC 7517: what the JWK says about itself (`kty`, `alg`, `use`, `key_ops`) must fit; a private one is not taken. */
export function importJwk(alg: JwtAlgorithm, jwk: Readonly<Record<string, unknown>>): ImportedKey {
  const { kty, names } = families[alg];
  if (jwk.kty !== kty || kty === "oct") return unusable(`is of another type than ${alg} takes`);
  if (jwk.alg !== undefined && !names.some((name) => name === jwk.alg)) return unusable("is for another algorithm");
  if (jwk.use !== undefined && jwk.use !== "sig") return unusable("is not for signatures");
  const ops: unknown = jwk.key_ops;
  if (ops !== undefined && !(Array.isArray(ops) && ops.includes("verify"))) return unusable("is not for verifying");
  if (["d", "p", "q", "dp", "dq", "qi", "oth", "k"].some((member) => Object.hasOwn(jwk, member))) {
    return unusable("is a private key");
  }
  return importPublic(alg, () => createPublicKey({ key: { ...jwk }, format: "jwk" }));
}

function importPublic(alg: JwtAlgorithm, read: () => KeyObject): ImportedKey {
  const key = attempt(read);
  if (key === undefined) return unusable("cannot be read");
  const { type, curve, params } = families[alg];
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType !== type || (curve !== undefined && details?.namedCurve !== curve)) {
    return unusable(`is of another type or curve than ${alg} takes`);
  }
  const fault = type === "rsa" ? rsaFault(key) : undefined;
  return fault === undefined
    ? { kind: "key", key: { alg, key: key.toCryptoKey(params, true, ["verify"]) } }
    : unusable(fault);
}

/** node:crypto throws for whatever is no key; what it says may hold the key. */
function attempt(read: () => KeyObject): KeyObject | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** RFC 7518 §3.3: 2048 bits or more. Above 8192 one check costs milliseconds. */
function rsaFault(key: KeyObject): string | undefined {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < 2048 || modulusLength > 8192) return "is an RSA key of less than 2048 or more than 8192 bits";
  if (publicExponent < 3n || publicExponent % 2n === 0n || publicExponent >= 2n ** 33n) {
    return "is an RSA key with an exponent that is not odd, below 3 or above 33 bits";
  }
  const modulus = Buffer.from(String(key.export({ format: "jwk" }).n), "base64url").toString("hex");
  return isRoca(BigInt(`0x${modulus}`)) ? "is an RSA key that can be factored (ROCA, CVE-2017-15361)" : undefined;
}

const imported = new WeakMap<VerificationKey, ImportedKey>();

/** The customer's own key, imported once; undefined for one in a remote set, which has keys of its own. */
export function ownKey(key: VerificationKey): ImportedKey | undefined {
  const known = imported.get(key);
  if (known !== undefined || key.source.kind === "remote") return known;
  const fresh = importOwn(key.alg, key.source);
  imported.set(key, fresh);
  return fresh;
}

function importOwn(alg: JwtAlgorithm, source: Exclude<VerificationKey["source"], { kind: "remote" }>): ImportedKey {
  if (source.kind === "secret") return importSecret(alg, Buffer.from(source.secret));
  return source.kind === "pem" ? importPem(alg, source.pem) : importJwk(alg, source.jwk);
}

/** Whether the key signed it, under the key's own algorithm. Rejects only for faults. */
export async function verifyJws(jws: Jws, { key, alg }: ProvingKey): Promise<boolean> {
  if (jws.alg !== alg) return false;
  try {
    await compactVerify(jws.text, key, { algorithms: [alg] });
    return true;
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return false;
    throw error;
  }
}
