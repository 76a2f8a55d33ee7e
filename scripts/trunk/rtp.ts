import { randomInt } from "node:crypto";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";

/** A packet of RFC 3550, without the padding and extensions that nobody here sends. */
export interface RtpPacket {
  readonly payloadType: number;
  readonly marker: boolean;
  readonly sequence: number;
  readonly timestamp: number;
  readonly payload: Buffer;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A socket for the sound of one call. */
export class RtpSocket {
  readonly #socket: Socket;
  ssrc = randomInt(2 ** 32 - 1);
  #sequence = randomInt(2 ** 16);
  onPacket: ((packet: RtpPacket, from: RemoteInfo) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (data, from) => {
      const packet = parseRtp(data);
      if (packet) this.onPacket?.(packet, from);
    });
  }

  /** On any port. */
  static async open(host: string): Promise<RtpSocket> {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    socket.bind(0, host);
    await once(socket, "listening");
    return new RtpSocket(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(to: Address, { payloadType, marker, timestamp, payload }: Omit<RtpPacket, "sequence">): void {
    const head = Buffer.alloc(12);
    head[0] = 0x80;
    head[1] = (marker ? 0x80 : 0) | payloadType;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    head.writeUInt16BE(this.#sequence, 2);
    head.writeUInt32BE(timestamp >>> 0, 4);
    head.writeUInt32BE(this.ssrc, 8);
    this.#socket.send(Buffer.concat([head, payload]), to.port, to.host);
  }

  close(): void {
    this.#socket.close();
  }
}

/** undefined for what is no RTP of version 2; RTCP of a shared port too (RFC 5761 section 4). */
export function parseRtp(data: Buffer): RtpPacket | undefined {
  const [first = 0, second = 0] = data;
  const start = 12 + 4 * (first & 15);
  const type = second & 0x7f;
  if (data.length < start || first >> 6 !== 2 || (type >= 64 && type <= 95)) return undefined;
  return {
    payloadType: type,
    marker: second >= 0x80,
    sequence: data.readUInt16BE(2),
    timestamp: data.readUInt32BE(4),
    payload: data.subarray(start),
  };
}
