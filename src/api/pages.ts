import type { FastifyReply, FastifyRequest } from "fastify";
import type { Customers } from "../core/customers.ts";
import { codes, refuse } from "../core/errors.ts";
import type { Customer } from "../core/identity.ts";
import { type Denied, denied } from "../exchange/context.ts";
import { corsHeaders, preflightHeaders } from "../exchange/cors.ts";
import { pageOrigin } from "../exchange/origin.ts";
import { type FieldError, problem, refusal } from "./http.ts";

/** What the routes of the public port have in common that pages ask. */

/** Of these one reader takes the first and another the last. */
export function doubled({ raw }: FastifyRequest): Denied | undefined {
  const fields = ["authorization", "origin", "referer", "content-type"] as const;
  const twice = fields.find((name) => (raw.headersDistinct[name]?.length ?? 0) > 1);
  return twice && denied(refuse("message-malformed", `the header field ${twice} stands there twice`));
}

/** Whether a page may read the answer: before the proof any customer's word counts, after it the proved one's alone. */
export function readableBy({ headers }: FastifyRequest, reply: FastifyReply, judge: Customer | Customers): void {
  for (const name of ["access-control-allow-origin", "access-control-expose-headers"]) reply.removeHeader(name);
  reply.headers(corsHeaders(headers.origin === undefined ? undefined : pageOrigin(headers), judge));
}

export async function preflight(
  request: FastifyRequest,
  reply: FastifyReply,
  customers: Customers,
): Promise<FastifyReply> {
  readableBy(request, reply, customers);
  if (reply.hasHeader("access-control-allow-origin")) return reply.code(204).headers(preflightHeaders).send();
  return refusal(reply, refuse("origin-denied", "this page's origin is in no customer's list: add it to origins"));
}

/** RFC 9110 §11.6.1: a 401 says how to do better; §10.2.3: when to come again. */
export function refuseWith(
  reply: FastifyReply,
  { refusal: refused, retryAfter = 5 }: Denied,
  errors?: readonly FieldError[],
): FastifyReply {
  const { http } = codes[refused.code];
  if (http === 401) reply.header("www-authenticate", 'Bearer realm="postern"');
  if (http === 429 || http === 503) reply.header("retry-after", String(retryAfter));
  return problem(reply, http, refused.sentence, refused.code, errors);
}
