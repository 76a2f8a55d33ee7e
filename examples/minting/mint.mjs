// Mints an ephemeral credential and a JWT. Secrets come from the environment, never from argv:
//   SIP_SECRET=… JWT_SECRET=… JWT_KEY_ID=k2 node mint.mjs alice@acme.example 1893456000 [sha1|sha256|sha384|sha512]
import { createHmac, randomUUID } from "node:crypto";

// --- shown in docs/minting.md
function credential(secret, user, expiry, algorithm = "sha1" /* or "sha256" */) {
  const username = `${expiry}:${user}`;
  return { username, password: createHmac(algorithm, secret).update(username).digest("base64") };
}

const base64url = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");

function token(secret, keyId, user, expiry) {
  const header = { alg: "HS256", typ: "JWT", kid: keyId };
  const claims = { sub: user, exp: expiry, jti: randomUUID() };
  const text = `${base64url(header)}.${base64url(claims)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}
// --- end

function fail(sentence) {
  console.error(sentence);
  process.exit(2);
}

const [user = "", expiry = "", algorithm = "sha1"] = process.argv.slice(2);
const { SIP_SECRET, JWT_SECRET, JWT_KEY_ID } = process.env;
if (!/^[A-Za-z0-9_.!~*'()&=+$,-]{1,64}@[A-Za-z0-9.-]{1,253}$/.test(user)) fail("the user is not <user>@<domain>");
if (!/^[1-9][0-9]{9}$/.test(expiry)) fail("the expiry is not Unix seconds");
if (!["sha1", "sha256", "sha384", "sha512"].includes(algorithm))
  fail("the algorithm is not sha1, sha256, sha384 or sha512");
if (!SIP_SECRET || !JWT_SECRET || !JWT_KEY_ID) fail("SIP_SECRET, JWT_SECRET and JWT_KEY_ID are not all set");

const minted = credential(SIP_SECRET, user, Number(expiry), algorithm);
console.log(JSON.stringify({ ...minted, token: token(JWT_SECRET, JWT_KEY_ID, user, Number(expiry)) }));
