import { type Refusal, refuse } from "../core/errors.ts";
import { ambiguity } from "../sip/ambiguous.ts";
import type { Message } from "../sip/message.ts";
import { type ReplyHead, replyHead, salvage } from "../sip/reply.ts";
import { type Request, readRequest } from "../sip/request.ts";
import { scan } from "../sip/scan.ts";
import type { About } from "../telemetry/trace.ts";

export type Parsed =
  | { readonly kind: "request"; readonly request: Request }
  | { readonly kind: "response"; readonly message: Message }
  /** A double CRLF is a ping, to be answered by one CRLF (RFC 5626 §4.4.1). */
  | { readonly kind: "keep-alive"; readonly ping: boolean }
  /** Wrong, but nobody waits to hear about it: a response or an ACK. */
  | { readonly kind: "dropped"; readonly reason: string }
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly head: ReplyHead }
  /** No SIP at all: there is nothing to answer. */
  | { readonly kind: "noise"; readonly refusal: Refusal };

/** One WebSocket message from the client, read strictly. limit: bytes, 0 for none. */
export function parse(bytes: Buffer, limit: number): Parsed {
  if (bytes.length <= 4 && /^(\r\n){0,2}$/.test(bytes.toString("latin1"))) {
    return { kind: "keep-alive", ping: bytes.length === 4 };
  }
  if (limit > 0 && bytes.length > limit) {
    return spoiled(bytes, refuse("message-too-big", `the message is larger than ${limit} bytes: send less`));
  }
  const scanned = scan(bytes);
  if (scanned.kind === "malformed") return spoiled(bytes, malformed(scanned.reason));
  const { message } = scanned;
  const reason = ambiguity(message);
  if (reason !== undefined) return spoiled(bytes, malformed(reason));
  if (!message.isRequest) return { kind: "response", message };
  const read = readRequest(message);
  if (read.kind === "request") return read;
  if (message.method === "ACK") return { kind: "dropped", reason: read.reason };
  return { kind: "refused", refusal: malformed(read.reason), head: replyHead(message) };
}

const malformed = (reason: string): Refusal => refuse("message-malformed", `${reason.replace(/["\\]/g, "'")}.`);

function spoiled(bytes: Buffer, refusal: Refusal): Parsed {
  const head = salvage(bytes);
  if (head) return { kind: "refused", refusal, head };
  const start = bytes.toString("latin1", 0, 8);
  if (start.startsWith("ACK ") || start === "SIP/2.0 ") return { kind: "dropped", reason: refusal.sentence };
  return { kind: "noise", refusal };
}

/** Undefined for what has no Call-ID. */
export function aboutOf(parsed: Parsed): About | undefined {
  switch (parsed.kind) {
    case "request":
      return parsed.request.message;
    case "response":
      return parsed.message;
    case "refused":
      return parsed.head;
    default:
      return undefined;
  }
}
