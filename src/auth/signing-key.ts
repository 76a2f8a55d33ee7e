import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { SigningKey } from "../core/signing-keys.ts";

/** As it is published (RFC 7517, RFC 7518 §6.2.1). */
export interface PublicJwk {
  readonly kty: "EC";
  readonly crv: "P-256";
  readonly x: string;
  readonly y: string;
  readonly kid: string;
  readonly use: "sig";
  readonly alg: "ES256";
}

/** made, signs: milliseconds since the epoch. */
export function makeSigningKey(made: number, signs: number): SigningKey {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = JSON.stringify(privateKey.export({ format: "jwk" }));
  return { kid: thumbprint(jwk), made, signs, jwk };
}

/** RFC 7638 §3: the required members in lexicographic order. */
function thumbprint(jwk: string): string {
  const { crv, kty, x, y } = membersOf(jwk);
  return createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
}

/** Every member is named here: nothing private is published. */
export function publicJwkOf({ kid, jwk }: SigningKey): PublicJwk {
  const { x = "", y = "" } = membersOf(jwk);
  return { kty: "EC", crv: "P-256", x, y, kid, use: "sig", alg: "ES256" };
}

const membersOf = (jwk: string) => JSON.parse(jwk) as Readonly<Partial<Record<"crv" | "kty" | "x" | "y", string>>>;

const imported = new WeakMap<SigningKey, KeyObject>();

/** A compact JWS (RFC 7515 §7.1) over the claims, ES256. typ: of its header. */
export function signCompact(key: SigningKey, typ: string, claims: object): string {
  const text = [{ alg: "ES256", typ, kid: key.kid }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const signature = sign("sha256", Buffer.from(text), { key: privateKeyOf(key), dsaEncoding: "ieee-p1363" });
  return `${text}.${signature.toString("base64url")}`;
}

function privateKeyOf(key: SigningKey): KeyObject {
  const known = imported.get(key) ?? createPrivateKey({ key: membersOf(key.jwk), format: "jwk" });
  imported.set(key, known);
  return known;
}
