import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Customers } from "../core/customers.ts";
import { codes, refuse } from "../core/errors.ts";
import type { Customer } from "../core/identity.ts";
import type { JsonValue } from "../core/strict-json.ts";
import type { Way } from "../core/verdicts.ts";
import {
  type AuthenticateError,
  authenticate,
  authenticateError,
  internalError,
  readAuthenticate,
} from "../exchange/callstats.ts";
import { type Caller, type Context, type Denied, denied, type Outcome } from "../exchange/context.ts";
import { corsHeaders, preflightHeaders } from "../exchange/cors.ts";
import { exchange, readAsked } from "../exchange/exchange.ts";
import { jsonp, scriptType } from "../exchange/jsonp.ts";
import { pageOrigin } from "../exchange/origin.ts";
import { note, type VerdictSinks } from "../exchange/verdicts.ts";
import { createToken, pageRefusal, readTokenAsked } from "../exchange/voxbone.ts";
import { answer, bodyOf, json, problem, refusal } from "./http.ts";

export interface ExchangeRoutes {
  readonly context: Context;
  readonly sinks: VerdictSinks;
  readonly customers: () => Customers;
  /** Who is really there, behind proxies that are believed. */
  readonly source: (request: IncomingMessage) => { readonly address: string };
  /** A name of one request alone. */
  readonly holder: () => string;
  readonly onFault: (error: unknown) => void;
}

const notConfigured = "there is no exchange here: the gateway's config has no exchange.secret";

/** The chain over HTTP: our own form, Voxbone's and callstats'. */
export function exchangeRoutes(app: FastifyInstance, routes: ExchangeRoutes): void {
  const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    readableBy(request, reply, routes.customers());
  };
  const errorHandler = (error: unknown, _request: FastifyRequest, reply: FastifyReply): FastifyReply =>
    sayError(reply, unreadable(error) ?? fault(error, routes));
  for (const path of ["/v1/exchange", "/authenticate"]) {
    app.options(path, (request, reply) => preflight(request, reply, routes.customers()));
  }
  const emptied = async ({ raw }: FastifyRequest): Promise<void> => {
    // Many clients name the type of a body that they do not send; a token needs none.
    if (raw.headers["content-length"] === "0") delete raw.headers["content-type"];
  };
  app.post("/v1/exchange", { onRequest: [onRequest, emptied] }, (request, reply) =>
    postExchange(request, reply, routes),
  );
  const once = { onRequest, exposeHeadRoute: false };
  app.get("/rest/authentication/createToken", once, (request, reply) => getToken(request, reply, routes));
  app.post("/authenticate", { onRequest, errorHandler }, (request, reply) => postAuthenticate(request, reply, routes));
}

type Said = Promise<FastifyReply>;

async function postExchange(request: FastifyRequest, reply: FastifyReply, routes: ExchangeRoutes): Said {
  const { context, holder } = routes;
  const { exchange: secret } = context.settings();
  if (!secret) return problem(reply, 404, notConfigured);
  const caller = callerOf(request, routes);
  const asked = doubled(request) ?? readAsked(request.headers.authorization, jsonOf(request), holder());
  const outcome = asked.kind === "refused" ? asked : await exchange(asked, caller, secret, context);
  settle(outcome, "exchange", caller, { request, reply, routes });
  return outcome.kind === "granted" ? json(reply, outcome.answer) : refuseWith(reply, outcome);
}

async function getToken(request: FastifyRequest, reply: FastifyReply, routes: ExchangeRoutes): Said {
  const { context } = routes;
  const { exchange: secret, publicUrl } = context.settings();
  if (!secret) return problem(reply, 404, notConfigured);
  const caller = callerOf(request, routes);
  const asked = readTokenAsked(queryOf(request));
  const wrong = doubled(request);
  const outcome = wrong ?? (asked.kind === "refused" ? asked : await createToken(asked, caller, secret, context));
  settle(outcome, "voxbone", caller, { request, reply, routes });
  if (asked.callback === undefined) {
    return outcome.kind === "granted" ? json(reply, outcome.answer) : refuseWith(reply, outcome);
  }
  const data = outcome.kind === "granted" ? outcome.answer : pageRefusal(outcome.refusal, publicUrl);
  return answer(reply, 200, scriptType, jsonp(asked.callback, data));
}

async function postAuthenticate(request: FastifyRequest, reply: FastifyReply, routes: ExchangeRoutes): Said {
  const body = bodyOf(request);
  const caller = callerOf(request, routes);
  const asked = doubled(request) ?? readAuthenticate(body.kind === "form" ? body.text : undefined);
  const outcome = asked.kind === "refused" ? asked : await authenticate(asked, caller, routes.holder(), routes.context);
  settle(outcome, "authenticate", caller, { request, reply, routes });
  return outcome.kind === "granted" ? json(reply, outcome.answer) : sayError(reply, authenticateError(outcome));
}

function queryOf({ url }: FastifyRequest): string {
  const mark = url.indexOf("?");
  return mark < 0 ? "" : url.slice(mark + 1);
}

/** A form is no JSON object either. */
function jsonOf(request: FastifyRequest): JsonValue | undefined {
  const body = bodyOf(request);
  if (body.kind === "json") return body.value;
  return body.kind === "form" ? body.text : undefined;
}

const callerOf = ({ raw }: FastifyRequest, { source }: ExchangeRoutes): Caller => ({
  address: source(raw).address,
  origin: pageOrigin(raw.headers),
});

/** Of these one reader takes the first and another the last. */
function doubled({ raw }: FastifyRequest): Denied | undefined {
  const fields = ["authorization", "origin", "referer", "content-type"] as const;
  const twice = fields.find((name) => (raw.headersDistinct[name]?.length ?? 0) > 1);
  return twice && denied(refuse("message-malformed", `the header field ${twice} stands there twice`));
}

/** Counts and logs the verdict; after the proof the customer's word alone says whether its page may read it. */
function settle(
  outcome: Outcome<unknown>,
  way: Way,
  caller: Caller,
  { request, reply, routes }: { request: FastifyRequest; reply: FastifyReply; routes: ExchangeRoutes },
): void {
  note(outcome, way, caller, routes.sinks);
  const proved = outcome.kind === "granted" ? outcome.identity.customer : outcome.customer;
  if (proved) readableBy(request, reply, proved);
}

function readableBy({ headers }: FastifyRequest, reply: FastifyReply, judge: Customer | Customers): void {
  reply.removeHeader("access-control-allow-origin");
  reply.headers(corsHeaders(headers.origin === undefined ? undefined : pageOrigin(headers), judge));
}

async function preflight(request: FastifyRequest, reply: FastifyReply, customers: Customers): Said {
  readableBy(request, reply, customers);
  if (reply.hasHeader("access-control-allow-origin")) return reply.code(204).headers(preflightHeaders).send();
  return refusal(reply, refuse("origin-denied", "this page's origin is in no customer's list: add it to origins"));
}

/** RFC 9110 §11.6.1: a 401 says how to do better; §10.2.3: when to come again. */
function refuseWith(reply: FastifyReply, { refusal: refused, retryAfter = 5 }: Denied): FastifyReply {
  const { http } = codes[refused.code];
  if (http === 401) reply.header("www-authenticate", 'Bearer realm="postern"');
  if (http === 429 || http === 503) reply.header("retry-after", String(retryAfter));
  return refusal(reply, refused);
}

const sayError = (reply: FastifyReply, { status, body }: AuthenticateError): FastifyReply =>
  answer(reply, status, "application/json", body);

/** A body that cannot be read, in callstats' form. */
function unreadable(error: unknown): AuthenticateError | undefined {
  const { statusCode, status } = (error ?? {}) as { statusCode?: unknown; status?: unknown };
  const told = Number(statusCode ?? status);
  if (!(told >= 400 && told < 500)) return undefined;
  const code = told === 413 ? "message-too-big" : "message-malformed";
  return authenticateError({
    refusal: refuse(code, "the form cannot be read: 16384 bytes of percent-encoded ASCII at most"),
  });
}

function fault(error: unknown, { onFault }: ExchangeRoutes): AuthenticateError {
  onFault(error);
  return internalError;
}
