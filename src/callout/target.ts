import { isIP } from "node:net";
import { isPublic } from "./address.ts";
import { type Failed, failures } from "./result.ts";

/** A name's addresses, all of them. Rejects where there are none, or nobody waits any more. */
export type Resolve = (name: string, signal: AbortSignal) => Promise<readonly string[]>;

/** A URL and the addresses that it may be reached at: those that were judged, and no others. */
export interface Target {
  readonly kind: "target";
  readonly url: URL;
  readonly addresses: readonly string[];
}

const longestUrl = 2048;
/** Connections tried one after the other; a name may have any number of addresses. */
const mostAddresses = 8;

/** Strictly: what another parser could read as another host is none. relativeTo: for a redirect, whose fragment is dropped. */
export function readUrl(text: string, relativeTo?: URL): URL | undefined {
  if (text.length > longestUrl || !/^[\x21-\x7e]+$/.test(text) || /[\\<>"]/.test(text)) return undefined;
  if (!relativeTo && (!/^https?:\/\/[^/]/i.test(text) || text.includes("#"))) return undefined;
  if (!URL.canParse(text, relativeTo?.href)) return undefined;
  const url = new URL(text, relativeTo?.href);
  const web = url.protocol === "https:" || url.protocol === "http:";
  if (!web || url.hostname === "" || url.username !== "" || url.password !== "") return undefined;
  url.hash = "";
  return url;
}

type AskForName = (name: string) => Promise<readonly string[]>;

/** Where the URL leads, if every one of its addresses may be called. isAllowed: the operator's networks. */
export async function aim(
  url: URL,
  resolve: AskForName,
  isAllowed: (address: string) => boolean,
): Promise<Target | Failed> {
  const addresses = await addressesOf(hostOf(url), resolve);
  if (addresses.length === 0) return failures.unresolved;
  const outside = addresses.filter((address) => !isAllowed(address));
  if (!outside.every(isPublic)) return failures.address;
  if (url.protocol === "http:" && outside.length > 0) return failures.insecure;
  return { kind: "target", url, addresses: addresses.slice(0, mostAddresses) };
}

/** Without the brackets of an IPv6 address. URL has written every spelling of an IPv4 address with four decimals. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, "$1");

async function addressesOf(host: string, resolve: AskForName): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  return resolve(host).catch(() => []);
}
