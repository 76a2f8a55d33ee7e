import type { IncomingMessage } from "node:http";

/**
 * Which page a browser asks for, by Origin and Referer: the site's own, another, or a page that says nothing. Both are
 * compared as parsed origins, for a text that begins with the site's address may be another host's.
 */
export function asker(request: IncomingMessage, site: string): "own" | "foreign" | "silent" {
  const { origin, referer } = request.headers;
  const named = [origin, referer].filter((one) => one !== undefined);
  if (named.some((one) => !URL.canParse(one) || new URL(one).origin !== site)) return "foreign";
  return named.length > 0 ? "own" : "silent";
}
