import type { FastifyRequest } from "fastify";
import type { Manager } from "../auth/management.ts";
import { type Code, codes } from "../core/errors.ts";
import type { JsonObject } from "../core/strict-json.ts";
import type { Act } from "../store/port.ts";
import type { FieldError } from "./http.ts";

/** What a management request is answered with. */
export type Answer = Done | Refused;

export interface Done {
  readonly kind: "done";
  readonly status: 200 | 201 | 204;
  /** None with a 204. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** For ETag. */
  readonly revision?: number | undefined;
  /** Of what was created. */
  readonly location?: string;
  /** A member of the body that is told this once: no replay has it. */
  readonly once?: string;
}

export interface Refused {
  readonly kind: "refused";
  readonly status: number;
  /** What is wrong, what to do. */
  readonly detail: string;
  readonly code?: Code;
  /** Each with its path. */
  readonly errors?: readonly FieldError[];
}

export const done = (body: Done["body"], more: Partial<Done> = {}): Done => ({
  kind: "done",
  status: 200,
  ...(body && { body }),
  ...more,
});

export const nothing = (revision?: number): Done => ({ kind: "done", status: 204, revision });

export const refused = (status: number, detail: string, more: Partial<Refused> = {}): Refused => ({
  kind: "refused",
  status,
  detail,
  ...more,
});

/** One and the same for an id that nobody has and for another's. */
export const noCustomer = refused(
  404,
  "there is no such customer: see /v1/customers/me, or as an operator /v1/customers",
);

/** A management request whose token was proved. */
export interface Asked {
  readonly manager: Manager;
  /** Customer of the route's `:id`, `me` resolved; of a customer's own key always its own. Empty where the route has none. */
  readonly id: string;
  readonly address: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** An empty one where none was sent. Throws, for a 415 or 400, where it is no JSON object. */
  body(): JsonObject;
  readonly raw: FastifyRequest;
  /** For the audit. */
  act(what: string): Act;
}

/** A customer's own key is shown nothing that was before the customer: another had its id then. An operator is shown all. */
export const shownSince = ({ manager }: Pick<Asked, "manager">): number | undefined =>
  manager.kind === "customer" ? manager.customer.since : undefined;

/** The same query, of what its asker is shown. */
export function asShown<Query extends { readonly since?: number }>(query: Query, asked: Pick<Asked, "manager">): Query {
  const since = shownSince(asked);
  return since === undefined ? query : { ...query, since: Math.max(since, query.since ?? since) };
}

/** As the audit names who manages. */
export const byOf = (manager: Manager): string =>
  manager.kind === "operator" ? `operator:${manager.id}` : `customer:${manager.customer.id}/${manager.apiKey}`;

/** The status that a code has. */
export const refusedBy = (code: Code, detail: string): Refused => refused(codes[code].http, detail, { code });

export const forOperators = refused(403, "this is an operator's to do: ask whoever runs this gateway", {
  code: "permission-missing",
});

/** A name that nobody knows may be a secret put in the wrong place: not repeated. */
export const shown = (name: string): string => (/^[A-Za-z][A-Za-z0-9_-]{0,23}$/.test(name) ? name : "[…]");
