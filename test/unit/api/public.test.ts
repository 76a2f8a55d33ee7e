import { request as httpRequest, type Server } from "node:http";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, it } from "vitest";
import { json } from "../../../src/api/http.ts";
import type { Pages } from "../../../src/api/public.ts";
import { customer, identity } from "../../helpers/customers.ts";
import { credential, type ExchangeParts, type PublicServer, startPublic } from "../../helpers/exchange.ts";

const servers: PublicServer[] = [];
const start = async (parts?: ExchangeParts): Promise<PublicServer> => {
  const server = await startPublic(parts);
  servers.push(server);
  return server;
};

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const acmePage = "https://www.acme.example";
const listed = [
  customer({ origins: [acmePage] }),
  customer({ id: "globex", domains: ["globex.example"], origins: ["https://www.globex.example"] }),
];

const post = (server: PublicServer, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${server.url}/v1/exchange`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

const codeOf = async (response: Response): Promise<[number, string]> => [
  response.status,
  ((await response.json()) as { code: string }).code,
];

const tokenQuery = (server: PublicServer, name: string, more = ""): string => {
  const { username, password } = credential(server.context.clock, name);
  const expires = username.slice(0, username.indexOf(":"));
  return `/rest/authentication/createToken?username=${name}&key=${encodeURIComponent(password)}&expires=${expires}${more}`;
};

describe("POST /v1/exchange", () => {
  it("answers, and keeps nobody from asking anew", async () => {
    const server = await start();
    const response = await post(server, credential(server.context.clock));
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(Object.keys((await response.json()) as object).sort()).toEqual(
      ["iceServers", "password", "refreshAfter", "ttl", "uri", "uris", "username"].sort(),
    );
  });

  it("answers a token, its body empty or {direct}", async () => {
    const tokens = { "a.b.c": { kind: "proved", identity: identity() } } as const;
    const server = await start({ tokens });
    const ask = (init: RequestInit) => fetch(`${server.url}/v1/exchange`, { method: "POST", ...init });
    const authorization = "Bearer a.b.c";
    expect((await ask({ headers: { authorization } })).status).toBe(200);
    const typed = { authorization, "content-type": "application/json" };
    expect((await ask({ headers: typed, body: "" })).status).toBe(200);
    expect((await ask({ headers: typed, body: '{"direct":true}' })).status).toBe(200);
    expect(await codeOf(await ask({ headers: { authorization: "Bearer x.y.z" } }))).toEqual([
      401,
      "credential-rejected",
    ]);
    const both = JSON.stringify(credential(server.context.clock));
    expect(await codeOf(await ask({ headers: typed, body: both }))).toEqual([400, "message-malformed"]);
  });

  it("says of a 401 how to do better, of a 429 and 503 when to come again", async () => {
    let draining = false;
    const limits = { failuresPerMinute: 1, messagesPerSecond: 0 };
    const server = await start({ settings: { limits }, draining: () => draining });
    const wrong = { ...credential(server.context.clock), password: "wrong" };
    const first = await post(server, wrong);
    expect([first.status, first.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="postern"']);
    const second = await post(server, wrong);
    expect([second.status, second.headers.get("retry-after")]).toEqual([429, "60"]);
    expect(await codeOf(second)).toEqual([429, "rate-limited"]);
    draining = true;
    const third = await post(server, wrong);
    expect([third.status, third.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(await codeOf(third)).toEqual([503, "draining"]);
  });

  it.each([
    ["no JSON", "{", 400],
    ["a member twice", '{"username":"a","username":"b","password":"c"}', 400],
    ["a body that is too big", JSON.stringify({ username: "a".repeat(17_000), password: "b" }), 413],
  ])("refuses %s", async (_, body, status) => {
    const server = await start();
    const response = await post(server, body);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
  });

  it("refuses a form, and a method or path that there is not", async () => {
    const server = await start();
    const form = await fetch(`${server.url}/v1/exchange`, {
      method: "POST",
      body: new URLSearchParams({ username: "a" }),
    });
    expect([400, 415]).toContain(form.status);
    expect((await fetch(`${server.url}/v1/exchange`)).status).toBe(405);
    expect((await fetch(`${server.url}/v1/exchange/`)).status).toBe(404);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  it.each([
    ["/v1/exchange", 200],
    ["/v1/data-tokens", 401],
    ["/v1/events", 403],
    ["/v1/stats", 403],
  ])("refuses a header field that stands there twice: %s", async (path, once) => {
    const server = await start();
    const unknown = { appID: "nobody", userID: "alice", application_token: "x" };
    const body = JSON.stringify(once === 200 ? credential(server.context.clock) : unknown);
    const status = (headers: string[]): Promise<number> =>
      new Promise((resolve, reject) => {
        const all = [
          "content-type",
          "application/json",
          "content-length",
          String(body.length),
          "host",
          "x",
          ...headers,
        ];
        const asked = httpRequest(`${server.url}${path}`, { method: "POST", headers: all }, (response) => {
          response.resume().once("end", () => resolve(response.statusCode ?? 0));
        });
        asked.once("error", reject).end(body);
      });
    expect(await status(["origin", "https://a.example"])).toBe(once);
    expect(await status(["origin", "https://a.example", "origin", "https://b.example"])).toBe(400);
    expect(await status(["authorization", "Bearer a", "authorization", "Bearer b"])).toBe(400);
  });

  it("is told by its log line and metric, without anything secret", async () => {
    const server = await start();
    const { username, password } = credential(server.context.clock);
    const answer = (await (await post(server, { username, password })).json()) as {
      username: string;
      password: string;
    };
    await post(server, { username, password: "a-wrong-password" });
    expect(server.verdicts).toEqual([
      ["accepted", "acme"],
      ["credential-rejected", undefined],
    ]);
    const [accepted, refused] = server.log();
    const where = { address: "127.0.0.1", way: "exchange" };
    expect(accepted).toMatchObject({
      ...where,
      msg: "accepted",
      customer: "acme",
      user: "alice@acme.example",
      provedBy: "k1",
    });
    expect(refused).toMatchObject({ ...where, msg: "refused", code: "credential-rejected" });
    expect(refused).not.toHaveProperty("customer");
    const text = JSON.stringify(server.log());
    for (const secret of [password, "a-wrong-password", answer.password, answer.username.split(";")[1] ?? ""]) {
      expect(text).not.toContain(secret);
    }
  });

  it("is not there without exchange in the config, nor createToken; callstats' form is", async () => {
    const tokens = { "a.b.c": { kind: "proved", identity: identity() } } as const;
    const server = await start({ tokens, settings: { exchange: undefined } });
    const response = await post(server, credential(server.context.clock));
    expect([response.status, await response.text()]).toEqual([404, expect.stringContaining("exchange.secret")]);
    expect((await fetch(server.url + tokenQuery(server, "acme", "&jsonp=cb"))).status).toBe(404);
    const form = new URLSearchParams({ grant_type: "authorization_code", code: "a.b.c", client_id: "alice@acme" });
    expect((await fetch(`${server.url}/authenticate`, { method: "POST", body: form })).status).toBe(200);
  });
});

describe("CORS", () => {
  const preflight = async (server: PublicServer, origin: string, path = "/v1/exchange") => {
    const headers = { origin, "access-control-request-method": "POST" };
    return fetch(server.url + path, { method: "OPTIONS", headers });
  };

  it.each(["/v1/exchange", "/authenticate"])("grants a preflight of %s to who is listed anywhere", async (path) => {
    const server = await start({ customers: listed });
    const granted = await preflight(server, "https://www.globex.example", path);
    expect(granted.status).toBe(204);
    const headers = Object.fromEntries(granted.headers);
    expect(headers).toMatchObject({
      "access-control-allow-origin": "https://www.globex.example",
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": "authorization, content-type",
      "access-control-max-age": "600",
      vary: "Origin",
    });
    expect(headers).not.toHaveProperty("access-control-allow-credentials");
    const denied = await preflight(server, "https://evil.example", path);
    expect(denied.status).toBe(403);
    expect(denied.headers.has("access-control-allow-origin")).toBe(false);
  });

  it("lets the customer's page read what it is told, refusals too", async () => {
    const server = await start({ customers: listed });
    const good = credential(server.context.clock);
    const headers = { origin: acmePage };
    const granted = await post(server, good, headers);
    expect([granted.status, granted.headers.get("access-control-allow-origin")]).toEqual([200, acmePage]);
    expect(granted.headers.get("access-control-expose-headers")).toBe("retry-after");
    for (const body of [{ ...good, password: "x" }, "{", { ...good, more: 1 }]) {
      const refused = await post(server, body, headers);
      expect(refused.status).toBeGreaterThanOrEqual(400);
      expect(refused.headers.get("access-control-allow-origin")).toBe(acmePage);
    }
  });

  it("lets no other customer's page read the answer to a proof", async () => {
    const server = await start({ customers: listed });
    const origin = "https://www.globex.example";
    const denied = await post(server, credential(server.context.clock), { origin });
    expect(denied.headers.has("access-control-allow-origin")).toBe(false);
    expect(await codeOf(denied)).toEqual([403, "origin-denied"]);
    server.context.clock.ms += 1000;
    const late = await post(server, credential(server.context.clock, undefined, { ttl: 9999 }), { origin });
    expect(late.headers.has("access-control-allow-origin")).toBe(false);
    expect(await codeOf(late)).toEqual([403, "credential-ttl"]);
  });

  it("is not for who is no page", async () => {
    const server = await start({ customers: listed });
    const response = await post(server, credential(server.context.clock));
    expect([response.status, response.headers.get("vary")]).toEqual([200, "Origin"]);
    expect(response.headers.has("access-control-allow-origin")).toBe(false);
  });
});

describe("GET /rest/authentication/createToken", () => {
  it("answers a script, and the function is called with what the page needs", async () => {
    const server = await start();
    const query = tokenQuery(server, "acme", "&jsonp=voxbone.WebRTC.processAuthData&_=1700000000000");
    const response = await fetch(server.url + query);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/javascript; charset=utf-8");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    const called: { username?: string }[] = [];
    const processAuthData = (data: { username?: string }) => called.push(data);
    runInNewContext(await response.text(), { voxbone: { WebRTC: { processAuthData } } });
    expect(called[0]?.username).toMatch(/^\d+:acme@acme\.example;/);
    expect(server.log()[0]).toMatchObject({ way: "voxbone", customer: "acme", code: "accepted" });
  });

  it("answers JSON where no function is named", async () => {
    const server = await start();
    const response = await fetch(server.url + tokenQuery(server, "alice@acme.example"));
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
    const wrong = await fetch(`${server.url}/rest/authentication/createToken?username=acme&key=x&expires=17`);
    expect(await codeOf(wrong)).toEqual([401, "credential-rejected"]);
  });

  it("reads the whole query, a question mark in it too", async () => {
    const server = await start();
    const twice = await fetch(server.url + tokenQuery(server, "acme", "&_=1?2&jsonp=a&jsonp=b"));
    expect(await codeOf(twice)).toEqual([400, "message-malformed"]);
    const once = await fetch(server.url + tokenQuery(server, "acme", "&_=1?2&jsonp=a"));
    expect(await once.text()).toMatch(/^\/\*\*\/a\(/);
  });

  it("calls the function with a refusal as well, for a script has no status", async () => {
    const server = await start();
    const query = "/rest/authentication/createToken?username=acme&key=x&expires=17&jsonp=cb";
    const response = await fetch(server.url + query);
    const called: unknown[] = [];
    runInNewContext(await response.text(), { cb: (data: unknown) => called.push(data) });
    expect([response.status, called[0]]).toMatchObject([200, { code: "credential-rejected" }]);
    expect((await fetch(server.url + query, { method: "HEAD" })).status).toBe(405);
  });

  it("knows a script's page by Referer", async () => {
    const server = await start({ customers: listed });
    const ask = async (headers: Record<string, string>) => {
      const response = await fetch(server.url + tokenQuery(server, "acme"), { headers });
      return response.status;
    };
    expect(await ask({ referer: `${acmePage}/call.html` })).toBe(200);
    expect(await ask({ referer: "https://evil.example/" })).toBe(403);
    expect(await ask({ referer: `${acmePage}/`, origin: "https://evil.example" })).toBe(403);
    expect(await ask({})).toBe(200);
  });
});

describe("POST /authenticate", () => {
  const tokens = { "a.b.c": { kind: "proved", identity: identity() } } as const;
  const form = (changes = {}) =>
    new URLSearchParams({ grant_type: "authorization_code", code: "a.b.c", client_id: "alice@acme", ...changes });

  it("answers in callstats' form", async () => {
    const server = await start({ tokens });
    const response = await fetch(`${server.url}/authenticate`, { method: "POST", body: form() });
    expect(await response.json()).toEqual({ access_token: expect.any(String), token_type: "bearer", expires_in: 3600 });
    expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
  });

  it("refuses in callstats' form, whatever is wrong", async () => {
    const server = await start({ tokens });
    const ask = async (body: string | URLSearchParams, headers?: Record<string, string>) => {
      const response = await fetch(`${server.url}/authenticate`, { method: "POST", body, ...(headers && { headers }) });
      return [response.status, ((await response.json()) as { error: string }).error];
    };
    expect(await ask(form({ code: "nonsense" }))).toEqual([401, "INVALID_TOKEN"]);
    expect(await ask(form({ client_id: "bob@acme" }))).toEqual([422, "USERID_MISMATCH"]);
    expect(await ask(form({ code: "x".repeat(17_000) }))).toEqual([400, "PROTOCOL_ERROR"]);
    expect(await ask("{}", { "content-type": "application/json" })).toEqual([400, "PROTOCOL_ERROR"]);
    expect(await ask("x", { "content-type": "text/plain" })).toEqual([400, "PROTOCOL_ERROR"]);
    expect(await ask("", { "content-type": "application/x-www-form-urlencoded" })).toEqual([400, "PROTOCOL_ERROR"]);
    expect(await ask(`${form()}&code=b`, { "content-type": "application/x-www-form-urlencoded" })).toEqual([
      400,
      "PROTOCOL_ERROR",
    ]);
  });

  it("tells a fault of ours in that form too, and its cause to the log alone", async () => {
    const server = await start({
      tokens: {
        get "a.b.c"(): never {
          throw new Error("the cause");
        },
      },
    });
    const response = await fetch(`${server.url}/authenticate`, { method: "POST", body: form() });
    const text = await response.text();
    expect([response.status, text]).toEqual([500, expect.stringContaining("INTERNAL_ERROR")]);
    expect(text).not.toContain("the cause");
    expect(JSON.stringify(server.log())).toContain("the cause");
  });
});

describe("pages beside the gateway's own routes", () => {
  it("are held to the same rules, and know the server that browsers connect to", async () => {
    const reached: Server[] = [];
    const pages: Pages = {
      routes: (app) => void app.get("/demo/", (_request, reply) => json(reply, { shown: true })),
      reach: (server) => void reached.push(server),
    };
    const server = await start({ pages });
    const response = await fetch(`${server.url}/demo/`);
    expect([response.status, await response.json()]).toEqual([200, { shown: true }]);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect((await fetch(`${server.url}/demo/`, { method: "POST" })).status).toBe(405);
    expect((await fetch(`${server.url}/demo/other`)).status).toBe(404);
    expect(reached.map((one) => one.listening)).toEqual([true]);
  });

  it("are not there where none are given", async () => {
    const server = await start();
    for (const path of ["/demo", "/demo/", "/demo/index.html"]) {
      expect((await fetch(`${server.url}${path}`)).status, path).toBe(404);
    }
  });
});

describe("GET /.well-known/jwks.json", () => {
  it("has the public keys of what the gateway signs, to be kept for five minutes, and nothing private", async () => {
    const server = await start();
    const answered = await fetch(`${server.url}/.well-known/jwks.json`);
    expect(answered.status).toBe(200);
    expect(answered.headers.get("content-type")).toBe("application/jwk-set+json");
    expect(answered.headers.get("cache-control")).toBe("public, max-age=300");
    const { keys } = (await answered.json()) as { keys: object[] };
    expect(keys.length).toBe(1);
    expect(Object.keys(keys[0]!).toSorted()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"]);
  });
});
