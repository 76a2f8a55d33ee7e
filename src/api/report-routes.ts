import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Customers } from "../core/customers.ts";
import type { Code } from "../core/errors.ts";
import { pageOrigin } from "../exchange/origin.ts";
import { refused, type VerdictSinks } from "../exchange/verdicts.ts";
import type { Kind } from "../reports/allowance.ts";
import type { Asked, Intake, Outcome } from "../reports/intake.ts";
import { readReports } from "./body.ts";
import { answer, bodyOf } from "./http.ts";
import { doubled, preflight, readableBy, refuseWith } from "./pages.ts";

export interface ReportRoutes {
  readonly intake: Intake;
  readonly sinks: VerdictSinks & { readonly metrics: ReportCounts };
  readonly customers: () => Customers;
  /** Who is really there, behind proxies that are believed. */
  readonly source: (request: IncomingMessage) => { readonly address: string };
  /** A name of one request alone. */
  readonly holder: () => string;
}

export interface ReportCounts {
  /** count: reports that were taken; a request that was refused is one. */
  reported(kind: Kind, code: Code | "accepted", count: number): void;
}

/** As much as a browser takes along of a page that goes. */
const bodyLimit = 65_536;

/** What pages tell of their conferences. */
export async function reportRoutes(app: FastifyInstance, routes: ReportRoutes): Promise<void> {
  const { intake, customers } = routes;
  const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    readableBy(request, reply, customers());
  };
  await app.register(async (scope) => {
    readReports(scope);
    const route = (path: string, kind: Kind, take: (asked: Asked) => Promise<Outcome>): void => {
      scope.options(path, (request, reply) => preflight(request, reply, customers()));
      scope.post(path, { onRequest, bodyLimit }, async (request, reply) => {
        const asked = askedOf(request, routes);
        return settle(doubled(request) ?? (await take(asked)), kind, asked, { request, reply, routes });
      });
    };
    route("/v1/events", "event", (asked) => intake.events(asked));
    route("/v1/stats", "stats", (asked) => intake.stats(asked));
  });
}

function askedOf(request: FastifyRequest, { source, holder }: ReportRoutes): Asked {
  const { raw } = request;
  const body = bodyOf(request);
  const { origin, authorization } = raw.headers;
  const page = pageOrigin(raw.headers);
  return {
    caller: { address: source(raw).address, origin: page },
    origin: origin === undefined ? undefined : page,
    authorization,
    body: body.kind === "json" ? body.value : undefined,
    holder: holder(),
  };
}

/** Counts and logs a refusal; after the proof the customer's word alone says whether its page may read the answer. */
function settle(
  outcome: Outcome,
  kind: Kind,
  { caller }: Asked,
  { request, reply, routes }: { request: FastifyRequest; reply: FastifyReply; routes: ReportRoutes },
): FastifyReply {
  const { sinks } = routes;
  const isTaken = outcome.kind === "taken";
  const customer = isTaken ? outcome.reporter.customer : outcome.customer;
  if (customer) readableBy(request, reply, customer);
  sinks.metrics.reported(kind, isTaken ? "accepted" : outcome.refusal.code, isTaken ? outcome.count : 1);
  if (isTaken) return answer(reply, 202, "application/json", { taken: outcome.count });
  refused(outcome, kind === "event" ? "events" : "stats", caller, sinks);
  return refuseWith(reply, outcome, outcome.faults);
}
