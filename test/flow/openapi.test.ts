import diagnostics from "node:diagnostics_channel";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { z } from "zod";
import { documentedRoutes } from "../../src/api/documented.ts";
import { schemas } from "../../src/api/schemas.ts";
import { mint } from "../../src/auth/ephemeral.ts";
import { Application } from "../helpers/application.ts";
import {
  acmeApiSecret,
  customerSecret,
  freshToken,
  jwtSecret,
  type ManagedGateway,
  managementToken,
  operatorSecret,
  startManaged,
} from "../helpers/management.ts";
import { credential, RawClient } from "../helpers/raw-client.ts";

/** As /openapi.json says it. */
interface Operation {
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content: Content }>>;
}
type Content = Readonly<Record<string, { readonly schema: { readonly $ref: string } }>>;
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, z.core.JSONSchema.JSONSchema>> };
}

/** What fastify was told to answer, by whatever code. */
const registered = new Set<string>();
const collect = (message: unknown): void => {
  const { fastify } = message as { fastify: FastifyInstance };
  fastify.addHook("onRoute", ({ method, url }) => {
    for (const one of [method].flat()) registered.add(`${one} ${url.replace(/:(\w+)/g, "{$1}")}`);
  });
};

const callId = "openapi-ladder";
let upstream: WebSocketServer;
let gateway: ManagedGateway;
/** Without exchange and without upstream. */
let bare: ManagedGateway;
/** Where this address has failed too often. */
let throttled: ManagedGateway;
let page: RawClient;
let application: Application;
let document: Document;
/** Of alice. */
let access: string;

beforeAll(async () => {
  upstream = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(upstream, "listening");
  const upstreamUrl = `ws://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  diagnostics.subscribe("fastify.initialization", collect);
  application = await Application.start();
  application.answering = (asked, response) => {
    const { application_token: token } = asked;
    if (token === "good") return application.permit(asked, response);
    return application.say(response, token === "down" ? 500 : 401, { error: "unknown", error_description: "log in" });
  };
  gateway = await startManaged({ upstreamUrl, store: true, application });
  diagnostics.unsubscribe("fastify.initialization", collect);
  bare = await startManaged({ exchange: false });
  throttled = await startManaged({ failuresPerMinute: 3 });
  page = await RawClient.connect(gateway.gatewayUrl);
  await page.register("alice@acme.example", credential("alice@acme.example", { secret: "a-wrong-secret-at-all" }), {
    callId,
  });
  const { headers = {}, body = "" } = code(jwt());
  const url = gateway.gatewayUrl.replace("ws:", "http:");
  const answer = await fetch(`${url}/authenticate`, { method: "POST", headers, body });
  access = ((await answer.json()) as { access_token: string }).access_token;
  document = (await (await fetch(`${gateway.adminUrl}/openapi.json`)).json()) as Document;
});
afterAll(async () => {
  page?.close();
  await gateway?.close();
  await bare?.close();
  await throttled?.close();
  await application?.stop();
  upstream?.close();
});

interface Ask {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly query?: string;
  /** How often it is asked before. */
  readonly before?: number;
  /** Of the gateway that has nothing. */
  readonly bare?: true;
  /** Of the gateway that takes few failures. */
  readonly throttled?: true;
  /** In the place of the route's path, where that has names in it. */
  readonly path?: string;
}

/** `GET /path` → each documented status and what is asked to get it, in this order. */
type Case = readonly [route: string, status: number, what: string, ask: () => Ask];

const now = Math.floor(Date.now() / 1000);
const ours = (secret = customerSecret, user = "alice@acme.example") =>
  mint({ secret, user, ttl: 200, algorithm: "sha1", now });
const jwt = (secret = jwtSecret, changes: object = {}): string =>
  managementToken({ iss: "acme", sub: "alice@acme.example", iat: now, exp: now + 200, ...changes }, secret);
const json = (value: object): Ask => ({
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});
const form = (fields: Record<string, string>): Ask => ({
  headers: { "content-type": "application/x-www-form-urlencoded" },
  body: new URLSearchParams(fields).toString(),
});
const code = (token: string, client = "alice@acme"): Ask =>
  form({ grant_type: "authorization_code", code: token, client_id: client });
const opentok = (token: string): Ask => ({ headers: { "x-opentok-auth": token } });
const bearer = (token: string): Ask => ({ headers: { authorization: `Bearer ${token}` } });
const voxbone = (changes: Record<string, string> = {}, secret = customerSecret): Ask => {
  const { username, password: key } = ours(secret);
  const [expires = "", name = ""] = username.split(/:(.*)/);
  return { query: new URLSearchParams({ username: name, key, expires, ...changes }).toString() };
};
const asking = (token: string) => ({ appID: "acme", userID: "alice", application_token: token });
const evil: Ask = { headers: { origin: "https://evil.example" } };
const me = (changes: object = {}): string => freshToken("46000000", acmeApiSecret, changes);
const wrong = "another-secret-altogether";

/** What pages tell. */
const told = {
  events: { conferenceID: "c-1", event: "userJoined", userID: "alice", ago: 5, detail: { microphone: "headset" } },
  stats: { conferenceID: "c-1", userID: "alice", stats: [{ type: "inbound-rtp", id: "I", jitter: 0.01 }] },
};

/** What every route refuses. */
const everywhere: readonly Case[] = documentedRoutes.flatMap(({ method, path }): Case[] => {
  const route = `${method.toUpperCase()} ${path}`;
  return [
    [route, 415, "with Content-Encoding", () => ({ headers: { "content-encoding": "gzip" } })],
    [route, 431, "with 20 KB of header", () => ({ headers: { "x-long": "x".repeat(20_000) } })],
  ];
});

interface Good {
  /** In the order of the document, so that what is removed was added before. */
  readonly path?: string;
  readonly query?: string;
  readonly body?: object | string;
  readonly type?: string;
}

const initech = {
  id: "initech",
  domains: ["initech.example"],
  origins: ["https://stays.initech.example"],
  secrets: [{ id: "k0", secret: "the-secret-of-initech" }],
};
const noBody = {};
/** What each route of management takes. */
const good: Readonly<Record<string, Good>> = {
  "POST /v1/customers": { body: initech },
  "POST /v1/customers/import": { body: "id,domains\nhooli,hooli.example\n", type: "text/csv" },
  "PUT /v1/customers/{id}": { body: initech },
  "PATCH /v1/customers/{id}": { body: { maxTtl: 60 } },
  "POST /v1/customers/{id}/secrets": { body: { id: "k1", algorithm: "sha256" } },
  "POST /v1/customers/{id}/secrets/{secret}/promote": { path: "/secrets/k0/promote", body: noBody },
  "POST /v1/customers/{id}/secrets/{secret}/retire": { path: "/secrets/k0/retire", body: { graceSeconds: 60 } },
  "DELETE /v1/customers/{id}/secrets/{secret}": { path: "/secrets/k0" },
  "POST /v1/customers/{id}/keys": { body: { id: "j1", alg: "HS256", secret: "a-shared-secret-of-32-bytes-long" } },
  "DELETE /v1/customers/{id}/keys/{key}": { path: "/keys/j1" },
  "POST /v1/customers/{id}/api-keys": { body: { id: "a1" } },
  "DELETE /v1/customers/{id}/api-keys/{key}": { path: "/api-keys/a1" },
  "POST /v1/customers/{id}/origins": { body: { origin: "https://www.initech.example" } },
  "DELETE /v1/customers/{id}/origins": { query: "origin=https%3A%2F%2Fwww.initech.example" },
  "POST /v1/customers/{id}/call-from": { body: { address: "*@initech.example" } },
  "DELETE /v1/customers/{id}/call-from": { query: "address=*%40initech.example" },
  "POST /v1/customers/{id}/numbers": { body: { number: "+4930*" } },
  "DELETE /v1/customers/{id}/numbers": { query: "number=%2B4930*" },
  "POST /v1/customers/{id}/dial": { body: { number: "+4931*" } },
  "DELETE /v1/customers/{id}/dial": { query: "number=%2B4931*" },
  "POST /v1/customers/{id}/inbound": { body: { number: "+49301", user: "reception" } },
  "DELETE /v1/customers/{id}/inbound": { query: "number=%2B49301" },
  "POST /v1/customers/{id}/revocations": { body: { user: "mallory", until: 4_000_000_000 } },
  "DELETE /v1/customers/{id}/revocations": { query: "user=mallory" },
  "POST /v1/customers/{id}/suspend": { body: { calls: "finish" } },
  "POST /v1/customers/{id}/resume": { body: noBody },
};

const ops = (): Ask => bearer(freshToken("ops", operatorSecret, { ist: "account" }));

/** What every route of management refuses, and the one thing that it does. */
function managed(): Case[] {
  return documentedRoutes
    .filter(({ path }) => /^\/v1\/(customers|sessions|live-calls)/.test(path))
    .flatMap(({ method, path, answers }): Case[] => {
      const route = `${method.toUpperCase()} ${path}`;
      const { path: part, query, body, type = "application/json" } = good[route] ?? {};
      const own = path.replace("/v1/customers/{id}", "");
      const of = (customer: string): string =>
        path.includes("{id}") ? path.replace(/^.*$/, `/v1/customers/${customer}${part ?? own}`) : path;
      const sent = (ask: Ask, customer = "initech", content = body, more = {}): Ask => ({
        path: of(customer),
        ...(query !== undefined && { query }),
        ...(content !== undefined && { body: typeof content === "string" ? content : JSON.stringify(content) }),
        headers: { ...ask.headers, ...(content !== undefined && { "content-type": type }), ...more },
      });
      const big = path.endsWith("import") ? "{}\n".repeat(6_000_000) : { x: "x".repeat(70_000) };
      const lines = path.endsWith("import") ? { "content-type": "application/jsonl" } : {};
      // Those need somebody who is connected: test/flow/runtime.test.ts.
      const isLive = /\{(session|call)\}/.test(path);
      const isRight = (status: string): boolean => /^2/.test(status) && !isLive;
      const all: Case[] = [
        ...Object.keys(answers)
          .filter(isRight)
          .toSorted((a, b) => Number(b) - Number(a))
          .map((status): Case => [route, Number(status), "as it should be", () => sent(ops())]),
        [route, 400, "by no token", () => sent(bearer("x"))],
        [route, 401, "by nobody", () => sent({})],
        [route, 403, "by a wrong secret, OpenTok's way", () => sent(opentok(freshToken("46000000", wrong)))],
        [route, 403, "by a token that lives too long", () => sent(bearer(me({ exp: now + 900 })))],
        [route, 404, "for nobody", () => sent(ops(), "nobody")],
        [route, 409, "for one of the config", () => sent(ops(), "acme")],
        [route, 412, "for another state", () => sent(ops(), "initech", body, { "if-match": '"0"' })],
        [route, 413, "with too much", () => sent(ops(), "initech", big, lines)],
        [route, 422, "with what is not known", () => sent(ops(), "initech", { "not known": 1 }, lines)],
        [route, 429, "after too many failures", () => again(sent(bearer(freshToken("46000000", wrong))))],
      ];
      const wanted = all.filter(([, status]) => status in answers && !(status === 409 && !path.includes("{id}")));
      // 404, 412 and the like need somebody who is still there.
      return method === "delete" && own === ""
        ? [...wanted.filter(([, status]) => status >= 300), ...wanted.filter(([, status]) => status < 300)]
        : wanted;
    });
}

const cases: readonly Case[] = [
  ...everywhere,
  ["GET /livez", 200, "plainly", () => ({})],
  ["GET /livez", 403, "by a page", () => evil],
  ["GET /readyz", 200, "plainly", () => ({})],
  ["GET /readyz", 403, "by a page", () => evil],
  ["GET /readyz", 503, "without upstream", () => ({ bare: true })],
  ["GET /metrics", 200, "plainly", () => ({})],
  ["GET /metrics", 403, "by a page", () => evil],
  ["GET /openapi.json", 200, "plainly", () => ({})],
  ["GET /openapi.json", 403, "by a page", () => evil],
  ["GET /v1/inbound", 200, "for a number", () => ({ query: "source=127.0.0.9&number=%2B3225887000" })],
  ["GET /v1/inbound", 400, "without a number", () => ({ query: "source=127.0.0.9" })],
  ["GET /v1/inbound", 403, "from no trunk", () => ({ query: "source=127.0.0.77&number=%2B3225887000" })],
  ["GET /v1/inbound", 404, "for nobody's number", () => ({ query: "source=127.0.0.9&number=%2B1" })],
  ["GET /v1/ladder", 200, "for a call", () => ({ query: `callId=${callId}` })],
  ["GET /v1/ladder", 400, "for none", () => ({})],
  ["GET /v1/ladder", 403, "by a page", () => evil],
  ["GET /v1/ladder", 404, "for an unknown one", () => ({ query: "callId=nobody" })],
  ...managed(),
  ["GET /v1/calls", 200, "by an operator", () => ops()],
  ["GET /v1/calls", 400, "with what is not known", () => ({ ...ops(), query: "limit=0&nobody=1" })],
  ["GET /v1/calls", 401, "by nobody", () => ({})],
  ["GET /v1/calls", 403, "by a customer", () => bearer(me())],
  ["GET /v1/calls", 403, "by a wrong secret, OpenTok's way", () => opentok(freshToken("46000000", wrong))],
  ["GET /v1/calls", 429, "after too many failures", () => again(bearer(freshToken("46000000", wrong)))],
  ["GET /v1/calls", 503, "where calls are kept in no store", () => ({ ...ops(), bare: true })],
  ["GET /v1/quality", 200, "by an operator", () => ops()],
  ["GET /v1/quality", 400, "with what is not known", () => ({ ...ops(), query: "limit=0&nobody=1" })],
  ["GET /v1/quality", 401, "by nobody", () => ({})],
  ["GET /v1/quality", 403, "by a customer", () => bearer(me())],
  ["GET /v1/quality", 403, "by a wrong secret, OpenTok's way", () => opentok(freshToken("46000000", wrong))],
  ["GET /v1/quality", 429, "after too many failures", () => again(bearer(freshToken("46000000", wrong)))],
  ["GET /v1/quality", 503, "where calls are kept in no store", () => ({ ...ops(), bare: true })],
  ["GET /v1/audit", 200, "by an operator", () => ops()],
  ["GET /v1/audit", 400, "with what is not known", () => ({ ...ops(), query: "limit=0&nobody=1&since=then&before=x" })],
  ["GET /v1/audit", 401, "by nobody", () => ({})],
  ["GET /v1/audit", 403, "by a customer", () => bearer(me())],
  ["GET /v1/audit", 403, "by a wrong secret, OpenTok's way", () => opentok(freshToken("46000000", wrong))],
  ["GET /v1/audit", 429, "after too many failures", () => again(bearer(freshToken("46000000", wrong)))],
  ["GET /v1/audit", 503, "where there is no store", () => ({ ...ops(), bare: true })],
  ["GET /v1/customers/{id}", 200, "by X-OPENTOK-AUTH", () => ({ ...opentok(me()), path: "/v1/customers/me" })],
  ["GET /healthz", 200, "plainly", () => ({})],
  ["GET /.well-known/jwks.json", 200, "plainly", () => ({})],
  ["POST /v1/data-tokens", 200, "for whom the application knows", () => json(asking("good"))],
  ["POST /v1/data-tokens", 400, "for nothing", () => json({})],
  ["POST /v1/data-tokens", 401, "for nobody's appID", () => json({ ...asking("good"), appID: "nobody" })],
  ["POST /v1/data-tokens", 403, "for whom it does not know", () => json(asking("guess"))],
  ["POST /v1/data-tokens", 413, "with 20 KB", () => json(asking("x".repeat(20_000)))],
  ["POST /v1/data-tokens", 429, "after too many failures", () => again(json(asking("guess")))],
  ["POST /v1/data-tokens", 503, "where the application is down", () => json(asking("down"))],
  ["POST /v1/exchange", 200, "for a credential", () => json(ours())],
  ["POST /v1/exchange", 200, "for a direct one", () => json({ ...ours(), direct: true })],
  ["POST /v1/exchange", 200, "for a JWT", () => bearer(jwt())],
  ["POST /v1/exchange", 400, "for nothing", () => json({})],
  ["POST /v1/exchange", 401, "for a wrong secret", () => json(ours(wrong))],
  [
    "POST /v1/exchange",
    403,
    "by a foreign page",
    () => ({ headers: { ...json({}).headers, ...evil.headers }, body: JSON.stringify(ours()) }),
  ],
  ["POST /v1/exchange", 404, "without an exchange", () => ({ ...json(ours()), bare: true })],
  ["POST /v1/exchange", 413, "with 20 KB", () => json({ username: "x".repeat(20_000) })],
  ["POST /v1/exchange", 415, "with XML", () => ({ headers: { "content-type": "text/xml" }, body: "<x/>" })],
  ["GET /rest/authentication/createToken", 200, "for one user", () => voxbone()],
  ["GET /rest/authentication/createToken", 200, "as a script", () => voxbone({ jsonp: "page.take" })],
  ["GET /rest/authentication/createToken", 200, "as a script, refused", () => voxbone({ jsonp: "page.take" }, wrong)],
  ["GET /rest/authentication/createToken", 400, "without anything", () => ({})],
  ["GET /rest/authentication/createToken", 401, "for a wrong secret", () => voxbone({}, wrong)],
  ["GET /rest/authentication/createToken", 403, "by a foreign page", () => ({ ...voxbone(), ...evil })],
  ["GET /rest/authentication/createToken", 404, "without an exchange", () => ({ ...voxbone(), bare: true })],
  ["POST /authenticate", 200, "for a JWT", () => code(jwt())],
  ["POST /authenticate", 400, "without a form", () => json({})],
  ["POST /authenticate", 401, "for no token", () => code("x")],
  ["POST /authenticate", 422, "for another user", () => code(jwt(), "bob@acme")],
  ...(["events", "stats"] as const).flatMap((name): Case[] => {
    const route = `POST /v1/${name}`;
    const body = told[name];
    const sent = (value: object, ask: Ask = bearer(access)): Ask => ({
      ...{ ...json(value), headers: { ...json(value).headers, ...ask.headers } },
    });
    return [
      [route, 202, "for one", () => sent(body)],
      [
        route,
        202,
        "as text",
        () => ({ ...json({ ...body, data_token: access }), headers: { "content-type": "text/plain" } }),
      ],
      [route, 202, "for several", () => sent({ [name === "events" ? name : "reports"]: [body] })],
      [route, 400, "for nothing that is known", () => sent({ more: 1 })],
      [route, 401, "by nobody", () => sent(body, {})],
      [route, 403, "for another user", () => sent({ ...body, userID: "bob" })],
      [route, 413, "with 70 KB", () => sent({ more: "x".repeat(70_000) })],
      [route, 415, "as XML", () => ({ headers: { "content-type": "text/xml" }, body: "<x/>" })],
      [route, 429, "after too many failures", () => again(sent(body, bearer("a.b.c")))],
    ];
  }),
  ["POST /v1/exchange", 429, "after too many failures", () => again(json(ours(wrong)))],
  ["POST /authenticate", 503, "after too many failures", () => again(code(jwt(wrong)))],
  ["GET /rest/authentication/createToken", 429, "after too many failures", () => again(voxbone({}, wrong))],
];

/** More often than may fail. */
const again = (ask: Ask): Ask => ({ ...ask, before: 8, throttled: true });

const seen = new Set<string>();

function urlOf(route: string, ask: Ask): string {
  const name = route.split(" ")[1] ?? "";
  const { query, path = name } = ask;
  const { adminUrl, gatewayUrl } = ask.bare ? bare : ask.throttled ? throttled : gateway;
  const isPublic = documentedRoutes.find((one) => one.path === name)?.port === "public";
  return `${isPublic ? gatewayUrl.replace("ws:", "http:") : adminUrl}${path}${query ? `?${query}` : ""}`;
}

const sentAs = (type: string, body: string): unknown => {
  if (type === "application/json" || type === "text/plain") return JSON.parse(body) as unknown;
  return type === "text/csv" ? body : Object.fromEntries(new URLSearchParams(body));
};

const read = (type: string, text: string): unknown => {
  if (type.endsWith("json")) return JSON.parse(text) as unknown;
  return text;
};

/** What the document says of this, as a validator. */
function validator(content: Content | undefined, type: string): z.ZodType {
  const reference = content?.[type]?.schema.$ref ?? "";
  const schema = document.components.schemas[reference.replace("#/components/schemas/", "")];
  if (!schema) return expect.fail(`no schema for ${type} ${reference}`);
  return z.fromJSONSchema(schema);
}

describe("/openapi.json", () => {
  it("is a document whose references lead somewhere", () => {
    expect(document.openapi).toBe("3.1.1");
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(20);
    const named = references.map(([, name = ""]) => name);
    expect(named.filter((name) => !(name in document.components.schemas))).toEqual([]);
    expect(Object.keys(schemas).filter((name) => !named.includes(name))).toEqual([]);
  });

  it("has every route that answers, and no other", () => {
    const own = [...registered].filter((route) => !/^(HEAD|OPTIONS) /.test(route));
    const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations)
        .filter((name) => name !== "servers")
        .map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(documented.toSorted()).toEqual(own.toSorted());
  });
});

describe("a real answer is as the document says", () => {
  it.each(cases)("%s: %i, asked %s", async (route, status, _what, make) => {
    const ask = make();
    const [method = "", path = ""] = route.split(" ");
    const send = () => fetch(urlOf(route, ask), { method, headers: ask.headers ?? {}, body: ask.body ?? null });
    for (let time = 0; time < (ask.before ?? 0); time++) await send();
    const response = await send();
    const text = await response.text();
    expect(response.status, text).toBe(status);
    const type = response.headers.get("content-type") ?? "";
    const operation = document.paths[path]?.[method.toLowerCase()];
    const documented = documentedRoutes.find((one) => one.path === path && one.method === method.toLowerCase());
    const described = documented?.answers[response.status] ?? {};
    if (response.status === 204) {
      expect([described, text, type]).toEqual([{}, "", ""]);
      return;
    }
    expect(Object.keys(described)).toContain(type);
    const bare = type.split(";", 1)[0] ?? "";
    expect(validator(operation?.responses[response.status]?.content, bare).safeParse(read(bare, text))).toMatchObject({
      success: true,
    });
    if (response.status < 300 && operation?.requestBody && ask.body !== undefined && bare === "application/json") {
      const sent = ask.headers?.["content-type"] ?? "";
      const body = sentAs(sent, ask.body);
      expect(validator(operation?.requestBody?.content, sent).safeParse(body)).toMatchObject({ success: true });
    }
    seen.add(`${route} ${response.status} ${type}`);
  });

  it("twin: an answer with something else in it is not", () => {
    const schema = validator(document.paths["/v1/customers/{id}"]?.get?.responses[200]?.content, "application/json");
    expect(schema.safeParse({ id: "acme" }).success).toBe(false);
    const problem = validator(document.paths["/livez"]?.get?.responses[403]?.content, "application/problem+json");
    const right = { title: "Forbidden", status: 403, detail: "x" };
    expect(problem.safeParse(right).success).toBe(true);
    expect(problem.safeParse({ ...right, secret: 1 }).success).toBe(false);
    expect(problem.safeParse({ ...right, code: "nothing" }).success).toBe(false);
  });

  it("what a page's script is called with is PageData, and a refusal besides", async () => {
    const script = async (ask: Ask): Promise<Record<string, unknown>> => {
      const text = await (await fetch(urlOf("GET /rest/authentication/createToken", ask))).text();
      return JSON.parse(/^\/\*\*\/page\.take\((.*)\);$/.exec(text)?.[1] ?? "null") as Record<string, unknown>;
    };
    const { error, code: uttered, message, ...rest } = await script(voxbone({ jsonp: "page.take" }, wrong));
    expect([error, uttered, message]).toEqual([expect.any(String), expect.any(String), expect.any(String)]);
    expect(schemas.PageData.safeParse(rest)).toMatchObject({ success: true });
  });

  it("was seen for every status that can be had without a fault, a full state or a drain", () => {
    const documented = documentedRoutes.flatMap(({ method, path, answers }) =>
      Object.entries(answers).flatMap(([status, byType]) =>
        Object.keys(byType).map((type) => `${method.toUpperCase()} ${path} ${status} ${type}`),
      ),
    );
    const unseen = documented.filter((one) => !seen.has(one) && !/ 500 /.test(one));
    const rare =
      /^GET \/v1\/inbound 503|^[A-Z]+ \/v1\/(customers|sessions|live-calls)\S* 503|^POST \/v1\/customers(\/import)? 409|^POST \/v1\/(exchange|events|stats) 503|createToken 503/;
    expect(unseen.filter((one) => !rare.test(one))).toEqual([]);
  });
});
