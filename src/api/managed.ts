import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Manager } from "../auth/management.ts";
import { isJsonObject, type JsonObject } from "../core/strict-json.ts";
import { Turns } from "../core/turns.ts";
import { sameAddress } from "./addresses.ts";
import {
  type Answer,
  type Asked,
  byOf,
  type Done,
  forOperators,
  noCustomer,
  type Refused,
  refused,
  refusedBy,
  shown,
} from "./asked.ts";
import { UnreadableBody } from "./body.ts";
import { bodyOf, problem, answer as send } from "./http.ts";
import { Idempotency, type IdempotencyOptions } from "./idempotency.ts";
import { authenticate, idIn, type ManagementOptions, nameOf } from "./management.ts";

export interface ManagedRoute {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `:id` in it is a customer's, and another's is refused. */
  readonly url: string;
  /** Default: whoever proves to be one. */
  readonly who?: "operator";
  /** What its query may name, each once; default: nothing. any: the route judges it itself. */
  readonly query?: readonly string[] | "any";
  /** Bytes. Default 64 KiB. */
  readonly bodyLimit?: number;
  readonly answer: (asked: Asked) => Promise<Answer> | Answer;
}

export interface ManagedOptions extends ManagementOptions {
  readonly idempotency: IdempotencyOptions;
}

const bodyLimit = 65_536;
/** Reads by one customer's own keys that wait for those before them. */
const mostReads = 100;

/**
 * Routes of management. The token is proved, and whose customer is asked for judged, before a body is read; each answer
 * is sent here, and a refusal is a line in the log.
 */
export class ManagedRoutes {
  readonly #app: FastifyInstance;
  readonly #options: ManagedOptions;
  readonly #idempotency: Idempotency;
  readonly #asked = new WeakMap<FastifyRequest, Asked>();
  /** A page of what is kept takes the store, and this thread, milliseconds that all others wait. */
  readonly #reads = new Turns(1, mostReads);

  constructor(app: FastifyInstance, options: ManagedOptions) {
    this.#app = app;
    this.#options = options;
    this.#idempotency = new Idempotency(options.idempotency);
  }

  add(...routes: readonly ManagedRoute[]): void {
    for (const route of routes) this.#add(route, this.#app);
  }

  /** For a route with content types of its own. */
  addTo(app: FastifyInstance, route: ManagedRoute): void {
    this.#add(route, app);
  }

  #add(route: ManagedRoute, app: FastifyInstance): void {
    app.route({
      method: route.method,
      url: route.url,
      bodyLimit: route.bodyLimit ?? bodyLimit,
      onRequest: async (request, reply) => {
        const manager = await authenticate(request, reply, this.#options);
        if (manager === undefined) return reply;
        const asked = askedBy(manager, request);
        const refusal = mayAsk(asked, route) ?? strangeIn(asked, route);
        if (refusal) return this.#send(request, reply, manager, refusal);
        this.#asked.set(request, asked);
        return undefined;
      },
      handler: async (request, reply) => {
        const asked = this.#asked.get(request);
        if (!asked) throw new TypeError("a management request came past its proof");
        const answer = await this.#answer(asked, route);
        return this.#send(request, reply, asked.manager, answer);
      },
    });
  }

  async #answer(asked: Asked, { method, answer }: ManagedRoute): Promise<Answer> {
    const { manager } = asked;
    if (method === "POST") return this.#idempotency.once(asked, async () => answer(asked));
    if (method !== "GET" || manager.kind === "operator") return answer(asked);
    return this.#reads.run(
      manager.customer.id,
      () => answer(asked),
      () => crowded,
    );
  }

  #send(request: FastifyRequest, reply: FastifyReply, manager: Manager, answer: Answer): FastifyReply {
    if (answer.kind === "done") return sendDone(reply, answer);
    const { status, detail, code, errors } = answer;
    const isOurs = status === 503 && code === undefined && manager.kind === "customer";
    const asked = {
      address: addressOf(request),
      method: request.method,
      path: request.routeOptions.url,
      ...idIn(request),
    };
    const faults = errors && { faults: errors.map(({ path, message }) => `${path} ${message}`).slice(0, mostLogged) };
    const fields = { ...asked, ...nameOf(manager), status, code, reason: detail, ...faults };
    this.#options.log.warn(fields, "management request refused");
    if (status === 503 || status === 429) reply.header("retry-after", retryAfter);
    return problem(reply, status, isOurs ? away : detail, code, errors);
  }
}

/** Where the store is and what it lacks is the operator's to know. */
const away =
  "the store of customers cannot be used now, and nothing was changed: try again; the gateway's log says why";
const crowded = refusedBy("rate-limited", "too many reads of this customer wait: ask again, one after the other");
/** Of a refusal's faults in the log. */
const mostLogged = 20;
/** Seconds. */
const retryAfter = 5;

function sendDone(reply: FastifyReply, { status, body, revision, location }: Done): FastifyReply {
  if (revision !== undefined) reply.header("etag", `"${revision}"`);
  if (location !== undefined) reply.header("location", location);
  return status === 204 ? reply.code(204).send() : send(reply, status, "application/json", body);
}

const addressOf = ({ socket }: FastifyRequest): string => sameAddress(socket.remoteAddress ?? "");

function askedBy(manager: Manager, request: FastifyRequest): Asked {
  const params = (request.params ?? {}) as Readonly<Record<string, string>>;
  const own = manager.kind === "customer" ? manager.customer.id : undefined;
  const id = params.id === "me" && own !== undefined ? own : (params.id ?? "");
  const address = addressOf(request);
  return {
    ...{ manager, id, address, params },
    query: new URLSearchParams(request.url.split("?")[1]),
    body: () => objectOf(request),
    raw: request,
    act: (what) => ({ by: byOf(manager), what, ...(id !== "" && { customer: id }), address }),
  };
}

/** Of what the config takes as an id; all else is nobody's, and goes no further. */
const customerId = /^[a-z0-9][a-z0-9_.-]{0,63}$/;

/** In this order: whom it is about, so that nobody learns who there is, then whether an operator must ask. */
function mayAsk({ manager, id, params }: Asked, { who }: ManagedRoute): Refused | undefined {
  if (params.id !== undefined && params.id === "me" && manager.kind === "operator") return isNone;
  if (params.id !== undefined && !customerId.test(id)) return noCustomer;
  if (manager.kind === "operator") return undefined;
  if (params.id !== undefined && id !== manager.customer.id) return noCustomer;
  return who === "operator" ? forOperators : undefined;
}

/** One that is misspelled would be passed over: `chekc=true` would not check. */
function strangeIn({ query }: Asked, { query: known = [] }: ManagedRoute): Refused | undefined {
  if (known === "any") return undefined;
  const strange = [...new Set(query.keys())].filter((name) => !known.includes(name) || query.getAll(name).length > 1);
  if (strange.length === 0) return undefined;
  const errors = strange.map((name) => ({ path: shown(name), message: "is not known, or is there twice" }));
  return refused(400, "the query has faults: see errors", { code: "message-malformed", errors });
}

const isNone = refused(404, "an operator is no customer: ask for one by its id, or with a token of its API key");

function objectOf(request: FastifyRequest): JsonObject {
  const body = bodyOf(request);
  if (body.kind === "form")
    throw new UnreadableBody(415, "the content type is not one that is read here: send application/json");
  if (body.kind === "none") return Object.create(null) as JsonObject;
  if (!isJsonObject(body.value)) throw new UnreadableBody(400, "the body is no JSON object");
  return body.value;
}
