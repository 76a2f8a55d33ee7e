/**
 * An example of what a customer's web site runs beside its pages: `node servlet.ts`, Node 24 and nothing installed.
 * Environment: SIP_SECRET; for /token JWT_KEY_ID with JWT_SECRET (HS256) or JWT_PRIVATE_KEY_FILE (ES256); CUSTOMER, SIP_DOMAIN;
 * HOST, PORT (127.0.0.1, 3000); SITE_ORIGIN where a proxy gives the site another address. What it hands out is meant
 * for one visitor and never for a cache.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { html, scriptJson } from "./escape.ts";
import { credential, sipUser, token, voxrtcConfig } from "./mint.ts";
import { asker } from "./origin.ts";
import { type Settings, settings } from "./settings.ts";
import { ToyLogin } from "./toy-login.ts";

interface Answer {
  readonly status: number;
  readonly type: "application/json" | "text/javascript" | "text/html";
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Site {
  readonly settings: Settings;
  readonly login: ToyLogin;
  readonly origin: string;
}

type Page = (site: Site, request: IncomingMessage) => Answer | Promise<Answer>;

const pages: Readonly<Record<string, Page>> = {
  "GET /": home,
  "POST /login": logIn,
  "GET /sip-credential": sipCredential,
  "GET /voxrtc_config.js": voxrtcScript,
  "GET /token": bearerToken,
};

const json = (status: number, body: unknown): Answer => ({
  status,
  type: "application/json",
  body: JSON.stringify(body),
});

const now = (): number => Math.floor(Date.now() / 1000);

type Visitor = { readonly user: string } | { readonly refusal: Answer };

/** The visitor by the site's own session. What the page says of itself counts for nothing. */
function visitor({ settings, login, origin }: Site, request: IncomingMessage): Visitor {
  if (asker(request, origin) === "foreign") return { refusal: json(403, { error: "this page is not the site's own" }) };
  const name = login.name(request);
  if (name === undefined) return { refusal: json(401, { error: "log in first" }) };
  if (!sipUser.test(name)) return { refusal: json(422, { error: "this name cannot be a SIP user" }) };
  return { user: `${name}@${settings.domain}` };
}

function sipCredential(site: Site, request: IncomingMessage): Answer {
  const found = visitor(site, request);
  if ("refusal" in found) return found.refusal;
  const { sipSecret, ttl } = site.settings;
  return json(200, { ...credential(sipSecret, found.user, now() + ttl), ttl });
}

/** A script can be included by any page in the visitor's browser: only a page that says it is ours gets more than `{}`. */
function voxrtcScript(site: Site, request: IncomingMessage): Answer {
  const found = visitor(site, request);
  const { sipSecret, ttl } = site.settings;
  const own = asker(request, site.origin) === "own" && "user" in found;
  const config = own ? voxrtcConfig(sipSecret, found.user, now() + ttl) : {};
  return { status: 200, type: "text/javascript", body: `var voxrtc_config = ${scriptJson(config)};\n` };
}

function bearerToken(site: Site, request: IncomingMessage): Answer {
  const found = visitor(site, request);
  if ("refusal" in found) return found.refusal;
  const { key, customer, ttl } = site.settings;
  if (!key) return json(404, { error: "this site has no key for tokens: set JWT_KEY_ID and JWT_SECRET" });
  return json(200, { token: token(key, customer, found.user, now() + ttl) });
}

function home({ login }: Site, request: IncomingMessage): Answer {
  const name = login.name(request);
  const form = '<form method="post" action="/login"><input name="user"><button>Log in (a toy)</button></form>';
  const body = `<!doctype html><title>acme</title><p>${name === undefined ? form : `Hello ${html(name)}`}</p>
<script src="/voxrtc_config.js"></script>\n`;
  return { status: 200, type: "text/html", body };
}

async function logIn({ login, origin }: Site, request: IncomingMessage): Promise<Answer> {
  if (asker(request, origin) === "foreign") return json(403, { error: "this page is not the site's own" });
  const length = Number(request.headers["content-length"]);
  if (!(length <= longestForm)) return json(413, { error: `the form is not at most ${longestForm} bytes` });
  const name = new URLSearchParams(await text(request)).get("user") ?? "";
  if (name === "" || name.length > 100) return json(400, { error: "user is missing or longer than 100 characters" });
  const headers = { location: "/", "set-cookie": login.begin(name) };
  return { status: 303, type: "text/html", body: "", headers };
}

const longestForm = 1024;

async function answer(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = "/"] = (request.url ?? "/").split("?");
  const page = Object.hasOwn(pages, `${request.method} ${path}`) ? pages[`${request.method} ${path}`] : undefined;
  const given = page ? await page(site, request) : json(404, { error: "there is nothing here" });
  response.writeHead(given.status, {
    "content-type": `${given.type}; charset=utf-8`,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
    ...given.headers,
  });
  response.end(given.body);
}

function serve(chosen: Settings): void {
  const server = createServer();
  server.listen(chosen.port, chosen.host, () => {
    const { port } = server.address() as AddressInfo;
    const own = `http://${chosen.host.includes(":") ? `[${chosen.host}]` : chosen.host}:${port}`;
    const site = { settings: chosen, login: new ToyLogin(), origin: chosen.origin ?? own };
    server.on("request", (request, response) => {
      answer(site, request, response).catch((error: unknown) => {
        console.error("servlet: a request failed:", error);
        response.destroy();
      });
    });
    console.log(`servlet ${own}`);
  });
}

try {
  serve(settings(process.env));
} catch (error) {
  console.error(`servlet: ${error instanceof Error ? error.message : "failed"}`);
  process.exitCode = 2;
}
