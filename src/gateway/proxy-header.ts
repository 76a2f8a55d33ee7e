import { isIP } from "node:net";

/** Who a proxy says is at the other end. */
export interface Source {
  readonly address: string;
  readonly port: number;
}

export type ProxyHeader =
  /** source: undefined for the proxy's own connections (UNKNOWN, LOCAL). length: bytes of the header. */
  | { readonly kind: "header"; readonly source: Source | undefined; readonly length: number }
  | { readonly kind: "more" }
  | { readonly kind: "none" };

const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const longestV1 = 107;
const longestV2 = 16 + 2048;

/** The PROXY header, version 1 or 2, at the beginning of a connection (PROXY protocol §2.1, §2.2). */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, signature)) return readV2(bytes);
  return startsLike(bytes, Buffer.from("PROXY ")) ? readV1(bytes) : { kind: "none" };
}

const startsLike = (bytes: Buffer, start: Buffer): boolean => {
  const length = Math.min(bytes.length, start.length);
  return bytes.subarray(0, length).equals(start.subarray(0, length));
};

function readV1(bytes: Buffer): ProxyHeader {
  const end = bytes.indexOf("\r\n");
  if (end < 0) return bytes.length > longestV1 ? { kind: "none" } : { kind: "more" };
  if (end > longestV1 - 2) return { kind: "none" };
  const [, family, address = "", , port = ""] = bytes.toString("latin1", 0, end).split(" ");
  if (family === "UNKNOWN") return { kind: "header", source: undefined, length: end + 2 };
  const version = family === "TCP4" ? 4 : family === "TCP6" ? 6 : 0;
  // A zone is this machine's own matter: Kamailio cannot read an address with one.
  if (version === 0 || isIP(address) !== version || address.includes("%") || !isPort(port)) return { kind: "none" };
  return { kind: "header", source: { address, port: Number(port) }, length: end + 2 };
}

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_536;

function readV2(bytes: Buffer): ProxyHeader {
  if (bytes.length < 16) return { kind: "more" };
  const length = 16 + bytes.readUInt16BE(14);
  const [command, family] = [bytes[12]!, bytes[13]!];
  if ((command & 0xf0) !== 0x20 || (command & 0x0f) > 1 || length > longestV2) return { kind: "none" };
  if (bytes.length < length) return { kind: "more" };
  if ((command & 0x0f) === 0) return { kind: "header", source: undefined, length };
  if (family === 0x11 && length >= 28) {
    const address = bytes.subarray(16, 20).join(".");
    return { kind: "header", source: { address, port: bytes.readUInt16BE(24) }, length };
  }
  if (family === 0x21 && length >= 52) {
    return { kind: "header", source: { address: ipv6(bytes.subarray(16, 32)), port: bytes.readUInt16BE(48) }, length };
  }
  return { kind: "none" };
}

const ipv6 = (bytes: Buffer): string =>
  Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16)).join(":");
