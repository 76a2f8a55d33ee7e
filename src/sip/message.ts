import type { Address, Via } from "./uri.ts";

/** Where one header field stands in the message. Offsets are bytes; end is past its CRLF. */
export interface Header {
  /** Lower case, compact forms spelled out (RFC 3261 §7.3.3). */
  readonly name: string;
  readonly start: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly end: number;
  /** Over several lines (RFC 3261 §7.3.1). */
  readonly folded: boolean;
}

/** One SIP message, in place: an index over the bytes it came in, with what every verdict needs parsed once. */
export class Message {
  readonly bytes: Buffer;
  /** The start line and the header fields as latin1, so that offsets are those of bytes. */
  readonly head: string;
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
    this.head = parts.head;
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
    return fieldValue(this.head, header);
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

/** The value of a header field out of a message's head. */
export function fieldValue(head: string, { valueStart, valueEnd, folded }: Header): string {
  const text = head.slice(valueStart, valueEnd);
  return folded ? text.replaceAll("\r\n", "  ") : text;
}

/** Split at commas outside quotes and angle brackets. */
export function splitCommas(text: string, start: number, into: Value[]): void {
  if (!text.includes(",") && !text.includes('"')) {
    pushTrimmed(text, 0, text.length, start, into);
    return;
  }
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
