import { createPrivateKey, createSecretKey, type KeyObject, randomUUID } from "node:crypto";
import type { JsonObject } from "../core/strict-json.ts";
import { claimsOf } from "./mint-claims.ts";
import { usage } from "./outcome.ts";

/** As they stand on the command line; which of them go together has been judged. ttl, now: seconds. */
export interface MintOptions {
  readonly secret: string;
  readonly user?: string;
  readonly ttl?: number;
  readonly algorithm?: string;
  readonly now?: number;
  readonly jwt?: true;
  readonly opentok?: true;
  readonly key?: string;
  readonly customer?: string;
  readonly claim?: readonly string[];
  readonly ist?: string;
  readonly config?: string;
}

interface Token {
  readonly token: string;
  readonly ttl: number;
}

/** What a private key must be for an algorithm (RFC 7518 §3.1, RFC 8037 §3.1); undefined: a shared secret. */
const needs: Readonly<Record<string, { readonly type: string; readonly curve?: string } | undefined>> = {
  HS256: undefined,
  HS384: undefined,
  HS512: undefined,
  RS256: { type: "rsa" },
  RS384: { type: "rsa" },
  RS512: { type: "rsa" },
  PS256: { type: "rsa" },
  PS384: { type: "rsa" },
  PS512: { type: "rsa" },
  ES256: { type: "ec", curve: "prime256v1" },
  ES384: { type: "ec", curve: "secp384r1" },
  ES512: { type: "ec", curve: "secp521r1" },
  EdDSA: { type: "ed25519" },
};

/** Longest life of a management token, seconds, as OpenTok's REST API has it. */
const longestOpentok = 300;

/** RFC 7518 §3.2: a shared secret has at least as many bytes as the hash. */
export const leastBytes = (alg = "HS256"): number => (/^HS[0-9]{3}$/.test(alg) ? Number(alg.slice(2)) / 8 : 0);

/** A visitor's JWT, judged as the gateway would read it. secret: shared, or a private key in PEM; now: Unix seconds. */
export async function mintJwt(options: MintOptions, secret: string, now: number): Promise<Token> {
  const { algorithm: alg = "HS256", ttl = 300, key: kid, customer, user = "" } = options;
  const [{ parseUsername }, { readClaims }] = await Promise.all([
    import("../auth/ephemeral.ts"),
    import("../auth/claims.ts"),
  ]);
  if (ttl < 1) usage("the ttl is not a positive whole number of seconds");
  const parsed = parseUsername(`${now + ttl}:${user}`);
  if (parsed.kind === "malformed") return usage(parsed.refusal.sentence);
  const given = claimsOf(options.claim ?? []);
  if (given.kind === "fault") return usage(given.sentence);
  if (customer !== undefined && "iss" in given.claims) usage("--customer is iss already: name it by --claim appID=…");
  const issuer = customer === undefined ? {} : { iss: customer };
  const claims = { ...issuer, sub: user, iat: now, exp: now + ttl, jti: randomUUID(), ...given.claims };
  const read = readClaims(claims);
  if (read.kind === "refused") return usage(read.refusal.sentence);
  return { token: await sign(claims, { alg, kid }, signingKey(alg, secret)), ttl };
}

/** A management token: one request each. secret: the API key's; now: Unix seconds. */
export async function mintOpentok(
  options: Pick<MintOptions, "ttl" | "key" | "ist">,
  secret: string,
  now: number,
): Promise<Token> {
  const { ttl = 180, key, ist = "project" } = options;
  if (key === undefined) return usage("--opentok needs --key: the id of the API key that the secret belongs to");
  if (ist !== "project" && ist !== "account") return usage("--ist takes project or account");
  if (ttl < 1 || ttl > longestOpentok) return usage(`a management token lives 1 to ${longestOpentok} s: mend --ttl`);
  const claims = { iss: key, ist, iat: now, exp: now + ttl, jti: randomUUID() };
  return { token: await sign(claims, { alg: "HS256", kid: undefined }, signingKey("HS256", secret)), ttl };
}

async function sign(
  claims: JsonObject,
  { alg, kid }: { readonly alg: string; readonly kid: string | undefined },
  key: KeyObject,
): Promise<string> {
  const { SignJWT } = await import("jose");
  const header = { alg, typ: "JWT", ...(kid === undefined ? {} : { kid }) };
  return new SignJWT(claims).setProtectedHeader(header).sign(key);
}

function signingKey(alg: string, secret: string): KeyObject {
  if (!Object.hasOwn(needs, alg)) return usage(`--algorithm takes one of ${Object.keys(needs).join(", ")} with --jwt`);
  const need = needs[alg];
  const isPem = secret.includes("-----BEGIN ");
  if (need === undefined && isPem) return usage(`${alg} takes a shared secret, this is PEM: name its --algorithm`);
  if (need === undefined) return createSecretKey(secret, "utf8");
  const key = isPem ? privateKey(secret) : undefined;
  if (key === undefined) return usage(`${alg} takes a private key in PEM form without passphrase`);
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type !== need.type || details?.namedCurve !== need.curve) return usage(`the private key is not one for ${alg}`);
  if (type === "rsa" && (details?.modulusLength ?? 0) < 2048) return usage("the RSA key has fewer than 2048 bits");
  return key;
}

function privateKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
