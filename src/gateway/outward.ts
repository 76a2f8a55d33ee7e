import { createCipheriv, createHash, randomBytes } from "node:crypto";
import type { TrunkAuth } from "../core/identity.ts";
import type { Outward } from "../policy/outward.ts";

/** Header lines beside the grant, whose fields are fixed: what Kamailio dials, and what it tells a trunk that asks. */
export function outwardLines({ dial, auth, trusted = true }: Outward, secret: string, token: string): string {
  const lines = [
    ...(dial === undefined ? [] : [`X-Postern-Dial: ${dial}`]),
    ...(trusted ? [] : ["X-Postern-Untrusted: 1"]),
    ...(auth ? [`X-Postern-Trunk-Auth: ${sealTrunkAuth(auth, secret, token)}`] : []),
  ];
  return lines.map((line) => `${line}\r\n`).join("");
}

/**
 * The credential for Kamailio alone: base64 of IV and AES-256-CBC, as its module crypto reads it, under a key of the chain secret and of this
 * request's X-Postern-Token. So it opens beside no other grant, and neither a trace of the link nor Kamailio's own log shows it.
 */
export function sealTrunkAuth(
  { username, password, realm = "" }: TrunkAuth,
  secret: string,
  token: string,
  iv = randomBytes(16),
): string {
  const cipher = createCipheriv("aes-256-cbc", trunkAuthKey(secret, token), iv);
  const plain = ["postern", username, realm, password].join("\n");
  return Buffer.concat([iv, cipher.update(plain), cipher.final()]).toString("base64");
}

/** No other text that is hashed behind the secret has a line break there. */
const trunkAuthKey = (secret: string, token: string): Buffer =>
  createHash("sha256").update(`${secret}\ntrunk ${token}`).digest();
