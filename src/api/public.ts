import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { AuthenticatorChain } from "../auth/authenticator.ts";
import type { OwnKeys } from "../auth/own-keys.ts";
import type { Clock } from "../core/clock.ts";
import type { Customers } from "../core/customers.ts";
import type { ExchangeSettings, FailureCounts } from "../exchange/context.ts";
import { Throttle } from "../exchange/throttle.ts";
import type { Log } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { exchangeRoutes } from "./exchange-routes.ts";
import { createHttp, json, listenerOf } from "./http.ts";

export interface PublicOptions {
  readonly customers: () => Customers;
  readonly clock: Clock;
  /** What is taken in exchange: nothing in it proves what Postern itself issued. */
  readonly chain: AuthenticatorChain;
  readonly keys: () => OwnKeys;
  readonly config: () => ExchangeSettings;
  readonly failures: FailureCounts;
  readonly metrics: Pick<Metrics, "verdict" | "proved">;
  readonly log: Log;
  readonly draining: () => boolean;
  /** Who is really there, behind proxies that are believed. */
  readonly source: (request: IncomingMessage) => { readonly address: string };
}

const bodyLimit = 16_384;

const notFound =
  "here are a WebSocket (subprotocol sip), POST /v1/exchange, GET /rest/authentication/createToken, POST /authenticate and /healthz";

/** What the public port answers to plain HTTP. */
export async function publicListener(options: PublicOptions): Promise<RequestListener> {
  const { clock, chain, keys, failures, draining, metrics, log, customers, source } = options;
  const onFault = (error: unknown): void => log.error({ err: error }, "a request over HTTP could not be answered");
  const app = createHttp({ bodyLimit, notFound, onFault });
  app.get("/healthz", async (_request, reply) => json(reply, { status: "ok" }));
  const context = {
    clock,
    chain,
    keys,
    settings: options.config,
    failures,
    throttle: new Throttle(clock),
    draining,
    proved: (milliseconds: number) => metrics.proved(milliseconds),
  };
  exchangeRoutes(app, { context, sinks: { log, metrics }, customers, source, holder: randomUUID, onFault });
  return listenerOf(app);
}

/** What the public port answers to plain HTTP: its health, and a problem to all else (RFC 9457). */
export const publicHttp: RequestListener = (request, response) => {
  const path = (request.url ?? "").split("?", 1)[0];
  if (path === "/healthz" && isRead(request)) answer(response, 200, "application/json", { status: "ok" });
  else problem(response, 404, "Not Found", "here is a WebSocket (subprotocol sip) and /healthz");
};

const isRead = (request: IncomingMessage): boolean => request.method === "GET" || request.method === "HEAD";

function problem(response: ServerResponse, status: number, title: string, detail: string, code?: string): void {
  answer(response, status, "application/problem+json", { title, status, ...(code ? { code } : {}), detail });
}

function answer(response: ServerResponse, status: number, type: string, body: unknown): void {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(text);
}
