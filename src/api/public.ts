import { randomUUID } from "node:crypto";
import type { IncomingMessage, Server } from "node:http";
import type { FastifyInstance, FastifyReply } from "fastify";
import type { AuthenticatorChain } from "../auth/authenticator.ts";
import type { OwnKeys } from "../auth/own-keys.ts";
import type { PublicJwk } from "../auth/signing-key.ts";
import type { Clock } from "../core/clock.ts";
import type { Customers } from "../core/customers.ts";
import { intervals } from "../core/signing-keys.ts";
import type { Verdicts } from "../core/verdicts.ts";
import type { Context, ExchangeSettings, FailureCounts } from "../exchange/context.ts";
import { type DataTokenParts, DataTokens } from "../exchange/data-tokens.ts";
import { Throttle } from "../exchange/throttle.ts";
import { Allowance } from "../reports/allowance.ts";
import { Intake, type IntakeParts } from "../reports/intake.ts";
import type { Log } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { dataTokenRoutes } from "./data-token-routes.ts";
import { exchangeRoutes } from "./exchange-routes.ts";
import { answer, createHttp, json } from "./http.ts";
import { reportRoutes } from "./report-routes.ts";
import { type InTurn, type Serve, served } from "./unparsed.ts";

/** What is shown beside the gateway's own routes. `postern serve` has none. */
export interface Pages {
  /** Adds its routes, which are held to the same rules as ours. */
  routes(app: FastifyInstance): void;
  /** The server that browsers connect to, before it listens. */
  reach(server: Server): void;
}

export interface KeySet {
  readonly keys: readonly PublicJwk[];
}

export interface PublicOptions {
  readonly customers: () => Customers;
  readonly clock: Clock;
  /** What is taken in exchange: nothing in it proves what Postern itself issued. */
  readonly chain: AuthenticatorChain;
  readonly keys: () => OwnKeys;
  readonly config: () => ExchangeSettings;
  readonly failures: FailureCounts;
  readonly metrics: Pick<Metrics, "verdict" | "proved" | "reported" | "application">;
  readonly verdicts: Verdicts;
  /** What the gateway signs in its own name, and the public keys for that. */
  readonly signing: { readonly published: KeySet; sign(typ: string, claims: object): string };
  /** Customers' applications, and what they answer with. */
  readonly applications: Pick<DataTokenParts, "callOut" | "permissionTokens" | "conferences">;
  readonly log: Log;
  readonly draining: () => boolean;
  readonly overloaded: () => boolean;
  /** Who is really there, behind proxies that are believed. */
  readonly source: (request: IncomingMessage) => { readonly address: string };
  /** Default: at once. */
  readonly inTurn?: InTurn;
  readonly pages?: Pages | undefined;
  readonly reporting: Reporting;
}

/** What becomes of what pages tell of their conferences. */
export interface Reporting extends Pick<IntakeParts, "conferences" | "reports" | "end"> {
  /** Whose word is taken: of those who have a token of ours. */
  readonly chain: AuthenticatorChain;
  readonly failures: FailureCounts;
}

const bodyLimit = 16_384;

const notFound =
  "here are a WebSocket (subprotocol sip), POST /v1/exchange, GET /rest/authentication/createToken, POST /authenticate, POST /v1/data-tokens, POST /v1/events, POST /v1/stats, /.well-known/jwks.json and /healthz";

const jwkSetType = "application/jwk-set+json";

/** What the public port answers to plain HTTP. */
export async function publicHttp(options: PublicOptions): Promise<Serve> {
  const { clock, chain, keys, failures, draining, overloaded, metrics, verdicts, log, customers, source } = options;
  const onFault = (error: unknown): void => log.error({ err: error }, "a request over HTTP could not be answered");
  const app = createHttp({ bodyLimit, notFound, onFault });
  app.get("/.well-known/jwks.json", async (_request, reply) => keySet(reply, options.signing.published));
  app.get("/healthz", async (_request, reply) => json(reply, { status: "ok" }));
  const context = {
    clock,
    chain,
    keys,
    settings: options.config,
    failures,
    throttle: new Throttle(clock),
    draining,
    overloaded,
    proved: (milliseconds: number) => metrics.proved(milliseconds),
  };
  const sinks = { log, metrics, verdicts };
  const sign = (typ: string, claims: object): string => options.signing.sign(typ, claims);
  const tokens = new DataTokens({ context, customers, sign, metrics, log, ...options.applications });
  dataTokenRoutes(app, { tokens, sinks, customers, source });
  exchangeRoutes(app, { context, sinks, customers, source, holder: randomUUID, onFault });
  const intake = intakeOf(options, { ...context, throttle: new Throttle(clock) });
  await reportRoutes(app, { intake, sinks, customers, source, holder: randomUUID });
  options.pages?.routes(app);
  const serve = await served(app, log, options.inTurn);
  return (server) => {
    serve(server);
    options.pages?.reach(server);
  };
}

/** RFC 7517 §5; RFC 9111 §5.2.2: how long it may be kept. */
const keySet = (reply: FastifyReply, keys: KeySet): FastifyReply =>
  answer(reply.header("cache-control", `public, max-age=${intervals.cached / 1000}`), 200, jwkSetType, keys);

/** While calls may finish, what is told of them is taken. */
function intakeOf({ clock, customers, reporting }: PublicOptions, context: Context): Intake {
  const { chain, failures, ...sinks } = reporting;
  const admission = { ...context, chain, failures, draining: () => false };
  const reporters = { admission, customers, throttle: new Throttle(clock) };
  return new Intake({ clock, reporters, allowance: new Allowance(clock), ...sinks });
}
