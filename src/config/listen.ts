import { BlockList, isIP } from "node:net";

/** An address to listen on, as `scheme://host:port`. */
export interface Listen {
  readonly scheme: string;
  /** A name, an IPv4 or an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** The port must be written (0: any); undefined where it is no such thing. */
export function parseListen(text: string): Listen | undefined {
  const found = /^([a-z]+):\/\/(?:([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)|\[([0-9a-f:.]+)\]):(0|[1-9][0-9]{0,4})\/?$/.exec(
    text,
  );
  if (!found) return undefined;
  const [, scheme = "", name, ipv6, port] = found;
  if (Number(port) > 65_535 || (ipv6 !== undefined && isIP(ipv6) !== 6)) return undefined;
  // A name of digits and dots that is no IPv4 address would be looked up, or read in octal.
  if (name !== undefined && /^[0-9.]+$/.test(name) && isIP(name) !== 4) return undefined;
  return { scheme, host: name ?? ipv6 ?? "", port: Number(port) };
}

const list = (...networks: readonly [address: string, bits: number, family: "ipv4" | "ipv6"][]): BlockList => {
  const blocks = new BlockList();
  for (const network of networks) blocks.addSubnet(...network);
  return blocks;
};

const loopback = list(["127.0.0.0", 8, "ipv4"], ["::1", 128, "ipv6"]);
const local = list(
  ["10.0.0.0", 8, "ipv4"],
  ["172.16.0.0", 12, "ipv4"],
  ["192.168.0.0", 16, "ipv4"],
  ["100.64.0.0", 10, "ipv4"],
  ["fc00::", 7, "ipv6"],
);

const isIn = (blocks: BlockList, host: string): boolean =>
  isIP(host) !== 0 && blocks.check(host, isIP(host) === 6 ? "ipv6" : "ipv4");

export const isLoopback = (host: string): boolean => host === "localhost" || isIn(loopback, host);

/** Loopback, or an address that is not routed on the internet. */
export const isPrivate = (host: string): boolean => isLoopback(host) || isIn(local, host);
