import { type IncomingMessage, type RequestListener, type ServerResponse, STATUS_CODES } from "node:http";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { type Code, codes, type Refusal } from "../core/errors.ts";
import { headFault } from "../core/http.ts";
import { type Body, readBodies, UnreadableBody } from "./body.ts";

export interface HttpOptions {
  /** Bytes of a request's body. */
  readonly bodyLimit: number;
  /** Gets the error behind a 500, which the client is not told. */
  readonly onFault: (error: unknown) => void;
  /** What a 404 says: what is here instead. */
  readonly notFound: string;
  /** Asked before anything else: answers, and the request goes no further, or leaves the reply alone. */
  readonly gate?: (request: FastifyRequest, reply: FastifyReply) => void;
}

/**
 * Routes for one of the listeners: paths exactly as written, bodies by `bodyOf`, every refusal a problem (RFC 9457),
 * nothing stored or sniffed. It does not listen, log or believe a proxy: `listenerOf` gives it to a server.
 */
export function createHttp({ bodyLimit, onFault, notFound, gate }: HttpOptions): FastifyInstance {
  const app = Fastify({
    bodyLimit,
    logger: false,
    requestIdHeader: false,
    trustProxy: false,
    return503OnClosing: false,
    exposeHeadRoutes: true,
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false },
    frameworkErrors: ({ code }, _request, reply) => {
      if (code === "FST_ERR_MAX_PARAM_LENGTH") problem(reply, 404, notFound);
      else problem(reply, 400, "the path cannot be read", "message-malformed");
    },
  });
  readBodies(app);
  const allowed = new Allowed();
  app.addHook("onRoute", ({ url, method }) => allowed.add(url, method));
  app.addHook("onRequest", async (request, reply) => {
    plain(reply);
    const fault = headFault(request.raw);
    if (fault) return problem(reply.headers(fault.headers ?? {}), fault.status, fault.detail, fault.code);
    gate?.(request, reply);
    if (reply.sent) return reply;
    if (isIncomplete(request)) return problem(reply, 404, notFound);
    return request.is404 ? nowhere(reply, allowed.of(request.url), notFound) : undefined;
  });
  app.setErrorHandler((error, _request, reply) => fail(reply, error, onFault));
  return app;
}

/** For `createServer` or a server's "request" event. The caller closes the app after the server. */
export async function listenerOf(app: FastifyInstance): Promise<RequestListener> {
  await app.ready();
  return (request: IncomingMessage, response: ServerResponse) => app.routing(request, response);
}

/** RFC 9457 §3: title, status, code, detail. detail holds no secret and no text of an error. */
export function problem(
  reply: FastifyReply,
  status: number,
  detail: string,
  code?: Code,
  errors?: readonly FieldError[],
): FastifyReply {
  const body = {
    title: STATUS_CODES[status] ?? "Error",
    status,
    ...(code && { code }),
    detail,
    ...(errors && { errors }),
  };
  return answer(reply, status, "application/problem+json", body);
}

/** One of several that are told at once. path: as in `secrets[0].id`. */
export interface FieldError {
  /** Of a body that has several. */
  readonly line?: number;
  readonly path: string;
  readonly message: string;
}

/** A refusal with the status that its code has in HTTP. */
export const refusal = (reply: FastifyReply, { code, sentence }: Refusal): FastifyReply =>
  problem(reply, codes[code].http, sentence, code);

/** The type stands as given: fastify would add a charset to texts of JSON. */
export function answer(reply: FastifyReply, status: number, type: string, body: unknown): FastifyReply {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return plain(reply).code(status).header("content-type", type).send(Buffer.from(text));
}

export const json = (reply: FastifyReply, body: unknown): FastifyReply => answer(reply, 200, "application/json", body);

export const bodyOf = ({ body }: FastifyRequest): Body => (body as Body | undefined) ?? { kind: "none" };

/** A route may set another cache-control. */
function plain(reply: FastifyReply): FastifyReply {
  if (!reply.hasHeader("cache-control")) reply.header("cache-control", "no-store");
  return reply.header("x-content-type-options", "nosniff");
}

const unreadable: Readonly<Record<number, readonly [sentence: string, code: Code]>> = {
  400: ["the body ends early, is empty, or its length is wrong", "message-malformed"],
  413: ["the body is too big", "message-too-big"],
  415: [
    "the content type is not one that is read here: application/json and application/x-www-form-urlencoded are",
    "message-malformed",
  ],
};

function fail(reply: FastifyReply, error: unknown, onFault: (error: unknown) => void): FastifyReply {
  if (error instanceof UnreadableBody) return problem(reply, error.status, error.message, error.code);
  const status = unreadableStatus(error);
  const known = unreadable[status];
  if (known) return problem(reply, status, ...known);
  onFault(error);
  return problem(reply, 500, "the fault is in the log of this gateway");
}

/** fastify's own verdict on a body, or 0: a client that went away while it sent one is no fault of ours. */
function unreadableStatus(error: unknown): number {
  const { code, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: unknown };
  if (typeof code !== "string" || typeof statusCode !== "number") return 0;
  return code.startsWith("FST_ERR_CTP_") || code === "ECONNRESET" ? statusCode : 0;
}

/** find-my-way lets a parameter be empty: `/things/` for `/things/:id`. */
const isIncomplete = ({ params }: FastifyRequest): boolean =>
  Object.entries(params ?? {}).some(([name, value]) => value === "" && name !== "*");

/** Before the body is read. methods: those of the path; none: there is no such path. */
function nowhere(reply: FastifyReply, methods: readonly string[], notFound: string): FastifyReply {
  if (methods.length === 0) return problem(reply, 404, notFound);
  const list = methods.join(", ");
  const onlyRead = methods.every((method) => method === "GET" || method === "HEAD");
  return problem(reply.header("allow", list), 405, onlyRead ? "this can only be read" : `this path takes ${list}`);
}

/** Which methods a path takes. Parameters (`:id`) and a `*` at the end are the only patterns. */
class Allowed {
  readonly #routes: { readonly path: RegExp; readonly methods: readonly string[] }[] = [];

  add(url: string, method: string | readonly string[]): void {
    const escaped = url.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
    const path = new RegExp(`^${escaped.replace(/:[A-Za-z]+/g, "[^/]+").replace(/\*$/, ".*")}$`);
    this.#routes.push({ path, methods: [method].flat() });
  }

  of(url: string): string[] {
    const path = url.split("?", 1)[0] ?? "";
    const found = this.#routes.filter((route) => route.path.test(path)).flatMap((route) => route.methods);
    return [...new Set(found)].sort();
  }
}
