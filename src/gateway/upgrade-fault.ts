import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { headFault, type Problem } from "../core/http.ts";
import { noHandshake } from "./plain-http.ts";

type Upgrade = Pick<IncomingMessage, "httpVersion" | "headersDistinct">;

const body: Problem = {
  status: 400,
  code: "message-malformed",
  detail: "a WebSocket handshake has no body: leave out Content-Length and Transfer-Encoding",
};

const origins: Problem = {
  status: 400,
  code: "message-malformed",
  detail: "the handshake has more than one Origin: send it once (RFC 6454 section 7.3)",
};

/**
 * What two readers could take for two handshakes, or for a handshake and another request behind it: whose bytes are a
 * body to the one and frames to the other (RFC 9110 §7.8), and of which page it is.
 */
export function upgradeFault(request: Upgrade): Problem | undefined {
  const { headersDistinct: fields } = request;
  const lengths = fields["content-length"] ?? [];
  if (fields["transfer-encoding"] !== undefined || lengths.some((length) => length !== "0")) return body;
  if ((fields.origin?.length ?? 0) > 1) return origins;
  // The library takes version 8 as well, in which a page's origin is called otherwise.
  if (fields["sec-websocket-version"]?.join() !== "13") return noHandshake;
  return headFault(request);
}

/** Which connections still wait for an answer over HTTP: an upgrade among those would mix it with its frames. */
export class Unanswered {
  readonly #latest = new WeakMap<Duplex, ServerResponse>();

  constructor(server: Server) {
    server.prependListener("request", ({ socket }, response) => this.#latest.set(socket, response));
  }

  has(stream: Duplex): boolean {
    return this.#latest.get(stream)?.writableFinished === false;
  }
}
