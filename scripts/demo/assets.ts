import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { jssipBundle } from "../../test/helpers/jssip-bundle.ts";

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

const html = "text/html; charset=utf-8";
const css = "text/css; charset=utf-8";
const script = "text/javascript; charset=utf-8";
const svg = "image/svg+xml";

const own: Readonly<Record<string, string>> = {
  "": html,
  "style.css": css,
  "icon.svg": svg,
  "app.js": script,
  "button.js": script,
  "devices.js": script,
  "dom.js": script,
  "inspector.js": script,
  "ladder.js": script,
  "meter.js": script,
  "phone.js": script,
  "servlets.js": script,
  "sound.js": script,
  "talk.js": script,
  "visit.js": script,
};

/** What the page is made of, by what stands behind /demo/ in its path. All of it is read once: no path names a file. */
export async function readAssets(): Promise<ReadonlyMap<string, Asset>> {
  const folder = new URL("page/", import.meta.url);
  const helpers = new URL("../../src/client/browser/", import.meta.url);
  const read = (url: URL): Buffer => readFileSync(fileURLToPath(url));
  const assets = new Map<string, Asset>();
  for (const [name, type] of Object.entries(own)) {
    assets.set(name, { type, body: read(new URL(name || "index.html", folder)) });
  }
  for (const name of ["connect.js", "call.js"]) assets.set(name, { type: script, body: read(new URL(name, helpers)) });
  assets.set("jssip.js", { type: script, body: Buffer.from(await jssipBundle()) });
  return assets;
}

/** For browsers whose 'self' has no WebSockets; an IPv6 address is no source (CSP3 section 2.3.1). */
const sockets = (hosts: readonly string[]): string =>
  hosts
    .filter((host) => !host.startsWith("["))
    .map((host) => `ws://${host}`)
    .join(" ");

/** Nothing but the page's own files and sockets; no other page may frame, open or include it. */
export const pageHeaders = (hosts: readonly string[]): Readonly<Record<string, string>> => ({
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "media-src 'self' blob: mediastream:",
    `connect-src 'self' ${sockets(hosts)}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "microphone=(self), camera=(), geolocation=()",
  "referrer-policy": "no-referrer",
});
