import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Customers } from "../core/customers.ts";
import { refuse } from "../core/errors.ts";
import type { JsonValue } from "../core/strict-json.ts";
import type { Way } from "../core/verdicts.ts";
import {
  type AuthenticateError,
  authenticate,
  authenticateError,
  internalError,
  readAuthenticate,
} from "../exchange/callstats.ts";
import type { Caller, Context, Outcome } from "../exchange/context.ts";
import { exchange, readAsked } from "../exchange/exchange.ts";
import { jsonp, scriptType } from "../exchange/jsonp.ts";
import { pageOrigin } from "../exchange/origin.ts";
import { note, type VerdictSinks } from "../exchange/verdicts.ts";
import { createToken, pageRefusal, readTokenAsked } from "../exchange/voxbone.ts";
import { answer, bodyOf, json, problem } from "./http.ts";
import { doubled, preflight, readableBy, refuseWith } from "./pages.ts";

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
