import type { IncomingHttpHeaders } from "node:http";

const longest = 300;
/** The opaque origin (RFC 6454 §7.1): of a page that does not say where it is from, so that only "any" takes it. */
const opaque = "null";

/**
 * The page behind a request: its Origin, else the origin of Referer, for script elements send no Origin. A browser that
 * names neither (its fetch metadata tell that it is one) is a page that hides; undefined is left for what is no page.
 */
export function pageOrigin(headers: IncomingHttpHeaders): string | undefined {
  const { origin, referer } = headers;
  if (origin !== undefined) return isOrigin(origin) ? origin : opaque;
  if (referer !== undefined) return URL.canParse(referer) ? new URL(referer).origin : opaque;
  const site = headers["sec-fetch-site"];
  return site === undefined || site === "none" ? undefined : opaque;
}

/** One serialized origin, so that it can be said back: a list, a path or white space is none. */
function isOrigin(text: string): boolean {
  return text.length <= longest && (text === opaque || /^[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9._~:[\]-]+$/.test(text));
}
