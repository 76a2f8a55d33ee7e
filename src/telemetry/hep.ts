import { isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";
import type { Party } from "./trace.ts";

/** HEP version 3 (the Homer encapsulation protocol, "HEP/EEP"): "HEP3", the length, and chunks, all in network order. */

/** What a packet carries: 1 SIP, 100 a log line about it. */
export type ProtocolType = 1 | 100;

export interface HepParts {
  readonly from: Party;
  readonly to: Party;
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly type: ProtocolType;
  readonly captureId: number;
  readonly authKey: string | undefined;
  /** The Call-ID. */
  readonly correlationId: string;
  readonly payload: Buffer;
}

/** Chunk types of vendor 0. */
const chunk = {
  family: 0x01,
  protocol: 0x02,
  source4: 0x03,
  destination4: 0x04,
  source6: 0x05,
  destination6: 0x06,
  sourcePort: 0x07,
  destinationPort: 0x08,
  seconds: 0x09,
  microseconds: 0x0a,
  type: 0x0b,
  captureId: 0x0c,
  authKey: 0x0e,
  payload: 0x0f,
  correlationId: 0x11,
} as const;

/** As Linux numbers them. */
const [familyIPv4, familyIPv6, protocolTcp] = [2, 10, 6];

/** What UDP carries over IPv4, bytes. */
export const largestPacket = 65_507;

/**
 * One packet. Undefined where it would be larger than a datagram can be. Chunks of vendors are not used: heplify-server
 * does not look at the vendor and takes them for its own. The payload comes last: Kamailio reads texts up to a NUL, which
 * the next chunk begins with.
 */
export function hepPacket(parts: HepParts): Buffer | undefined {
  const { from, to, at, authKey } = parts;
  const v4 = !isIPv6(from.address) && !isIPv6(to.address);
  const second = Math.floor(at / 1e6);
  const chunks: [number, Buffer][] = [
    [chunk.family, u8(v4 ? familyIPv4 : familyIPv6)],
    [chunk.protocol, u8(protocolTcp)],
    [v4 ? chunk.source4 : chunk.source6, packed(from.address, v4)],
    [v4 ? chunk.destination4 : chunk.destination6, packed(to.address, v4)],
    [chunk.sourcePort, u16(from.port)],
    [chunk.destinationPort, u16(to.port)],
    [chunk.seconds, u32(second)],
    [chunk.microseconds, u32(Math.floor(at - second * 1e6))],
    [chunk.type, u8(parts.type)],
    [chunk.captureId, u32(parts.captureId)],
    ...(authKey === undefined ? [] : [[chunk.authKey, Buffer.from(authKey)] satisfies [number, Buffer]]),
    [chunk.correlationId, Buffer.from(parts.correlationId)],
    [chunk.payload, parts.payload],
  ];
  const length = chunks.reduce((sum, [, data]) => sum + 6 + data.length, 6);
  return length > largestPacket ? undefined : write(chunks, length);
}

function write(chunks: readonly (readonly [number, Buffer])[], length: number): Buffer {
  const packet = Buffer.allocUnsafe(length);
  packet.write("HEP3", "latin1");
  packet.writeUInt16BE(length, 4);
  let at = 6;
  for (const [type, data] of chunks) {
    packet.writeUInt16BE(0, at);
    packet.writeUInt16BE(type, at + 2);
    packet.writeUInt16BE(6 + data.length, at + 4);
    data.copy(packet, at + 6);
    at += 6 + data.length;
  }
  return packet;
}

const u8 = (value: number): Buffer => Buffer.from([value]);

function u16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/**
 * An address as 4 bytes, or as 16 where one of both ends needs them: an IPv4 one is mapped (RFC 4291 §2.5.5.2). A socket
 * that has just been closed has none: 0.0.0.0.
 */
function packed(address: string, v4: boolean): Buffer {
  const parsed = ipaddr.isValid(address) ? ipaddr.parse(address) : ipaddr.parse("0.0.0.0");
  const wide = !v4 && parsed instanceof ipaddr.IPv4 ? parsed.toIPv4MappedAddress() : parsed;
  return Buffer.from(wide.toByteArray());
}
