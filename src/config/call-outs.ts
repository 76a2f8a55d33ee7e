import { isIP } from "node:net";
import { isPublic, networksOf } from "../callout/address.ts";
import { texts } from "./collect.ts";
import type { Faults } from "./faults.ts";
import { isNetwork, isWebUrl } from "./fields.ts";
import type { Value } from "./walk.ts";

const called = ["customers[].keys[].jwksUri", "customers[].permissionUrl", "customers[].webhook.url"];

/** Of a URL as isWebUrl takes it. */
function placeOf(url: string) {
  const { protocol, hostname, origin } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return { protocol, host, origin, isAddress: isIP(host) !== 0 };
}

/** The origin of a URL that is called inside callbackNetworks or not at all; undefined for others. */
export function insideOrigin(url: unknown): string | undefined {
  if (typeof url !== "string" || !isWebUrl(url)) return undefined;
  const { protocol, host, origin, isAddress } = placeOf(url);
  return protocol === "http:" || (isAddress && !isPublic(host)) ? origin : undefined;
}

/** What a call-out would refuse every time is told now; where a name leads is judged when it is called. */
export function callOutRule(root: Value, faults: Faults): void {
  const networks = texts(root, "exchange.callbackNetworks[]")
    .map(({ value }) => value)
    .filter(isNetwork);
  const isAllowed = networksOf(networks);
  for (const { path, value } of texts(root, ...called)) {
    if (!isWebUrl(value)) continue;
    const { protocol, host, isAddress } = placeOf(value);
    if (isAddress && isAllowed(host)) continue;
    if (protocol === "http:" && (isAddress || networks.length === 0)) {
      faults.add(path, "is http://: use https://, or put the host's network into exchange.callbackNetworks");
    } else if (isAddress && !isPublic(host)) {
      faults.add(
        path,
        "leads to an address that is not public: put its network into exchange.callbackNetworks if meant",
      );
    }
  }
}
