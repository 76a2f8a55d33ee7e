import type { Header, Message } from "./message.ts";
import { parseAddress, parseUri, viaParts } from "./uri.ts";

/**
 * Why a client's message, though it follows the grammar, may not pass: Kamailio reads it otherwise, or closes the leg over
 * it. Each was found by test/agreement, which has it as a case. Undefined where nothing of the kind is there.
 */
export function ambiguity(message: Message): string | undefined {
  const { from, to } = message;
  if (hasHeaders(from.uri) || hasHeaders(to.uri)) return "From or To holds header fields after ?: leave them out";
  for (const header of message.headers) {
    const found = inHeader(header, message);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** RFC 3261 §19.1.1 has none there, and it cannot read all that may be meant. */
const hasHeaders = (uri: string): boolean => uri.includes("?") && parseUri(uri)?.headers !== undefined;

function inHeader(header: Header, message: Message): string | undefined {
  switch (header.name) {
    case "via":
      return inVia(header, message);
    case "cseq":
      return header.folded ? "CSeq is folded over lines: write it on one" : undefined;
    case "call-id":
      // It takes the white space for a part of the Call-ID.
      return header.valueEnd < header.end - 2 ? "white space after the Call-ID: leave it out" : undefined;
    case "expires":
      return message.isRequest && !isSeconds(message.value(header)) ? "Expires is not a number of seconds" : undefined;
    case "retry-after":
      // At any other it stops reading header fields.
      return isRetryAfter(message.value(header)) ? undefined : "Retry-After is not a number of seconds";
    case "refer-to":
      return isPlainAddress(header, message) ? undefined : "Refer-To cannot be read, or not by everybody";
    default:
      return undefined;
  }
}

const isRetryAfter = (text: string): boolean => isSeconds(/^(\d+)(?:[ \t;(].*)?$/.exec(text)?.[1] ?? "");

/** As in From and To, it cannot read every fold, nor an escape in a parameter. */
function isPlainAddress(header: Header, message: Message): boolean {
  const value = message.value(header);
  const parsed = parseAddress(value);
  if (header.folded || parsed.kind === "malformed") return false;
  const { uri, paramsStart } = parsed.address;
  return parseUri(uri) !== undefined && !value.includes("\\", paramsStart);
}

/** RFC 3261 §20.19. */
const isSeconds = (text: string): boolean => /^\d{1,10}$/.test(text) && Number(text) <= 0xffff_ffff;

/** The letters with which it lets no transport begin. */
const strangeTransport = /^SIP[ \t]*\/[ \t]*2\.0[ \t]*\/[ \t]*[CDILP02]/i;

const plainlyQuoted = /"[^",\\]*"/g;

/** It reads every Via, not the topmost alone; within quotes it stops at a comma, and at a backslash it gives up. */
function inVia(header: Header, message: Message): string | undefined {
  const value = message.value(header);
  if (value.includes('"') && value.replace(plainlyQuoted, "").includes('"')) {
    return "a comma or a backslash within quotes in Via: leave it out";
  }
  const top = message.header("via") === header;
  // Kamailio adds its own to the answers, which nobody can read then (RFC 3261 §18.2.1: who gets a request adds it).
  if (top && message.isRequest && hasReceived(value)) return "received in the topmost Via: leave it out";
  const alone = !value.includes(",");
  if (alone && strangeTransport.test(value)) return "the transport in Via is none";
  // The topmost has been read.
  if (alone && top) return undefined;
  return value.split(",").every(isReadable) ? undefined : "a Via cannot be read";
}

const hasReceived = (value: string): boolean =>
  /received/i.test(value) && viaParts(value.split(",", 1)[0]!.trim())?.params.has("received") !== false;

function isReadable(text: string): boolean {
  const via = text.trim();
  return !strangeTransport.test(via) && viaParts(via) !== undefined;
}
