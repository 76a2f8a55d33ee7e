import { createHmac, createPrivateKey, randomUUID, sign } from "node:crypto";

// --- shown in docs/minting.md
/** An ephemeral credential. user: `alice@acme.example`; expiry: Unix seconds. */
export function credential(secret: string, user: string, expiry: number) {
  const username = `${expiry}:${user}`;
  return { username, password: createHmac("sha1", secret).update(username).digest("base64") };
}

/** What Voxbone's page library reads: the same construction under other names. */
export function voxrtcConfig(secret: string, user: string, expiry: number) {
  return { key: credential(secret, user, expiry).password, expires: expiry, username: user };
}
// --- end

/** What a gateway takes as a user (RFC 3261 unreserved and &=+$,); who has another name gets no credential. */
export const sipUser = /^[A-Za-z0-9\-_.!~*'()&=+$,]{1,64}$/;

/** What signs tokens: a secret shared with the gateway (HS256), or a P-256 private key in PEM form (ES256). */
export type TokenKey = { readonly id: string } & ({ readonly secret: string } | { readonly pem: string });

/** A JWT for this user and this customer. expiry: Unix seconds. */
export function token(key: TokenKey, customer: string, user: string, expiry: number): string {
  const header = { alg: "secret" in key ? "HS256" : "ES256", typ: "JWT", kid: key.id };
  const claims = { iss: customer, sub: user, exp: expiry, jti: randomUUID() };
  const text = `${base64url(header)}.${base64url(claims)}`;
  return `${text}.${signature(key, text).toString("base64url")}`;
}

const base64url = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");

/** RFC 7518 §3.4 wants r and s one after the other, not the DER that OpenSSL writes. */
function signature(key: TokenKey, text: string): Buffer {
  if ("secret" in key) return createHmac("sha256", key.secret).update(text).digest();
  return sign("sha256", Buffer.from(text), { key: createPrivateKey(key.pem), dsaEncoding: "ieee-p1363" });
}
