import { type Address, paramSpan, parseAddress, parseVia, type Via } from "./uri.ts";

/** Where one header field stands in the message. Offsets are bytes; end is past its CRLF. */
export interface Header {
  /** Lower case, compact forms spelled out (RFC 3261 §7.3.3). */
  readonly name: string;
  readonly start: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly end: number;
}

export type Scanned =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "malformed"; readonly reason: string };

export interface ScanOptions {
  /** A client's message says its own length; what Kamailio relays from UDP need not (RFC 3261 §20.14). */
  readonly lengthRequired: boolean;
}

const bounds = { headers: 256, name: 256, method: 32, uri: 2048, value: 8192, callId: 256, branch: 256, tag: 256 };

/** One SIP message, in place: an index over the bytes it came in, with what every verdict needs parsed once. */
export class Message {
  readonly bytes: Buffer;
  readonly headers: readonly Header[];
  /** Empty for a response. */
  readonly requestUri: string;
  /** 0 for a request. */
  readonly status: number;
  /** Of the request, or of the request a response answers. */
  readonly method: string;
  /** Just past the start line, where our own header fields go. */
  readonly headersStart: number;
  readonly bodyStart: number;
  readonly cseq: number;
  readonly callId: string;
  readonly from: Address;
  readonly to: Address;
  /** The topmost Via. */
  readonly via: Via;

  constructor(parts: MessageParts) {
    this.bytes = parts.bytes;
    this.headers = parts.headers;
    this.requestUri = parts.requestUri;
    this.status = parts.status;
    this.method = parts.method;
    this.headersStart = parts.headersStart;
    this.bodyStart = parts.bodyStart;
    this.cseq = parts.cseq;
    this.callId = parts.callId;
    this.from = parts.from;
    this.to = parts.to;
    this.via = parts.via;
  }

  get isRequest(): boolean {
    return this.status === 0;
  }

  /** name: lower case, long form. */
  header(name: string): Header | undefined {
    for (const header of this.headers) if (header.name === name) return header;
    return undefined;
  }

  /** The value of a header field, folding turned into spaces byte for byte, so that offsets in it hold. */
  value(header: Header): string {
    return unfolded(this.bytes, header.valueStart, header.valueEnd);
  }

  /** The comma-separated values of every header field of that name, in order, each with its byte offset. */
  values(name: string): Value[] {
    const found: Value[] = [];
    for (const header of this.headers) {
      if (header.name === name) splitCommas(this.value(header), header.valueStart, found);
    }
    return found;
  }
}

export interface Value {
  readonly text: string;
  /** Byte offset of text in the message. */
  readonly start: number;
}

type MessageParts = Omit<Message, "isRequest" | "header" | "value" | "values">;

const compact: ReadonlyMap<string, string> = new Map([
  ["a", "accept-contact"],
  ["b", "referred-by"],
  ["c", "content-type"],
  ["d", "request-disposition"],
  ["e", "content-encoding"],
  ["f", "from"],
  ["i", "call-id"],
  ["j", "reject-contact"],
  ["k", "supported"],
  ["l", "content-length"],
  ["m", "contact"],
  ["n", "identity-info"],
  ["o", "event"],
  ["r", "refer-to"],
  ["s", "subject"],
  ["t", "to"],
  ["u", "allow-events"],
  ["v", "via"],
  ["x", "session-expires"],
  ["y", "identity"],
]);

/** Fields that a second parser could take from another line than we did, were there two. */
const single = new Set([
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
]);

/** Names as clients write them, so that the usual ones cost one look-up. Never grows. */
const spelled = new Map<string, string>(
  [
    "Via,Max-Forwards,To,From,Call-ID,CSeq,Contact,Expires,Allow,Supported,User-Agent,Content-Length,Content-Type,Route",
    "Record-Route,Authorization,Proxy-Authorization,Session-Expires,Min-SE,Require,Event,Refer-To,Referred-By,Replaces",
    "X-Postern-Grant,X-Postern-Token,P-Asserted-Identity,WWW-Authenticate,Proxy-Authenticate,Server,Accept,RAck,RSeq",
  ].flatMap((line) => line.split(",").map((name): [string, string] => [name, name.toLowerCase()])),
);

/** Characters of `token` (RFC 3261 §25.1) but for `%`: an escape in a name is read differently by different parsers. */
const nameByte = new Uint8Array(128);
for (const c of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!*_+`'~")
  nameByte[c.charCodeAt(0)] = 1;

const CR = 13;
const LF = 10;
const SP = 32;
const HT = 9;
const COLON = 58;

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
  const headersStart = endOfLine(bytes, 0, "the start line");
  const start = startLine(bytes, headersStart - 2);
  const { headers, bodyStart } = indexHeaders(bytes, headersStart);
  const found = essentials(bytes, headers);
  const cseq = parseCSeq(found.cseq);
  if (start.status === 0 && cseq.method !== start.method) fail("the CSeq method is not that of the start line");
  checkLength(bytes, found.contentLength, bodyStart, options);
  if (found.maxForwards !== undefined && !/^\d{1,10}$/.test(found.maxForwards)) fail("Max-Forwards is not a number");
  if (Number(found.maxForwards ?? 70) > 255) fail("Max-Forwards is above 255");
  return new Message({
    bytes,
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

/** Past the CRLF that ends the line which begins at from. */
function endOfLine(bytes: Buffer, from: number, what: string): number {
  const limit = Math.min(bytes.length, from + bounds.value);
  for (let at = from; at < limit; at++) {
    const byte = bytes[at]!;
    if (byte >= SP && byte !== 127) continue;
    if (byte === HT) continue;
    if (byte === CR && bytes[at + 1] === LF) return at + 2;
    return fail(badByte(byte, what));
  }
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

function startLine(bytes: Buffer, end: number): StartLine {
  const line = bytes.toString("latin1", 0, Math.min(end, bounds.uri + bounds.method + 16));
  const status = statusLine.exec(line);
  if (status) return { status: Number(status[1]), method: "", uri: "" };
  const request = requestLine.exec(line);
  if (!request) return fail("the start line is neither a request line nor a status line of SIP/2.0");
  return { status: 0, method: request[1]!, uri: request[2]! };
}

/** Index every header field up to the empty line. */
function indexHeaders(bytes: Buffer, from: number): { headers: Header[]; bodyStart: number } {
  const headers: Header[] = [];
  let at = from;
  while (!(bytes[at] === CR && bytes[at + 1] === LF)) {
    if (at >= bytes.length) fail("the empty line after the headers is missing");
    if (headers.length === bounds.headers) fail(`more than ${bounds.headers} header fields`);
    const header = indexHeader(bytes, at);
    headers.push(header);
    at = header.end;
  }
  return { headers, bodyStart: at + 2 };
}

function indexHeader(bytes: Buffer, start: number): Header {
  let at = start;
  while (at < bytes.length && at - start <= bounds.name && nameByte[bytes[at]!] === 1) at++;
  if (at === start) fail("a header line does not begin with a name");
  const name = canonical(bytes.toString("latin1", start, at));
  while (bytes[at] === SP || bytes[at] === HT) at++;
  if (bytes[at] !== COLON) fail("a header line has no colon after its name");
  const end = endOfField(bytes, at + 1);
  let valueStart = at + 1;
  let valueEnd = end - 2;
  while (valueStart < valueEnd && isSpace(bytes[valueStart]!)) valueStart++;
  while (valueEnd > valueStart && isSpace(bytes[valueEnd - 1]!)) valueEnd--;
  return { name, start, valueStart, valueEnd, end };
}

/** The end of a field whose value may be folded over lines (RFC 3261 §7.3.1). */
function endOfField(bytes: Buffer, from: number): number {
  let end = endOfLine(bytes, from, "a header field");
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

function canonical(name: string): string {
  const known = spelled.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  return compact.get(lower) ?? lower;
}

function unfolded(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString("latin1", start, end);
  return text.includes("\r") ? text.replaceAll("\r\n", "  ") : text;
}

interface Essentials {
  readonly from: string;
  readonly to: string;
  readonly callId: string;
  readonly cseq: string;
  readonly via: string;
  readonly contentLength: string | undefined;
  readonly maxForwards: string | undefined;
}

function essentials(bytes: Buffer, headers: readonly Header[]): Essentials {
  const first = new Map<string, string>();
  for (const header of headers) {
    if ((header.name === "from" || header.name === "to") && isFolded(bytes, header)) {
      fail(`${header.name} is folded over lines`);
    }
    if (first.has(header.name)) {
      if (single.has(header.name)) fail(`more than one ${header.name}`);
    } else if (header.name === "via" || single.has(header.name)) {
      first.set(header.name, unfolded(bytes, header.valueStart, header.valueEnd));
    }
  }
  const need = (name: string): string => first.get(name) ?? fail(`no ${name}`);
  return {
    from: need("from"),
    to: need("to"),
    callId: need("call-id"),
    cseq: need("cseq"),
    via: need("via"),
    contentLength: first.get("content-length"),
    maxForwards: first.get("max-forwards"),
  };
}

/** Kamailio cannot read every fold in From and To that the grammar allows, and drops what it cannot read unanswered. */
function isFolded(bytes: Buffer, { start, valueEnd }: Header): boolean {
  const at = bytes.indexOf(CR, start);
  return at >= 0 && at < valueEnd;
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
  const span = paramSpan(value, parsed.address.paramsStart, "tag");
  const isToken = span !== undefined && /^[A-Za-z0-9\-.!%*_+`'~]{1,256}$/.test(value.slice(span.start, span.end));
  return isToken ? parsed.address : fail(`${what}: the tag is not a token`);
}

function topVia(value: string): Via {
  const first: Value[] = [];
  splitCommas(value, 0, first);
  const via = first[0] === undefined ? undefined : parseVia(first[0].text);
  return via ?? fail("the topmost Via cannot be read");
}

/** Split at commas outside quotes and angle brackets. */
function splitCommas(text: string, start: number, into: Value[]): void {
  let quoted = false;
  let angle = false;
  let from = 0;
  for (let at = 0; at <= text.length; at++) {
    const c = at === text.length ? "," : text[at]!;
    if (quoted && at < text.length) {
      if (c === "\\") at++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === "<") angle = true;
    else if (c === ">") angle = false;
    else if (c === "," && (!angle || at === text.length)) {
      pushTrimmed(text, from, at, start, into);
      from = at + 1;
    }
  }
}

function pushTrimmed(text: string, from: number, to: number, start: number, into: Value[]): void {
  let first = from;
  let last = to;
  while (first < last && isBlank(text[first]!)) first++;
  while (last > first && isBlank(text[last - 1]!)) last--;
  into.push({ text: text.slice(first, last), start: start + first });
}

/** Not trim(): byte A0 of a latin1 text would count as white space too. */
const isBlank = (c: string): boolean => c === " " || c === "\t";
