import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type Awaitable, after } from "../core/awaitable.ts";
import { type Code, codes, type Refusal, refuse } from "../core/errors.ts";
import type { Identity } from "../core/identity.ts";
import type { Context } from "./context.ts";
import { readHandshakeToken, vouch } from "./vouch.ts";

export type Handshake =
  /** An HTTP answer instead of an upgrade. */
  | { readonly kind: "rejected"; readonly status: 400 | 503; readonly code: Code; readonly sentence: string }
  /** Upgraded and closed at once, for a browser's script sees nothing of an HTTP answer. */
  | { readonly kind: "turned-away"; readonly refusal: Refusal; readonly customer?: string }
  /** id: of the connection; vouched: whom a token proved. */
  | {
      readonly kind: "welcome";
      readonly id: string;
      readonly origin: string | undefined;
      readonly vouched?: Identity | undefined;
    };

/** Judge an upgrade: the subprotocol of RFC 7118, the page's origin, a token, room for this address. */
export function judgeHandshake(request: IncomingMessage, address: string, context: Context): Awaitable<Handshake> {
  if (!offersSip(request.headers["sec-websocket-protocol"])) {
    return rejected(400, "message-malformed", "the WebSocket subprotocol must be sip (RFC 7118)");
  }
  if (context.draining()) return draining;
  if (context.overloaded()) return overloaded;
  const { origin } = request.headers;
  const refusal = originRefusal(origin, context);
  if (refusal) return { kind: "turned-away", refusal };
  const id = randomBytes(8).toString("hex");
  const shown = readHandshakeToken(request);
  if (shown.kind === "none") return admit({ kind: "welcome", id, origin }, address, context);
  if (shown.kind === "refused") return { kind: "turned-away", refusal: shown.refusal };
  return after(vouch(shown, { id, address, origin }, context), (vouched) => {
    if (vouched.kind === "proved")
      return admit({ kind: "welcome", id, origin, vouched: vouched.identity }, address, context);
    const { customer } = vouched;
    return { kind: "turned-away", refusal: vouched.refusal, ...(customer && { customer: customer.id }) };
  });
}

const rejected = (status: 400 | 503, code: Code, sentence: string): Handshake => ({
  kind: "rejected",
  status,
  code,
  sentence,
});

const draining = rejected(503, "draining", "this gateway is about to stop: connect again");
const overloaded = rejected(
  503,
  "limit-reached",
  "this gateway has more to do than it can: come again in a few seconds",
);

/** Last, for it may close a neighbour's silent socket to make room. */
function admit(welcome: Extract<Handshake, { kind: "welcome" }>, address: string, context: Context): Handshake {
  if (context.draining()) return draining;
  if (context.admission.admits(address, context.limits().connectionsPerAddress)) return welcome;
  return rejected(503, "limit-reached", "too many connections from this address: close some");
}

const offersSip = (offered: string | undefined): boolean =>
  offered?.split(",").some((protocol) => protocol.trim() === "sip") ?? false;

function originRefusal(origin: string | undefined, context: Context): Refusal | undefined {
  if (origin === undefined) {
    if (context.allowMissingOrigin()) return undefined;
    return refuse("origin-denied", "an Origin header is required: call from a web page");
  }
  if (context.customers().someoneAllows(origin)) return undefined;
  return refuse("origin-denied", "this page's origin is in no customer's list: add it to origins");
}

/** Close code and reason for a refusal (RFC 6455 §5.5.1: at most 123 bytes of reason). */
export const closing = ({ code, sentence }: Refusal): [number, string] => [
  codes[code].close,
  `${code}: ${sentence}`.slice(0, 120),
];
