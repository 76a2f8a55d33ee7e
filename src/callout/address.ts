import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

const globalUnicast = ipaddr.IPv6.parseCIDR("2000::/3");
/** RFC 6052 §2.1: the IPv4 address is in the last 32 bits. 64:ff9b:1::/48 (RFC 8215) leads where nobody can tell. */
const nat64 = ipaddr.IPv6.parseCIDR("64:ff9b::/96");

/**
 * Whether an address is one of the internet's: `unicast` of the registries RFC 6890 set up, and in IPv6 of 2000::/3.
 * An IPv4 address in IPv6 clothes is judged as itself. What is no address is not public.
 */
export function isPublic(text: string): boolean {
  const address = parse(text);
  if (!address) return false;
  if (address instanceof ipaddr.IPv4) return address.range() === "unicast";
  return address.match(globalUnicast) && address.range() === "unicast";
}

/** Whether an address is in one of these networks (CIDR), which config has checked. */
export function networksOf(networks: readonly string[]): (address: string) => boolean {
  const ranges = networks.map((network) => ipaddr.parseCIDR(network));
  return (text) => {
    const address = parse(text);
    return address !== undefined && ranges.some((range) => isIn(address, range));
  };
}

function isIn(address: Address, [base, bits]: [Address, number]): boolean {
  if (address instanceof ipaddr.IPv4) return base instanceof ipaddr.IPv4 && address.match(base, bits);
  return base instanceof ipaddr.IPv6 && address.match(base, bits);
}

/** Without what it is wrapped in: IPv4-mapped (RFC 4291 §2.5.5.2) and NAT64 addresses are the IPv4 address they lead to. */
function parse(text: string): Address | undefined {
  if (isIP(text) === 4) return ipaddr.IPv4.parse(text);
  if (isIP(text) !== 6 || text.includes("%")) return undefined;
  // In hex alone, for ipaddr.js takes the IPv4-compatible `::1.1.1.1` for the IPv4-mapped `::ffff:1.1.1.1`.
  const address = ipaddr.IPv6.parse(new URL(`http://[${text}]`).hostname.slice(1, -1));
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  return address.match(nat64) ? new ipaddr.IPv4(address.toByteArray().slice(12)) : address;
}
