import type { IncomingMessage } from "node:http";
import { type Code, codes, type Refusal, refuse } from "../core/errors.ts";
import type { Context } from "./context.ts";

export type Handshake =
  /** An HTTP answer instead of an upgrade. */
  | { readonly kind: "rejected"; readonly status: 400 | 503; readonly code: Code; readonly sentence: string }
  /** Upgraded and closed at once, for a browser's script sees nothing of an HTTP answer. */
  | { readonly kind: "turned-away"; readonly refusal: Refusal }
  | { readonly kind: "welcome"; readonly origin: string | undefined };

/** Judge an upgrade: the subprotocol of RFC 7118, room for this address, a token, the page's origin. */
export function judgeHandshake(request: IncomingMessage, address: string, context: Context): Handshake {
  if (!offersSip(request.headers["sec-websocket-protocol"])) {
    return {
      kind: "rejected",
      status: 400,
      code: "message-malformed",
      sentence: "the WebSocket subprotocol must be sip (RFC 7118)",
    };
  }
  if (context.draining()) {
    return {
      kind: "rejected",
      status: 503,
      code: "draining",
      sentence: "this gateway is about to stop: connect again",
    };
  }
  if (hasToken(request.url)) {
    const sentence = "tokens are not available here yet: use an ephemeral credential with digest";
    return { kind: "turned-away", refusal: refuse("credential-rejected", sentence) };
  }
  const { origin } = request.headers;
  const refusal = originRefusal(origin, context);
  if (refusal) return { kind: "turned-away", refusal };
  // Last, for it may close a neighbour's silent socket to make room.
  if (!context.admission.admits(address, context.limits().connectionsPerAddress)) {
    return {
      kind: "rejected",
      status: 503,
      code: "limit-reached",
      sentence: "too many connections from this address: close some",
    };
  }
  return { kind: "welcome", origin };
}

const offersSip = (offered: string | undefined): boolean =>
  offered?.split(",").some((protocol) => protocol.trim() === "sip") ?? false;

const hasToken = (url: string | undefined): boolean => /[?&]access_token=/.test(url ?? "");

function originRefusal(origin: string | undefined, context: Context): Refusal | undefined {
  if (origin === undefined) {
    if (context.allowMissingOrigin()) return undefined;
    return refuse("origin-denied", "an Origin header is required: call from a web page");
  }
  if (context.customers().someoneAllows(origin)) return undefined;
  return refuse("origin-denied", "no customer lists this page's origin");
}

/** Close code and reason for a refusal (RFC 6455 §5.5.1: at most 123 bytes of reason). */
export const closing = ({ code, sentence }: Refusal): [number, string] => [
  codes[code].close,
  `${code}: ${sentence}`.slice(0, 120),
];
