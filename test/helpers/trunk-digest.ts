import { createHash } from "node:crypto";

/** What a trunk makes of an Authorization or Proxy-Authorization (RFC 3261 §22, RFC 8760). */
export interface Shown {
  readonly username: string;
  readonly realm: string;
  readonly uri: string;
  readonly algorithm: string;
}

const member = (value: string, name: string): string =>
  new RegExp(`[ ,]${name}=(?:"([^"]*)"|([^ ,]+))`)
    .exec(value)
    ?.slice(1)
    .find((text) => text !== undefined) ?? "";

/** Undefined where the answer is not the password's to this method. */
export function proves(value: string, method: string, password: string): Shown | undefined {
  const [username, realm, uri, algorithm] = ["username", "realm", "uri", "algorithm"].map((name) =>
    member(value, name),
  );
  const hash = (text: string): string =>
    createHash(algorithm === "SHA-256" ? "sha256" : "md5")
      .update(text)
      .digest("hex");
  const qop = member(value, "qop");
  const nonce = member(value, "nonce");
  const middle = qop === "" ? nonce : [nonce, member(value, "nc"), member(value, "cnonce"), qop].join(":");
  const right = hash(`${hash(`${username}:${realm}:${password}`)}:${middle}:${hash(`${method}:${uri}`)}`);
  if (member(value, "response") !== right) return undefined;
  return { username: username!, realm: realm!, uri: uri!, algorithm: algorithm! };
}
