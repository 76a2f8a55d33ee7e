import { connect, type Socket } from "node:net";
import type { ClientOptions } from "ws";

/** ws options for a client whose connection begins with these bytes, as a proxy's does. */
export const beginningWith = (header: string | Buffer): ClientOptions => ({
  createConnection: ((options: { host?: string; port?: number }): Socket => {
    const socket = connect({ host: options.host ?? "127.0.0.1", port: Number(options.port) });
    socket.write(header);
    return socket;
  }) as NonNullable<ClientOptions["createConnection"]>,
});

export const proxyV1 = (address: string, port: number): string =>
  `PROXY TCP${address.includes(":") ? 6 : 4} ${address} ${address.includes(":") ? "::1" : "127.0.0.1"} ${port} 443\r\n`;

/** Version 2, IPv4, with a TLV that nobody reads behind the addresses. */
export function proxyV2(address: string, port: number): Buffer {
  const addresses = Buffer.from([...address.split(".").map(Number), 127, 0, 0, 1, port >> 8, port & 0xff, 1, 187]);
  const tlv = Buffer.from([0x04, 0, 1, 0]);
  const head = Buffer.from("0d0a0d0a000d0a515549540a2111", "hex");
  const length = addresses.length + tlv.length;
  return Buffer.concat([head, Buffer.from([length >> 8, length & 0xff]), addresses, tlv]);
}

/** Version 2, IPv6, as a dual-stack proxy writes an IPv4 source. */
export function mappedV2(address: string, port: number): Buffer {
  const mapped = (bytes: number[]): number[] => [...new Array<number>(10).fill(0), 0xff, 0xff, ...bytes];
  const ports = [port >> 8, port & 0xff, 1, 187];
  const addresses = Buffer.from([...mapped(address.split(".").map(Number)), ...mapped([127, 0, 0, 1]), ...ports]);
  return Buffer.concat([
    Buffer.from("0d0a0d0a000d0a515549540a2121", "hex"),
    Buffer.from([0, addresses.length]),
    addresses,
  ]);
}
