import { type Party, parties, type Row } from "./row.ts";

/** LINKTYPE_RAW: each frame begins with its IP header. */
const rawIp = 101;
/** As much as one frame can hold. */
const snapLength = 65_535;
const sipPort = 5060;
const [ipHeader, udpHeader] = [20, 8];

/** Documentation addresses (RFC 5737), one a rail: the real ones say nothing, for everything is on loopback. */
const host = (party: Party): Buffer => Buffer.from([192, 0, 2, parties.indexOf(party) + 1]);

/**
 * The messages as a capture file of libpcap, each in a UDP datagram of its own, so that Wireshark reads them as SIP, whatever
 * they really travelled in. Rows in the order of time.
 */
export const pcap = (rows: readonly Row[]): Buffer =>
  Buffer.concat([fileHeader(), ...rows.flatMap((row, index) => record(row, index))]);

function fileHeader(): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(snapLength, 16);
  header.writeUInt32LE(rawIp, 20);
  return header;
}

function record({ at, from, to, message }: Row, index: number): Buffer[] {
  const frame = datagram(from, to, Buffer.from(message), index);
  const header = Buffer.alloc(16);
  header.writeUInt32LE(Math.floor(at / 1000), 0);
  header.writeUInt32LE(Math.floor((at % 1000) * 1000), 4);
  header.writeUInt32LE(frame.length, 8);
  header.writeUInt32LE(frame.length, 12);
  return [header, frame];
}

/** RFC 791 and RFC 768. */
function datagram(from: Party, to: Party, message: Buffer, index: number): Buffer {
  const payload = message.subarray(0, snapLength - ipHeader - udpHeader);
  const udp = Buffer.alloc(udpHeader);
  udp.writeUInt16BE(sipPort, 0);
  udp.writeUInt16BE(sipPort, 2);
  udp.writeUInt16BE(udpHeader + payload.length, 4);
  const ip = Buffer.alloc(ipHeader);
  ip.writeUInt8(0x45, 0);
  ip.writeUInt16BE(ipHeader + udpHeader + payload.length, 2);
  ip.writeUInt16BE(index % 65_536, 4);
  ip.writeUInt8(64, 8);
  ip.writeUInt8(17, 9);
  host(from).copy(ip, 12);
  host(to).copy(ip, 16);
  ip.writeUInt16BE(checksum(ip), 10);
  const pseudo = Buffer.concat([ip.subarray(12, 20), Buffer.from([0, 17]), udp.subarray(4, 6)]);
  udp.writeUInt16BE(checksum(Buffer.concat([pseudo, udp, payload])) || 0xffff, 6);
  return Buffer.concat([ip, udp, payload]);
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
