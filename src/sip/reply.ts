import type { Message } from "./message.ts";

/** What a response takes over from its request (RFC 3261 §8.2.6.2). Values as they were written, unfolded. */
export interface ReplyHead {
  readonly method: string;
  readonly via: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly hasToTag: boolean;
  readonly callId: string;
  readonly cseq: string;
}

const reasons: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  407: "Proxy Authentication Required",
  480: "Temporarily Unavailable",
  481: "Call/Transaction Does Not Exist",
  503: "Service Unavailable",
  513: "Message Too Large",
};

export function replyHead(message: Message): ReplyHead {
  const one = (name: string): string => message.value(message.header(name)!);
  return {
    method: message.method,
    via: message.headers.filter((header) => header.name === "via").map((header) => message.value(header)),
    from: one("from"),
    to: one("to"),
    hasToTag: message.to.params.has("tag"),
    callId: message.callId,
    cseq: one("cseq"),
  };
}

/** A final response of our own. tag goes into To where it has none; headers: whole lines without CRLF. */
export function reply(head: ReplyHead, status: number, tag: string, headers: readonly string[] = []): Buffer {
  const to = head.hasToTag ? head.to : `${head.to};tag=${tag}`;
  const lines = [
    `SIP/2.0 ${status} ${reasons[status] ?? "Refused"}`,
    ...head.via.map((via) => `Via: ${via}`),
    `From: ${head.from}`,
    `To: ${to}`,
    `Call-ID: ${head.callId}`,
    `CSeq: ${head.cseq}`,
    ...headers,
    "Content-Length: 0",
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

const compact = new Map(Object.entries({ v: "via", f: "from", t: "to", i: "call-id" }));

/**
 * What a reply needs, out of a request that is malformed elsewhere: only well-formed lines of the first few KB are
 * taken. Undefined where there is nothing to answer: a response, an ACK, no SIP.
 */
export function salvage(bytes: Buffer): ReplyHead | undefined {
  const lines = bytes.toString("latin1", 0, 8192).split("\r\n", 128);
  const method = /^([A-Za-z0-9\-.!*_+`'~]{1,32}) [!-~]+ SIP\/\d\.\d$/.exec(lines[0] ?? "")?.[1];
  if (method === undefined || method === "ACK") return undefined;
  const via: string[] = [];
  const found = new Map<string, string>();
  for (const line of lines.slice(1)) {
    if (line === "") break;
    const field = /^([A-Za-z-]{1,16})[ \t]*:[ \t]*([!-~\x80-\xff][\t -~\x80-\xff]{0,1023})$/.exec(line);
    if (!field) continue;
    const lower = field[1]!.toLowerCase();
    const name = compact.get(lower) ?? lower;
    if (name === "via") via.push(field[2]!);
    else if (!found.has(name)) found.set(name, field[2]!);
  }
  const [from, to, callId, cseq] = ["from", "to", "call-id", "cseq"].map((name) => found.get(name));
  if (!from || !to || !callId || !cseq || via.length === 0 || via.length > 16) return undefined;
  return { method, via, from, to, hasToTag: /;[ \t]*tag[ \t]*=/i.test(to), callId, cseq };
}
