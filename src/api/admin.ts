import { createServer, type Server } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Metrics } from "../telemetry/metrics.ts";
import type { RingEntry } from "../telemetry/ring.ts";
import { version } from "../telemetry/version.ts";
import { type CallsAtHand, callRoutes } from "./call-routes.ts";
import { listRoutes } from "./customer-lists.ts";
import { type CustomersOptions, ManagedCustomers } from "./customers.ts";
import { importRoute } from "./customers-import.ts";
import { customersRoutes } from "./customers-routes.ts";
import { leaveHalf } from "./half.ts";
import { answer, createHttp, json, problem } from "./http.ts";
import { answerInbound, type InboundOptions } from "./inbound.ts";
import { keyRoutes } from "./key-routes.ts";
import { type ManagedOptions, ManagedRoutes } from "./managed.ts";
import { openApi } from "./openapi.ts";
import { revocationRoutes } from "./revocation-routes.ts";
import { type RuntimeOptions, runtimeRoutes } from "./runtime-routes.ts";
import { secretRoutes } from "./secret-routes.ts";
import { type ToldAtHand, toldRoutes } from "./told-routes.ts";
import { served } from "./unparsed.ts";

export interface AdminOptions {
  /** `http://host:port`. */
  readonly listen: string;
  /** Names, lower case, under which it is asked beside addresses and names of one word. */
  readonly hosts: () => readonly string[];
  readonly metrics: Metrics;
  /** Undefined where the gateway can serve, else why it cannot. */
  readonly unready: () => Promise<string | undefined>;
  readonly inbound: InboundOptions;
  /** The last messages of a Call-ID, credentials masked. */
  readonly ladder: (callId: string) => readonly RingEntry[];
  readonly management: ManagedOptions;
  readonly customers: CustomersOptions;
  readonly calls: CallsAtHand;
  readonly runtime: RuntimeOptions;
  readonly told: ToldAtHand;
}

export interface Admin {
  readonly url: string;
  close(): Promise<void>;
}

/** Milliseconds. */
const common = {
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16_384,
  requireHostHeader: false,
};

/** Kamailio asks over a few; those above are closed at once, so that this port takes no descriptors from calls. */
const mostConnections = 512;

/** The private port: health, metrics, who gets a call from outside, management. Rejects where the address cannot be had. */
export async function openAdmin(options: AdminOptions): Promise<Admin> {
  const app = adminRoutes(options);
  const serve = await served(app, options.inbound.log);
  const server = createServer(common);
  server.maxConnections = mostConnections;
  leaveHalf(server);
  serve(server);
  const url = new URL(options.listen);
  await listen(server, url);
  url.port = String((server.address() as AddressInfo).port);
  return { url: url.href.replace(/\/$/, ""), close: () => close(server, app) };
}

/** Bytes: what is asked here is a question in the path. */
const bodyLimit = 1_024;

function adminRoutes(options: AdminOptions): FastifyInstance {
  const { inbound, metrics } = options;
  const app = createHttp({
    bodyLimit,
    onFault: (err) => inbound.log.error({ err }, "a request over HTTP could not be answered"),
    notFound:
      "here are /livez, /readyz, /metrics, /v1/customers, /v1/calls, /v1/audit, /v1/inbound, /v1/ladder and what /openapi.json describes",
    gate: (request, reply) => turnAwayPages(request, reply, options.hosts()),
  });
  app.get("/livez", (_request, reply) => json(reply, { status: "ok" }));
  app.get("/readyz", (_request, reply) => readiness(reply, options));
  app.get("/metrics", async (_request, reply) => {
    const { registry } = metrics;
    return answer(reply, 200, registry.contentType, await registry.metrics());
  });
  app.get("/v1/inbound", (request, reply) => answerInbound(request, reply, inbound));
  app.get("/v1/ladder", (request, reply) => ladder(request, reply, options));
  const described = openApi(version());
  app.get("/openapi.json", (_request, reply) => json(reply, described));
  managementRoutes(app, options);
  return app;
}

/** Each of them proves who asks. */
function managementRoutes(app: FastifyInstance, options: AdminOptions): void {
  const routes = new ManagedRoutes(app, options.management);
  const customers = new ManagedCustomers(options.customers);
  routes.add(
    ...customersRoutes(customers),
    ...secretRoutes(customers),
    ...keyRoutes(customers),
    ...listRoutes(customers),
    ...revocationRoutes(customers),
    ...callRoutes(options.calls, customers),
    ...runtimeRoutes(options.runtime),
    ...toldRoutes(options.told, customers),
  );
  importRoute(app, routes, customers);
}

/** They tell of calls without asking who asks. */
const open: ReadonlySet<string> = new Set(["/v1/inbound", "/v1/ladder"]);

/**
 * A page in somebody's browser: it shows its Origin, or has made its own name lead here (DNS rebinding), and such a name
 * has a dot: one is taken where each request is signed, or the config says that it is ours. What tells of calls without asking who asks is for no
 * page whose browser says that it is another's (it sends no Origin for an image or a script): each question is a log line.
 */
function turnAwayPages(request: FastifyRequest, reply: FastifyReply, hosts: readonly string[]): void {
  const { headers, is404, routeOptions, url } = request;
  const path = (is404 ? url : routeOptions.url) ?? "";
  const isOpen = open.has(path);
  const isSigned = path.startsWith("/v1/") && !isOpen && !is404;
  if (headers.origin !== undefined || (isOpen && isOfPage(headers["sec-fetch-site"]))) {
    problem(reply, 403, "no web page has business here");
  } else if (!isSigned && hasForeignName(headers.host, hosts)) {
    problem(reply, 403, "this name is not in admin.hosts: ask by address, localhost or a one-word name, or add it");
  }
}

/** none: typed into the browser, or a bookmark (Fetch metadata). */
const isOfPage = (site: string | string[] | undefined): boolean => site !== undefined && site !== "none";

function hasForeignName(host: string | undefined, ours: readonly string[]): boolean {
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : "";
  if (isIP(name.replace(/^\[|\]$/g, "")) !== 0 || ours.includes(name)) return false;
  return name === "" || name.includes(".");
}

const longestCallId = 256;

function ladder(request: FastifyRequest, reply: FastifyReply, options: AdminOptions): FastifyReply {
  const callId = new URLSearchParams(request.url.split("?")[1]).get("callId") ?? "";
  if (callId === "" || callId.length > longestCallId) {
    return problem(reply, 400, "callId is missing or longer than any", "message-malformed");
  }
  const entries = options.ladder(callId);
  if (entries.length > 0) return json(reply, { callId, entries });
  return problem(reply, 404, "no message with this Call-ID is remembered");
}

async function readiness(reply: FastifyReply, { unready }: AdminOptions): Promise<FastifyReply> {
  const reason = await unready();
  if (reason === undefined) return json(reply, { status: "ok" });
  return problem(reply, 503, reason, reason === "draining" ? "draining" : "upstream-unavailable");
}

async function listen(server: Server, url: URL): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(url.port || 80), url.hostname.replace(/^\[|\]$/g, ""), resolve);
  });
}

async function close(server: Server, app: FastifyInstance): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
  await app.close();
}
