/** WebSocket frames by hand (RFC 6455 §5.2), for what no client library would send. */

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameParts {
  readonly opcode: number;
  readonly payload?: Buffer;
  /** Default true. */
  readonly fin?: boolean;
  /** The three bits after fin, 4 the first of them. */
  readonly rsv?: number;
  /** Default true, as a client must. */
  readonly masked?: boolean;
  /** Instead of the payload's own. */
  readonly length?: number;
}

const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

export function frame({ opcode, payload = Buffer.alloc(0), fin = true, rsv = 0, masked = true, length }: FrameParts) {
  const head = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode]);
  const size = sized(length ?? payload.length, masked ? 0x80 : 0);
  const body = masked ? Buffer.concat([mask, payload.map((byte, at) => byte ^ mask[at & 3]!)]) : payload;
  return Buffer.concat([head, size, body]);
}

function sized(length: number, bit: number): Buffer {
  if (length < 126) return Buffer.from([bit | length]);
  if (length < 65_536) return Buffer.from([bit | 126, length >> 8, length & 0xff]);
  const long = Buffer.alloc(9);
  long[0] = bit | 127;
  long.writeBigUInt64BE(BigInt(length), 1);
  return long;
}

/** A close frame with this code, and these bytes behind it. */
export function closeFrame(code: number, reason: Buffer = Buffer.alloc(0)): Buffer {
  const number = Buffer.from([code >> 8, code & 0xff]);
  return frame({ opcode: opcodes.close, payload: Buffer.concat([number, reason]) });
}

/** One message in frames of so many bytes; between: what goes between any two of them. */
export function inFrames(message: Buffer, size: number, between: Buffer = Buffer.alloc(0)): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const payload = message.subarray(at, at + size);
    const opcode = at === 0 ? opcodes.binary : opcodes.continuation;
    const fin = at + size >= message.length;
    frames.push(frame({ opcode, payload, fin }), fin ? Buffer.alloc(0) : between);
  }
  return Buffer.concat(frames);
}
