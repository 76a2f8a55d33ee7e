/** What Kamailio's `ctl` speaks on its socket (modules/ctl/binrpc.h): a header, then records, all numbers big endian. */

export type Answer =
  | { readonly kind: "answered" }
  /** code: Kamailio's. Its text is not kept: what it quotes may be what was sent. */
  | { readonly kind: "fault"; readonly code: number }
  /** More is to come. */
  | { readonly kind: "short" }
  | { readonly kind: "unreadable" };

const magic = 0xa1;
const types = { request: 0, reply: 1, fault: 3 } as const;
const records = { int: 0, string: 1 } as const;
/** Bytes: far above what these methods answer. */
const largest = 65_536;

/** A call of `method` with texts as parameters. cookie: 32 bits, comes back in the answer. */
export function encodeCall(method: string, params: readonly string[], cookie: number): Buffer {
  const body = Buffer.concat([method, ...params].map(text));
  const header = Buffer.alloc(10);
  header.writeUInt8(magic, 0);
  header.writeUInt8((types.request << 4) | (3 << 2) | 3, 1);
  header.writeUInt32BE(body.length, 2);
  header.writeUInt32BE(cookie, 6);
  return Buffer.concat([header, body]);
}

/** NUL at the end, which the length counts. */
function text(value: string): Buffer {
  const bytes = Buffer.from(`${value}\0`);
  const head = Buffer.alloc(5);
  head.writeUInt8(0x80 | (4 << 4) | records.string, 0);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** What has come so far, as the answer to the call with this cookie. */
export function decodeAnswer(bytes: Buffer, cookie: number): Answer {
  if (bytes.length < 2) return { kind: "short" };
  const flags = bytes.readUInt8(1);
  const [type, lengthSize, cookieSize] = [flags >> 4, ((flags >> 2) & 3) + 1, (flags & 3) + 1];
  const start = 2 + lengthSize + cookieSize;
  if (bytes.readUInt8(0) !== magic) return { kind: "unreadable" };
  if (bytes.length < start) return { kind: "short" };
  const length = bytes.readUIntBE(2, lengthSize);
  if (length > largest || bytes.readUIntBE(2 + lengthSize, cookieSize) !== cookie) return { kind: "unreadable" };
  if (bytes.length < start + length) return { kind: "short" };
  if (type === types.reply) return { kind: "answered" };
  return type === types.fault ? { kind: "fault", code: firstNumber(bytes.subarray(start)) } : { kind: "unreadable" };
}

/** 0 where there is none. */
function firstNumber(body: Buffer): number {
  const head = body[0] ?? 0xff;
  const size = (head >> 4) & 7;
  const isPlain = (head & 0x80) === 0 && (head & 0x0f) === records.int;
  return isPlain && size > 0 && size <= 4 && body.length > size ? body.readUIntBE(1, size) : 0;
}
