import { isIPv6 } from "node:net";
import { addressKey } from "../core/counted.ts";

/** A connection as admission sees it. */
export interface Guest {
  /** Nothing was accepted from it and it has said nothing: it may be closed to make room. */
  readonly silent: boolean;
  makeRoom(): void;
}

/** Counts connections per address (a /64 of IPv6 is one). Where an address is full, its oldest silent one goes. */
export class Admission {
  readonly #guests = new Map<string, Set<Guest>>();

  /** Whether one more connection of this address may come; may close a silent one for it. limit: 0 for none. */
  admits(address: string, limit: number): boolean {
    const guests = this.#guests.get(addressKey(address));
    if (limit === 0 || guests === undefined || guests.size < limit) return true;
    for (const guest of guests) {
      if (!guest.silent) continue;
      guests.delete(guest);
      guest.makeRoom();
      return true;
    }
    return false;
  }

  enter(address: string, guest: Guest): void {
    const key = addressKey(address);
    const guests = this.#guests.get(key) ?? new Set();
    this.#guests.set(key, guests.add(guest));
  }

  leave(address: string, guest: Guest): void {
    const key = addressKey(address);
    const guests = this.#guests.get(key);
    guests?.delete(guest);
    if (guests?.size === 0) this.#guests.delete(key);
  }
}

/** Counts TCP connections per address, those that are not upgraded yet too: each may hold a descriptor for a while. */
export class Doorway {
  readonly #standing = new Map<string, number>();

  /** Whether one more may come in; leave() when it is closed. limit: 0 for none. */
  enter(address: string, limit: number): boolean {
    const key = addressKey(address);
    const standing = (this.#standing.get(key) ?? 0) + 1;
    if (limit > 0 && standing > limit) return false;
    this.#standing.set(key, standing);
    return true;
  }

  leave(address: string): void {
    const key = addressKey(address);
    const standing = (this.#standing.get(key) ?? 1) - 1;
    if (standing === 0) this.#standing.delete(key);
    else this.#standing.set(key, standing);
  }
}

/** One spelling for one address: IPv4 out of IPv6 as dual-stack sockets and proxies show it, IPv6 in its short form. */
export function plainAddress(address: string): string {
  if (!address.includes(":")) return address;
  const bare = address.replace(/%.*$/, "");
  if (!isIPv6(bare)) return bare;
  const short = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short);
  if (!mapped) return short;
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
