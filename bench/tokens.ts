import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

export const benchJwtSecret = "the-jwt-secret-of-the-benchmark-0";

/** Child processes get the key by it: the load signs with it, the gateway verifies. */
const inherited = "POSTERN_BENCH_KEY";
/** The same of the URL of the application that gateways ask. */
export const inheritedApplication = "POSTERN_BENCH_APPLICATION";
let key: KeyObject | undefined;

/** The first to ask makes the one key of the run; to be called before processes are forked. */
export function es256(): KeyObject {
  process.env[inherited] ??= String(
    generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey.export({ type: "pkcs8", format: "pem" }),
  );
  key ??= createPrivateKey(process.env[inherited]);
  return key;
}

/** What the gateway verifies with, in PEM. */
export const es256Public = (): string => String(createPublicKey(es256()).export({ type: "spki", format: "pem" }));

let made = 0;

/** A token that no other is, good for most of an hour. */
export function token(alg: "HS256" | "ES256", user: string): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: "acme", sub: user, iat: now - 10, exp: now + 3000, jti: `${process.pid}-${made++}` };
  const text = `${encode({ alg, typ: "JWT", kid: alg })}.${encode(claims)}`;
  if (alg === "HS256") return `${text}.${createHmac("sha256", benchJwtSecret).update(text).digest("base64url")}`;
  const signature = sign("sha256", Buffer.from(text), { key: es256(), dsaEncoding: "ieee-p1363" });
  return `${text}.${signature.toString("base64url")}`;
}
