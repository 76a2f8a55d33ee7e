import { type KeyObject, sign, verify } from "node:crypto";

type Members = Readonly<Record<string, unknown>>;

/** A compact JWS (RFC 7515 §3.1) taken apart; nothing of it is proved. */
export interface Jws {
  readonly header: Members;
  readonly claims: Members;
  /** What was signed. */
  readonly text: string;
  readonly signature: Buffer;
}

/** Undefined: no compact JWS over a JSON object. */
export function readJws(token: string): Jws | undefined {
  const parts = token.split(".");
  if (parts.length !== 3 || !parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part))) return undefined;
  const [first = "", second = "", third = ""] = parts;
  const [header, claims] = [members(first), members(second)];
  if (!header || !claims) return undefined;
  return { header, claims, text: `${first}.${second}`, signature: Buffer.from(third, "base64url") };
}

/** RFC 7518 §3.4 has r and s one after the other, not the DER that OpenSSL writes. */
export const isSignedBy = ({ text, signature }: Jws, publicKey: KeyObject): boolean =>
  verify("sha256", Buffer.from(text), { key: publicKey, dsaEncoding: "ieee-p1363" }, signature);

// --- shown in docs/three-party.md
/** ES256. */
export function signJws(header: object, claims: object, privateKey: KeyObject): string {
  const text = `${base64url(header)}.${base64url(claims)}`;
  const signature = sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${text}.${signature.toString("base64url")}`;
}

const base64url = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
// --- end

function members(part: string): Members | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString());
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
