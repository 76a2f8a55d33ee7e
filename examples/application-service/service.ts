/**
 * An example of an application service in the three-party flow (docs/three-party.md): `node service.ts`, Node 24 and
 * nothing installed. Environment: GATEWAY_URL (its HTTP), GATEWAY_ISSUER (its publicUrl), CUSTOMER, SIP_DOMAIN;
 * KEY_ID with PRIVATE_KEY_FILE (P-256, whose public half the gateway has); PERMISSIONS_FILE; HOST, PORT (127.0.0.1,
 * 3001); SITE_ORIGIN where a proxy gives the site another address.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { html } from "../servlet/escape.ts";
import { sipUser } from "../servlet/mint.ts";
import { asker } from "../servlet/origin.ts";
import { ToyLogin } from "../servlet/toy-login.ts";
import { ApplicationTokens } from "./application-tokens.ts";
import { messageIn, readBody } from "./body.ts";
import { GatewayKeys } from "./gateway-keys.ts";
import { type Expected, readRequest } from "./permission-request.ts";
import { permissionsOf, permissionToken } from "./permission-token.ts";
import { type Settings, settings } from "./settings.ts";

interface Answer {
  readonly status: number;
  readonly type: "application/json" | "text/html";
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Site {
  readonly settings: Settings;
  readonly login: ToyLogin;
  readonly tokens: ApplicationTokens;
  readonly expected: Expected;
  readonly origin: string;
}

type Page = (site: Site, request: IncomingMessage) => Answer | Promise<Answer>;

const pages: Readonly<Record<string, Page>> = {
  "GET /": home,
  "POST /login": logIn,
  "POST /app-token": fetchAppToken,
  "POST /permissions": getPermissionToken,
};

const json = (status: number, body: object): Answer => ({
  status,
  type: "application/json",
  body: JSON.stringify(body),
});

/** What the gateway passes on to the page, word by word: nothing that the visitor must not know. */
const refused = (status: number, error: string, error_description: string): Answer =>
  json(status, { error, error_description });

/** Step 1: the visitor by the site's own session, which the page cannot forge, becomes an application_token. */
function fetchAppToken({ login, origin, tokens }: Site, request: IncomingMessage): Answer {
  if (asker(request, origin) === "foreign") return refused(403, "foreign_page", "this page is not the site's own");
  const name = login.name(request);
  if (name === undefined) return refused(401, "login_required", "log in first");
  if (!sipUser.test(name)) return refused(422, "invalid_user", "this name cannot be a SIP user");
  return json(200, { application_token: tokens.give(name) });
}

/** Step 3: whether it is the gateway who asks, then whether we know the visitor, then what the visitor may. */
async function getPermissionToken(site: Site, request: IncomingMessage): Promise<Answer> {
  const message = await readBody(request, 32_768);
  const token = message === undefined ? undefined : messageIn(message);
  if (token === undefined) return refused(400, "invalid_request", 'send {"getPermissionToken":"<JWS>"}');
  const asked = await readRequest(token, site.expected);
  if (typeof asked === "string") return refused(401, "invalid_message", asked);
  const name = site.tokens.name(asked.applicationToken);
  if (name === undefined) return refused(401, "invalid_application_token", "log in again");
  if (asked.userID !== name && asked.userID !== `${name}@${site.settings.domain}`)
    return refused(403, "access_denied", "you are logged in as somebody else");
  const permissions = permissionsOf(name, site.settings);
  return json(200, { permission_token: permissionToken(asked, permissions, site.settings) });
}

function home({ login }: Site, request: IncomingMessage): Answer {
  const name = login.name(request);
  const form = '<form method="post" action="/login"><input name="user"><button>Log in (a toy)</button></form>';
  const body = `<!doctype html><title>acme</title><p>${name === undefined ? form : `Hello ${html(name)}`}</p>\n`;
  return { status: 200, type: "text/html", body };
}

async function logIn({ login, origin }: Site, request: IncomingMessage): Promise<Answer> {
  if (asker(request, origin) === "foreign") return refused(403, "foreign_page", "this page is not the site's own");
  const form = await readBody(request, 1024);
  const name = new URLSearchParams(form ?? "").get("user") ?? "";
  if (name === "" || name.length > 64) return refused(400, "invalid_request", "user is missing or too long");
  const headers = { location: "/", "set-cookie": login.begin(name) };
  return { status: 303, type: "text/html", body: "", headers };
}

async function answer(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = "/"] = (request.url ?? "/").split("?");
  const page = Object.hasOwn(pages, `${request.method} ${path}`) ? pages[`${request.method} ${path}`] : undefined;
  const given = page ? await page(site, request) : refused(404, "not_found", "there is nothing here");
  response.writeHead(given.status, {
    "content-type": `${given.type}; charset=utf-8`,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
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
    const { issuer, customer } = chosen;
    const expected = { keys: new GatewayKeys(chosen.gateway), issuer, customer, seen: new Map() };
    const kept = { login: new ToyLogin(), tokens: new ApplicationTokens(), expected };
    const site = { settings: chosen, ...kept, origin: chosen.origin ?? own };
    server.on("request", (request, response) => {
      answer(site, request, response).catch((error: unknown) => {
        console.error("application service: a request failed:", error);
        if (!response.headersSent) response.writeHead(500);
        response.end();
      });
    });
    console.log(`application service ${own}`);
  });
}

try {
  serve(settings(process.env));
} catch (error) {
  console.error(`application service: ${error instanceof Error ? error.message : "failed"}`);
  process.exitCode = 2;
}
