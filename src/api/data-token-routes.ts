import type { IncomingMessage } from "node:http";
import { STATUS_CODES } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Customers } from "../core/customers.ts";
import { codes } from "../core/errors.ts";
import type { Caller } from "../exchange/context.ts";
import { readDataTokenAsked } from "../exchange/data-token-asked.ts";
import type { DataTokenOutcome, DataTokens } from "../exchange/data-tokens.ts";
import { pageOrigin } from "../exchange/origin.ts";
import { note, type VerdictSinks } from "../exchange/verdicts.ts";
import { answer, bodyOf, json } from "./http.ts";
import { doubled, preflight, readableBy, refuseWith } from "./pages.ts";

export interface DataTokenRoutes {
  readonly tokens: Pick<DataTokens, "ask">;
  readonly sinks: VerdictSinks;
  readonly customers: () => Customers;
  /** Who is really there, behind proxies that are believed. */
  readonly source: (request: IncomingMessage) => { readonly address: string };
}

/** The three-party flow: stays open while the customer's application is asked. */
export function dataTokenRoutes(app: FastifyInstance, routes: DataTokenRoutes): void {
  const path = "/v1/data-tokens";
  const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<void> =>
    readableBy(request, reply, routes.customers());
  app.options(path, (request, reply) => preflight(request, reply, routes.customers()));
  app.post(path, { onRequest }, (request, reply) => post(request, reply, routes));
}

async function post(
  request: FastifyRequest,
  reply: FastifyReply,
  { tokens, sinks, source }: DataTokenRoutes,
): Promise<FastifyReply> {
  const { raw } = request;
  const caller: Caller = { address: source(raw).address, origin: pageOrigin(raw.headers) };
  const body = bodyOf(request);
  const asked = doubled(request) ?? readDataTokenAsked(body.kind === "json" ? body.value : undefined);
  const outcome: DataTokenOutcome = asked.kind === "refused" ? asked : await tokens.ask(asked, caller);
  note(outcome, "data-tokens", caller, sinks);
  const proved = outcome.kind === "granted" ? outcome.identity.customer : outcome.customer;
  if (proved) readableBy(request, reply, proved);
  if (outcome.kind === "granted") return json(reply, outcome.answer);
  return outcome.words ? sayWords(reply, outcome) : refuseWith(reply, outcome);
}

/** RFC 9457 §3.2: a problem with further members, the application's own words. */
function sayWords(
  reply: FastifyReply,
  { refusal, words }: Extract<DataTokenOutcome, { kind: "refused" }>,
): FastifyReply {
  const { code, sentence: detail } = refusal;
  const { http: status } = codes[code];
  const body = { title: STATUS_CODES[status], status, code, detail, ...words };
  return answer(reply, status, "application/problem+json", body);
}
