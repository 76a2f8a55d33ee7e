import { createPublicKey } from "node:crypto";
import { z } from "zod";
import type { JwtAlgorithm } from "../core/identity.ts";
import { id, map, secret, text, webUrl } from "./values.ts";

export const algorithms = [
  "HS256",
  "HS384",
  "HS512",
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
] as const satisfies readonly JwtAlgorithm[];

const some = text((value) => value !== "", "is empty");

/** RFC 7517 members that only a private or symmetric key has. */
const privateMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

const jwk = z
  .record(z.string(), z.unknown())
  .refine(
    (key) => !privateMembers.some((member) => key[member] !== undefined),
    "is not a public key: leave the private part out",
  )
  .refine((key) => isPublicKey({ key, format: "jwk" }), "is no public key as a JWK (RFC 7517)");

const pem = text(
  (value) => !value.includes("PRIVATE KEY") && isPublicKey(value),
  "is no public key in PEM form (-----BEGIN PUBLIC KEY-----)",
);

function isPublicKey(key: Parameters<typeof createPublicKey>[0]): boolean {
  try {
    createPublicKey(key);
    return true;
  } catch {
    return false;
  }
}

/** How a customer's JWTs are verified. Which members belong together is judged by the rules. */
export const verificationKey = map({
  id,
  alg: z.enum(algorithms),
  jwk: jwk.optional(),
  pem: pem.optional(),
  secret: secret.optional(),
  jwksUri: webUrl.optional(),
  issuer: some.optional(),
  audience: some.optional(),
  singleUse: z.boolean().default(false),
});
