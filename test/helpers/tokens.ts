import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { CompactSign } from "jose";
import type { JwtAlgorithm, VerificationKey } from "../../src/core/identity.ts";

/** What a customer's server signs with, and what it gives away of it. */
export interface Signer {
  readonly alg: JwtAlgorithm;
  readonly private: KeyObject;
  readonly pem: string;
  readonly jwk: Readonly<Record<string, unknown>>;
}

/** A fresh key pair for an algorithm with a public key. */
export function signer(alg: JwtAlgorithm, kid?: string): Signer {
  const pair = pairFor(alg);
  const jwk = { ...pair.publicKey.export({ format: "jwk" }), ...(kid !== undefined && { kid }) };
  return { alg, private: pair.privateKey, pem: String(pair.publicKey.export({ type: "spki", format: "pem" })), jwk };
}

function pairFor(alg: JwtAlgorithm): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  if (alg === "EdDSA") return generateKeyPairSync("ed25519");
  if (alg.startsWith("ES")) return generateKeyPairSync("ec", { namedCurve: curves[alg] ?? "P-256" });
  return generateKeyPairSync("rsa", { modulusLength: 2048 });
}

const curves: Readonly<Record<string, string>> = { ES256: "P-256", ES384: "P-384", ES512: "P-521" };

type Header = Readonly<Record<string, unknown>> & { readonly alg: string };

/** A compact JWS over these claims. key: a text is a shared secret. */
export function signToken(header: Header, claims: object, key: KeyObject | string): Promise<string> {
  const bytes = typeof key === "string" ? Buffer.from(key) : key;
  return new CompactSign(Buffer.from(JSON.stringify(claims))).setProtectedHeader(header).sign(bytes);
}

/** A customer's key for verifying. */
export const verificationKey = (
  alg: JwtAlgorithm,
  source: VerificationKey["source"],
  changes: Partial<VerificationKey> = {},
): VerificationKey => ({ id: "j1", alg, source, singleUse: false, ...changes });
