import { fieldValue, type Header, Message, splitCommas, type Value } from "./message.ts";
import { canonical } from "./names.ts";
import { type Address, paramSpan, parseAddress, parseVia, type Via } from "./uri.ts";

export type Scanned =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "malformed"; readonly reason: string };

export interface ScanOptions {
  /** A client's message says its own length; what Kamailio relays from UDP need not (RFC 3261 §20.14). */
  readonly lengthRequired: boolean;
}

const bounds = { headers: 256, name: 256, method: 32, uri: 2048, value: 8192, callId: 256, branch: 256, tag: 256 };

/** Bytes of a line: all but controls, tab excepted. */
const lineByte = new Uint8Array(256).fill(1, 32).fill(0, 127, 128);
lineByte[9] = 1;

const CR = 13;
const LF = 10;
const SP = 32;
const HT = 9;
const COLON = 58;

/** Fields that a second parser could take from another line than we did, were there two: each a bit. */
const single: ReadonlyMap<string, number> = new Map(
  [
    "from",
    "to",
    "call-id",
    "cseq",
    "max-forwards",
    "content-length",
    "content-type",
    "expires",
    "event",
    "refer-to",
    "referred-by",
    "replaces",
    "join",
    "rack",
    "rseq",
    "session-expires",
    "min-se",
  ].map((name, bit) => [name, 1 << bit]),
);

/**
 * Characters of `token` (RFC 3261 §25.1) but for `%`, for an escape in a name is read differently by different parsers, and
 * for those at which Kamailio stops reading header fields.
 */
const nameByte = new Uint8Array(128);
for (const c of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._+~") nameByte[c.charCodeAt(0)] = 1;

class Malformed extends Error {}

const fail = (reason: string): never => {
  throw new Malformed(reason);
};

/**
 * Scan one SIP message (RFC 3261 §7) that fills its buffer. Strict: what two parsers could read differently is
 * malformed, with the reason. Never throws; allocates the index and the few strings that verdicts need.
 */
export function scan(bytes: Buffer, options: ScanOptions = { lengthRequired: true }): Scanned {
  try {
    return { kind: "message", message: scanMessage(bytes, options) };
  } catch (error) {
    if (error instanceof Malformed) return { kind: "malformed", reason: error.message };
    throw error;
  }
}

function scanMessage(bytes: Buffer, options: ScanOptions): Message {
  const head = headOf(bytes);
  const headersStart = endOfLine(bytes, 0, "the start line");
  const start = startLine(head, headersStart - 2);
  const { headers, bodyStart } = indexHeaders(bytes, head, headersStart);
  const found = essentials(head, headers);
  const cseq = parseCSeq(found.cseq);
  if (start.status === 0 && cseq.method !== start.method) fail("the CSeq method is not that of the start line");
  checkLength(bytes, found.contentLength, bodyStart, options);
  if (found.maxForwards !== undefined && !/^\d{1,10}$/.test(found.maxForwards)) fail("Max-Forwards is not a number");
  if (Number(found.maxForwards ?? 70) > 255) fail("Max-Forwards is above 255");
  return new Message({
    bytes,
    head,
    headers,
    requestUri: start.uri,
    status: start.status,
    method: cseq.method,
    headersStart,
    bodyStart,
    cseq: cseq.number,
    callId: callId(found.callId),
    from: nameAddr(found.from, "From"),
    to: nameAddr(found.to, "To"),
    via: topVia(found.via),
  });
}

/** Everything before the body in one string: the strings that verdicts need are slices of it. */
function headOf(bytes: Buffer): string {
  const end = bytes.indexOf("\r\n\r\n", 0, "latin1");
  return bytes.toString("latin1", 0, end < 0 ? bytes.length : end + 4);
}

/** Past the CRLF that ends the line which begins at from. */
function endOfLine(bytes: Buffer, from: number, what: string): number {
  const limit = Math.min(bytes.length, from + bounds.value);
  let at = from;
  while (at < limit && lineByte[bytes[at]!] === 1) at++;
  if (at < limit) return bytes[at] === CR && bytes[at + 1] === LF ? at + 2 : fail(badByte(bytes[at]!, what));
  return fail(limit === bytes.length ? `${what} does not end in CRLF` : `${what} is longer than ${bounds.value} bytes`);
}

function badByte(byte: number, what: string): string {
  if (byte === CR) return `a bare CR in ${what}`;
  if (byte === LF) return `a bare LF in ${what}`;
  return byte === 0 ? `a NUL in ${what}` : `a control character in ${what}`;
}

interface StartLine {
  readonly status: number;
  readonly method: string;
  readonly uri: string;
}

const requestLine = /^([A-Za-z0-9\-.!*_+`'~]{1,32}) ([!#-;=?-Z[\]_a-z~%]{1,2048}) SIP\/2\.0$/;
const statusLine = /^SIP\/2\.0 ([1-6]\d\d) /;

function startLine(head: string, end: number): StartLine {
  const line = head.slice(0, Math.min(end, bounds.uri + bounds.method + 16));
  const status = statusLine.exec(line);
  if (status) return { status: Number(status[1]), method: "", uri: "" };
  const request = requestLine.exec(line);
  if (!request) return fail("the start line is neither a request line nor a status line of SIP/2.0");
  return { status: 0, method: request[1]!, uri: request[2]! };
}

/** Index every header field up to the empty line. */
function indexHeaders(bytes: Buffer, head: string, from: number): { headers: Header[]; bodyStart: number } {
  const headers: Header[] = [];
  let at = from;
  while (!(bytes[at] === CR && bytes[at + 1] === LF)) {
    if (at >= bytes.length) fail("the empty line after the headers is missing");
    if (headers.length === bounds.headers) fail(`more than ${bounds.headers} header fields`);
    const header = indexHeader(bytes, head, at);
    headers.push(header);
    at = header.end;
  }
  return { headers, bodyStart: at + 2 };
}

function indexHeader(bytes: Buffer, head: string, start: number): Header {
  let at = start;
  while (at < bytes.length && at - start <= bounds.name && nameByte[bytes[at]!] === 1) at++;
  if (at === start) fail("a header line does not begin with a name");
  const name = canonical(head, start, at);
  while (bytes[at] === SP || bytes[at] === HT) at++;
  if (bytes[at] !== COLON) fail("a header line has no colon after its name");
  const line = endOfLine(bytes, at + 1, "a header field");
  const end = endOfField(bytes, at + 1, line);
  let valueStart = at + 1;
  let valueEnd = end - 2;
  while (valueStart < valueEnd && isSpace(bytes[valueStart]!)) valueStart++;
  while (valueEnd > valueStart && isSpace(bytes[valueEnd - 1]!)) valueEnd--;
  return { name, start, valueStart, valueEnd, end, folded: end !== line };
}

/** The end of a field whose value may be folded over lines (RFC 3261 §7.3.1). line: the end of its first one. */
function endOfField(bytes: Buffer, from: number, line: number): number {
  let end = line;
  while (bytes[end] === SP || bytes[end] === HT) {
    const next = endOfLine(bytes, end, "a header field");
    let text = end;
    while (bytes[text] === SP || bytes[text] === HT) text++;
    if (text === next - 2) fail("a folded line is empty");
    end = next;
    if (end - from > bounds.value) fail(`a header field is longer than ${bounds.value} bytes`);
  }
  return end;
}

const isSpace = (byte: number): boolean => byte === SP || byte === HT || byte === CR || byte === LF;

interface Essentials {
  readonly from: string;
  readonly to: string;
  readonly callId: string;
  readonly cseq: string;
  readonly via: string;
  readonly contentLength: string | undefined;
  readonly maxForwards: string | undefined;
}

/** The first field of each name that every message needs. */
interface Firsts {
  via?: Header;
  from?: Header;
  to?: Header;
  "call-id"?: Header;
  cseq?: Header;
  "content-length"?: Header;
  "max-forwards"?: Header;
}

function essentials(head: string, headers: readonly Header[]): Essentials {
  const first = firsts(headers);
  const value = (header: Header | undefined): string | undefined => header && fieldValue(head, header);
  const need = (name: keyof Firsts): string => value(first[name]) ?? fail(`no ${name}`);
  return {
    from: need("from"),
    to: need("to"),
    callId: need("call-id"),
    cseq: need("cseq"),
    via: need("via"),
    contentLength: value(first["content-length"]),
    maxForwards: value(first["max-forwards"]),
  };
}

function firsts(headers: readonly Header[]): Firsts {
  const first: Firsts = {};
  let seen = 0;
  for (const header of headers) {
    const { name } = header;
    // Kamailio cannot read every fold in From and To that the grammar allows, and drops what it cannot read unanswered.
    if (header.folded && (name === "from" || name === "to")) fail(`${name} is folded over lines`);
    const bit = single.get(name) ?? 0;
    if ((seen & bit) !== 0) fail(`more than one ${name}`);
    seen |= bit;
    takeFirst(first, header);
  }
  return first;
}

function takeFirst(first: Firsts, header: Header): void {
  switch (header.name) {
    case "via":
      first.via ??= header;
      break;
    case "from":
    case "to":
    case "call-id":
    case "cseq":
    case "content-length":
    case "max-forwards":
      first[header.name] = header;
  }
}

function parseCSeq(value: string): { number: number; method: string } {
  const match = /^(\d{1,10})[ \t]+([A-Za-z0-9\-.!*_+`'~]{1,32})$/.exec(value);
  if (!match) return fail("CSeq is not a number and a method");
  const number = Number(match[1]);
  if (number > 0x7fff_ffff) fail("CSeq is not below 2^31");
  return { number, method: match[2]! };
}

function checkLength(bytes: Buffer, value: string | undefined, bodyStart: number, options: ScanOptions): void {
  const body = bytes.length - bodyStart;
  if (value === undefined) {
    if (body > 0 && options.lengthRequired) fail("a body without Content-Length");
    return;
  }
  if (!/^\d{1,9}$/.test(value)) fail("Content-Length is not a number");
  if (Number(value) > body) fail("Content-Length is more than the body has");
  if (Number(value) < body) fail("bytes after the end of the message: one message in each frame");
}

function callId(value: string): string {
  if (value.length > bounds.callId) fail("Call-ID is too long");
  return /^[!-~]+$/.test(value) ? value : fail("Call-ID is not one word");
}

function nameAddr(value: string, what: string): Address {
  const parsed = parseAddress(value);
  if (parsed.kind === "malformed") return fail(`${what}: ${parsed.reason}`);
  // Kamailio cannot read an escape there, and closes the leg over it.
  if (value.includes("\\", parsed.address.paramsStart)) return fail(`${what}: a backslash in a parameter`);
  if (!parsed.address.params.has("tag")) return parsed.address;
  if (isPlainToken(parsed.address.params.get("tag")!, value)) return parsed.address;
  const span = paramSpan(value, parsed.address.paramsStart, "tag");
  const isToken = span !== undefined && tagToken.test(value.slice(span.start, span.end));
  return isToken ? parsed.address : fail(`${what}: the tag is not a token`);
}

const tagToken = /^[A-Za-z0-9\-.!%*_+`'~]{1,256}$/;

/** Where nothing is quoted, a parameter is read as it is written. */
const isPlainToken = (tag: string, value: string): boolean => !value.includes('"') && tagToken.test(tag);

function topVia(value: string): Via {
  const first: Value[] = [];
  splitCommas(value, 0, first);
  const via = first[0] === undefined ? undefined : parseVia(first[0].text);
  return via ?? fail("the topmost Via cannot be read");
}
