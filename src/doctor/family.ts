import { isIP } from "node:net";
import type { Config } from "../config.ts";
import { type Finding, ok, warn } from "./finding.ts";

const hostOf = (url: string): string => new URL(url).hostname.replace(/^\[|\]$/g, "");

/** A leg for an IPv6 browser must reach Kamailio over IPv6, else calls to it fail: the PROXY header names one family. */
export function checkFamilies({ gateway, upstream }: Pick<Config, "gateway" | "upstream">): Finding[] {
  if (upstream.proxyProtocol === "off") return [];
  const families = upstream.urls.map((url) => isIP(hostOf(url)));
  return [4, 6].filter((family) => expects(gateway, family)).map((family) => judge(family, families));
}

function judge(family: number, families: readonly number[]): Finding {
  const check = `IPv${family} browsers`;
  if (families.some((one) => one === family || one === 0)) return ok(check, `an upstream url is on IPv${family}`);
  const listen = family === 6 ? "listen=tcp:[…]:5080" : "listen=tcp:<an IPv4 address>:5080";
  return warn(
    check,
    `may come, and no upstream url is on IPv${family}: their requests get 503`,
    `give Kamailio ${listen} and add that url to upstream.urls`,
  );
}

/** Behind a proxy that names the browser's address, either may come. [::] takes IPv4 as well. */
function expects({ listen, trustedProxies }: Config["gateway"], family: number): boolean {
  if (trustedProxies.length > 0) return true;
  const host = hostOf(listen);
  return isIP(host) === 0 ? family === 4 : isIP(host) === family || host === "::";
}
