import type { GatewayKeys } from "./gateway-keys.ts";
import { isSignedBy, type Jws, readJws } from "./jws.ts";

/** What the gateway asks: may this visitor, and what? */
export interface PermissionRequest {
  readonly issuer: string;
  readonly userID: string;
  readonly applicationToken: string;
  readonly id: string;
}

export interface Expected {
  readonly keys: GatewayKeys;
  readonly issuer: string;
  readonly customer: string;
  /** Of messages seen, with their `exp`; a message serves once. */
  readonly seen: Map<string, number>;
}

/** Seconds that our clock and the gateway's may differ. */
const skew = 30;

/** The message, if the gateway itself sent it, to us, just now; else the sentence why it is refused. */
export async function readRequest(token: string, expected: Expected): Promise<PermissionRequest | string> {
  const jws = readJws(token);
  if (!jws) return "getPermissionToken is no compact JWS";
  const { alg, typ, kid } = jws.header;
  if (alg !== "ES256" || typ !== "getPermissionToken+jwt") return "its header is not ES256 and getPermissionToken+jwt";
  const key = typeof kid === "string" ? await expected.keys.byId(kid) : undefined;
  if (!key || !isSignedBy(jws, key)) return "it is not signed by a key of the gateway's";
  return claimsOf(jws, expected, Date.now() / 1000);
}

function claimsOf({ claims }: Jws, { issuer, customer, seen }: Expected, now: number): PermissionRequest | string {
  const { iss, aud, exp, jti, userID, application_token: applicationToken } = claims;
  if (iss !== issuer) return "iss is not our gateway";
  if (aud !== customer) return "aud is not our id";
  if (typeof exp !== "number" || exp < now - skew) return "it has expired";
  if (typeof jti !== "string" || seen.has(jti)) return "it was seen before";
  if (typeof userID !== "string" || typeof applicationToken !== "string") return "it names no user or holds no token";
  for (const [old, until] of seen) if (until < now - skew) seen.delete(old);
  seen.set(jti, exp);
  return { issuer, userID, applicationToken, id: jti };
}
