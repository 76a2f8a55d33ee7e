import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";

/**
 * TOY: believes every name and asks for no password. It stands where your site's own login stands; the one thing to
 * learn from it is that the user's name comes out of the session on the server, never out of what a page sends.
 */
export class ToyLogin {
  readonly #names = new Map<string, string>();

  /** The Set-Cookie of a new session. */
  begin(name: string): string {
    const [oldest] = this.#names.keys();
    if (this.#names.size >= 1000 && oldest !== undefined) this.#names.delete(oldest);
    const session = randomBytes(24).toString("base64url");
    this.#names.set(session, name);
    return `session=${session}; HttpOnly; SameSite=Strict; Path=/`;
  }

  /** Who sent this request; undefined: nobody that logged in. */
  name(request: IncomingMessage): string | undefined {
    const session = /(?:^|; )session=([A-Za-z0-9_-]{32})(?:;|$)/.exec(request.headers.cookie ?? "")?.[1];
    return session === undefined ? undefined : this.#names.get(session);
  }
}
