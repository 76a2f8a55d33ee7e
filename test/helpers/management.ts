import { createHmac } from "node:crypto";

/** Claims of a management token; what is undefined is left out. */
export interface Claims {
  readonly iss: string | number;
  readonly ist: string;
  readonly iat: number;
  readonly exp: number;
  readonly jti?: string | undefined;
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token as OpenTok's clients make it, by hand: HS256 over whatever claims. */
export function managementToken(claims: Claims, secret: string): string {
  const input = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

let made = 0;

/** One that is good now, for one request. */
export function freshToken(iss: string | number, secret: string, changes: Partial<Claims> = {}): string {
  const iat = Math.floor(Date.now() / 1000);
  const claims = { iss, ist: "project", iat, exp: iat + 180, jti: `t-${process.pid}-${++made}`, ...changes };
  return managementToken(claims, secret);
}
