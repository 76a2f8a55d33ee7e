import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import type { Metrics } from "../telemetry/metrics.ts";
import type { RingEntry } from "../telemetry/ring.ts";
import { answerInbound, type InboundOptions } from "./inbound.ts";
import { answer, isRead, problem } from "./public.ts";

export interface AdminOptions {
  /** `http://host:port`. */
  readonly listen: string;
  readonly metrics: Metrics;
  /** Undefined where the gateway can serve, else why it cannot. */
  readonly unready: () => Promise<string | undefined>;
  readonly inbound: InboundOptions;
  /** The last messages of a Call-ID, credentials masked. */
  readonly ladder: (callId: string) => readonly RingEntry[];
}

export interface Admin {
  readonly url: string;
  close(): Promise<void>;
}

/** The private port: liveness, readiness, metrics, and who gets a call from outside. Rejects where the address cannot be had. */
export async function openAdmin(options: AdminOptions): Promise<Admin> {
  const server = createServer({ headersTimeout: 5_000, requestTimeout: 5_000 }, (request, response) => {
    route(request, response, options).catch((error: unknown) => {
      problem(response, 500, "Internal Server Error", error instanceof Error ? error.name : "unknown");
    });
  });
  const url = new URL(options.listen);
  await listen(server, url);
  url.port = String((server.address() as AddressInfo).port);
  return { url: url.href.replace(/\/$/, ""), close: () => close(server) };
}

async function route(request: IncomingMessage, response: ServerResponse, options: AdminOptions): Promise<void> {
  const path = (request.url ?? "").split("?", 1)[0];
  if (isForeign(request, path ?? "")) {
    problem(response, 403, "Forbidden", "no web page has business here; ask by address, localhost or a one-word name");
  } else if (!isRead(request)) problem(response, 405, "Method Not Allowed", "this can only be read");
  else if (path === "/livez") answer(response, 200, "application/json", { status: "ok" });
  else if (path === "/readyz") await readiness(response, options);
  else if (path === "/v1/inbound") await answerInbound(request, response, options.inbound);
  else if (path === "/v1/ladder") ladder(request, response, options);
  else if (path === "/metrics") {
    const { registry } = options.metrics;
    answer(response, 200, registry.contentType, await registry.metrics());
  } else problem(response, 404, "Not Found", "here are /livez, /readyz, /metrics, /v1/inbound and /v1/ladder");
}

/**
 * A page in somebody's browser: it shows its Origin, or has made its own name lead here (DNS rebinding), and such a name
 * has a dot. What tells of calls is for no name with a dot at all.
 */
function isForeign({ headers }: IncomingMessage, path: string): boolean {
  if (headers.origin !== undefined) return true;
  const host = URL.canParse(`http://${headers.host}`) ? new URL(`http://${headers.host}`).hostname : "";
  const isName = isIP(host.replace(/^\[|\]$/g, "")) === 0;
  return path.startsWith("/v1/") && (host === "" || (isName && host.includes(".")));
}

const longestCallId = 256;

function ladder(request: IncomingMessage, response: ServerResponse, options: AdminOptions): void {
  const callId = new URLSearchParams((request.url ?? "").split("?")[1]).get("callId") ?? "";
  if (callId === "" || callId.length > longestCallId) {
    problem(response, 400, "Bad Request", "callId is missing or longer than any", "message-malformed");
    return;
  }
  const entries = options.ladder(callId);
  if (entries.length > 0) answer(response, 200, "application/json", { callId, entries });
  else problem(response, 404, "Not Found", "no message with this Call-ID is remembered");
}

async function readiness(response: ServerResponse, { unready }: AdminOptions): Promise<void> {
  const reason = await unready();
  if (reason === undefined) answer(response, 200, "application/json", { status: "ok" });
  else
    problem(response, 503, "Service Unavailable", reason, reason === "draining" ? "draining" : "upstream-unavailable");
}

async function listen(server: Server, url: URL): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(url.port || 80), url.hostname.replace(/^\[|\]$/g, ""), resolve);
  });
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
