/**
 * What strangers are counted under: whom they claim to be, by the claim as it stands, whether anybody is called so or
 * not. So no count tells who is a customer, and no claim is the name of another count.
 */
export type CountedName = `customer ${string}` | `domain ${string}` | "unnamed" | "handshake" | "management";

/** A customer's id as a claim has it; what could be nobody's id is unnamed. */
export const customerName = (id: string): CountedName =>
  /^[a-z0-9][a-z0-9_.-]{0,63}$/.test(id) ? `customer ${id}` : "unnamed";

/** A domain as a claim has it, in whatever case; what could be nobody's is unnamed. */
export const domainName = (domain: string): CountedName =>
  /^[a-z0-9][a-z0-9_.-]{0,252}$/i.test(domain) ? `domain ${domain.toLowerCase()}` : "unnamed";

/** One key for all addresses that one subscriber has: a /64 of IPv6. IPv4 mapped into IPv6 is IPv4. */
export function addressKey(address: string): string {
  if (!address.includes(":")) return address;
  const url = `http://[${address.split("%", 1)[0]}]`;
  if (!URL.canParse(url)) return address;
  const [head = "", tail = ""] = new URL(url).hostname.slice(1, -1).split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === "" ? [] : tail.split(":");
  if (head === "" && back.length === 3 && back[0] === "ffff") return mapped(back.slice(1));
  const groups = [...front, ...new Array<string>(Math.max(0, 8 - front.length - back.length)).fill("0"), ...back];
  return `${groups.slice(0, 4).join(":")}::/64`;
}

const mapped = (groups: readonly string[]): string =>
  groups
    .map((group) => Number.parseInt(group, 16))
    .flatMap((group) => [group >> 8, group & 255])
    .join(".");
