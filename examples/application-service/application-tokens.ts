import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** Milliseconds: it is used at once, to get a data_token. */
const life = 300_000;

/**
 * Our own word on who a visitor is, which nobody but us ever reads: any form will do. Here `<expiry>.<name>.<HMAC>`
 * under a key that lives as long as this process.
 */
export class ApplicationTokens {
  readonly #key = randomBytes(32);

  give(name: string): string {
    const text = `${Date.now() + life}.${Buffer.from(name).toString("base64url")}`;
    return `${text}.${this.#mac(text)}`;
  }

  /** Whose it is; undefined: not ours, or too old. */
  name(token: string): string | undefined {
    const end = token.lastIndexOf(".");
    const [text, given] = [token.slice(0, Math.max(end, 0)), Buffer.from(token.slice(end + 1))];
    const right = Buffer.from(this.#mac(text));
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    const [expiry = "", name = ""] = text.split(".");
    return Date.now() <= Number(expiry) ? Buffer.from(name, "base64url").toString() : undefined;
  }

  #mac(text: string): string {
    return createHmac("sha256", this.#key).update(text).digest("base64url");
  }
}
