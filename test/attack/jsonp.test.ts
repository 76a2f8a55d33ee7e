import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { globexSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { credential } from "../helpers/raw-client.ts";
import { signToken } from "../helpers/tokens.ts";

const acmePage = "https://www.acme.example";
const globexPage = "https://www.globex.example";
const exchangeSecret = "the-exchange-secret-of-the-tests";

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGateway({
    upstreamUrls: ["ws://127.0.0.1:9"],
    acme: `\
    origins: ["${acmePage}", "https://*.shop.acme.example"]
    keys: [{ id: j1, alg: HS256, secret: a-key-of-acme-for-tokens-in-tests }]
`,
    globex: `    origins: ["${globexPage}"]\n`,
    gateway: "  limits: { failuresPerMinute: 0, messagesPerSecond: 0 }\n",
    more: `exchange: { secret: "${exchangeSecret}" }`,
  });
});

afterAll(() => gateway?.close());

const http = (path: string): string => gateway.gatewayUrl.replace(/^ws/, "http") + path;

/** As a page's script element asks; more: written into the query as it is. */
function ask(more = "", headers: Record<string, string> = {}, { name = "acme", secret = "" } = {}): Promise<Response> {
  const { username, password } = credential(name, secret ? { secret } : {});
  const expires = username.slice(0, username.indexOf(":"));
  const query = new URLSearchParams({ username: name, key: password, expires });
  return fetch(http(`/rest/authentication/createToken?${query}${more}`), { headers });
}

/** What a page that includes this script gets called with. */
function run(script: string, callback = "cb"): Record<string, unknown>[] {
  const called: Record<string, unknown>[] = [];
  runInNewContext(script, { [callback]: (data: Record<string, unknown>) => called.push(data) });
  return called;
}

describe("a hostile callback", () => {
  it.each([
    ["a call", "alert(document.cookie)"],
    ["a statement", "x;alert(1)//"],
    ["markup", "<script>alert(1)</script>"],
    ["a comment's end", "*/alert(1)/*"],
    ["a line separator", "a\u2028alert(1)"],
    ["a line break", "a\r\nX-Injected: 1\r\n\r\n<html>"],
    ["a string's end", "a['b']"],
    ["a template", "a`b`"],
    ["a Unicode letter", "ａlert"],
    ["an escape", "\\u0061lert"],
    ["a word of the language", "delete"],
    ["a constructor", "a.constructor.constructor"],
    ["a click elsewhere", "window.opener.document.body.firstElementChild.click"],
    ["a program for another player", `CWS${"A".repeat(80)}`],
    ["nothing", ""],
  ])("is refused as no script and never said back: %s", async (_, callback) => {
    const response = await ask(`&jsonp=${encodeURIComponent(callback)}`);
    const text = await response.text();
    expect([response.status, response.headers.get("content-type")]).toEqual([400, "application/problem+json"]);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.has("x-injected")).toBe(false);
    if (callback !== "") expect(text).not.toContain(callback);
  });

  it.each(["&jsonp=cb&jsonp=alert", "&jsonp=alert(1)&jsonp=cb", "&jsonp=cb&%6Asonp=evil", "&jsonp=cb&username=globex"])(
    "is not smuggled in by a parameter that stands there twice: %s",
    async (more) => {
      const response = await ask(more);
      expect([response.status, response.headers.get("content-type")]).toEqual([400, "application/problem+json"]);
    },
  );

  it("twin: a function's name is called, once, with data", async () => {
    const response = await ask("&jsonp=cb");
    expect(response.headers.get("content-type")).toBe("application/javascript; charset=utf-8");
    const [data, ...more] = run(await response.text());
    expect([data?.wss, more]).toEqual([gateway.gatewayUrl, []]);
  });
});

describe("a script that is to be taken for something else", () => {
  it.each([
    ["accepted", {}],
    ["refused", { secret: "no-secret-of-anybody-in-tests" }],
  ])("begins as a comment, says its type, and holds no markup: %s", async (_, options) => {
    const response = await ask("&jsonp=cb", {}, options);
    const text = await response.text();
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(text).toMatch(/^\/\*\*\/cb\(\{[\x20-\x7e]*\}\);$/);
    expect(text).not.toMatch(/[<>]/);
  });

  it("holds nothing of what was asked", async () => {
    const name = "</script><img src=x onerror=alert(1)>";
    const query = new URLSearchParams({ username: name, key: name, expires: "17", jsonp: "cb" });
    const text = await (await fetch(http(`/rest/authentication/createToken?${query}`))).text();
    expect(text).not.toContain("onerror");
    expect(run(text)[0]).toMatchObject({ code: "credential-malformed" });
  });
});

describe("another page with the key of a customer's page", () => {
  it.each([
    ["its Origin", { origin: "https://evil.example" }],
    ["its Referer", { referer: "https://evil.example/copy.html" }],
    ["another customer's Origin", { origin: globexPage }],
    ["a host that only begins so", { referer: `${acmePage}.evil.example/` }],
    ["a host that only ends so", { referer: "https://evilshop.acme.example/" }],
    ["the name in its path", { referer: `https://evil.example/${acmePage}/` }],
    ["the name as its user", { referer: "https://www.acme.example@evil.example/" }],
    ["plain http", { referer: "http://www.acme.example/" }],
    ["an opaque Origin", { origin: "null" }],
    ["an opaque Origin, and a good Referer", { origin: "null", referer: `${acmePage}/` }],
    ["two origins", { origin: `${acmePage}, https://evil.example` }],
    ["no Referer, though it is a browser", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }],
  ])("gets nothing: %s", async (_, headers: Record<string, string>) => {
    const script = await ask("&jsonp=cb", headers);
    expect(run(await script.text())[0]).toMatchObject({ code: "origin-denied", password: "" });
    const plain = await ask("", headers);
    expect(plain.status).toBe(403);
    expect(plain.headers.has("access-control-allow-origin")).toBe(false);
  });

  it.each([
    ["its Origin", { origin: acmePage }],
    ["its Referer", { referer: `${acmePage}/a/b.html?c=d` }],
    ["a listed subdomain", { referer: "https://a.b.shop.acme.example/" }],
    ["no page at all", {}],
  ])("twin: the customer's own does: %s", async (_, headers) => {
    const response = await ask("&jsonp=cb", headers);
    expect(run(await response.text())[0]).not.toHaveProperty("code");
  });
});

describe("CORS", () => {
  const preflight = (path: string, origin: string): Promise<Response> =>
    fetch(http(path), { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });

  it.each(["/v1/exchange", "/authenticate"])(
    "%s opens for listed pages only, and never with credentials",
    async (path) => {
      for (const origin of [
        "https://evil.example",
        "null",
        `${acmePage}.evil.example`,
        `${acmePage}:444`,
        "http://www.acme.example",
      ]) {
        const denied = await preflight(path, origin);
        expect([denied.status, denied.headers.get("access-control-allow-origin")], origin).toEqual([403, null]);
      }
      const granted = await preflight(path, acmePage);
      expect([granted.status, granted.headers.get("access-control-allow-origin")]).toEqual([204, acmePage]);
      expect(granted.headers.get("vary")).toBe("Origin");
      expect(granted.headers.has("access-control-allow-credentials")).toBe(false);
    },
  );

  it("is not opened by another customer's page that has a good credential", async () => {
    const post = (origin: string, given: unknown) =>
      fetch(http("/v1/exchange"), {
        method: "POST",
        headers: { origin, "content-type": "application/json" },
        body: JSON.stringify(given),
      });
    const given = credential("bob@globex.example", { secret: globexSecret });
    const foreign = await post(acmePage, given);
    expect([foreign.status, foreign.headers.get("access-control-allow-origin")]).toEqual([403, null]);
    const own = await post(globexPage, given);
    expect([own.status, own.headers.get("access-control-allow-origin")]).toEqual([200, globexPage]);
  });
});

describe("a cookie", () => {
  it("is no credential over HTTP, from whichever page: no page asks in a visitor's name", async () => {
    const token = await signToken(
      { alg: "HS256", kid: "j1" },
      { sub: "alice@acme.example", exp: Math.floor(Date.now() / 1000) + 60 },
      "a-key-of-acme-for-tokens-in-tests",
    );
    for (const origin of [acmePage, "https://evil.example"]) {
      const headers = { origin, cookie: `postern_token=${token}`, "content-type": "application/json" };
      const posted = await fetch(http("/v1/exchange"), { method: "POST", headers, body: "{}" });
      expect([400, 401, 403]).toContain(posted.status);
      const script = await fetch(http("/rest/authentication/createToken?jsonp=cb"), { headers });
      expect(run(await script.text())[0]).toMatchObject({ password: "" });
    }
    const headers = { origin: acmePage, authorization: `Bearer ${token}` };
    expect((await fetch(http("/v1/exchange"), { method: "POST", headers })).status).toBe(200);
  });
});

describe("who is a customer", () => {
  interface Told {
    readonly status: number;
    readonly headers: readonly (readonly [string, string])[];
    readonly body: string;
  }

  const told = async (asked: Promise<Response>): Promise<Told> => {
    const response = await asked;
    const headers = [...response.headers].filter(([name]) => name !== "date").sort();
    return { status: response.status, headers, body: await response.text() };
  };

  const wrong = "a-secret-that-nobody-has-in-tests";
  const post = (path: string, body: string, type: string): Promise<Told> =>
    told(fetch(http(path), { method: "POST", headers: { "content-type": type }, body }));

  it("is not told by POST /v1/exchange", async () => {
    const ask = (user: string): Promise<Told> =>
      post("/v1/exchange", JSON.stringify(credential(user, { secret: wrong })), "application/json");
    const known = await ask("alice@acme.example");
    expect(known.status).toBe(401);
    for (const user of ["alice@globex.example", "alice@nobody.example", "bob@acme.example"]) {
      expect(await ask(user)).toEqual(known);
    }
  });

  it.each(["", "&jsonp=cb"])("is not told by createToken%s", async (more) => {
    const known = await told(ask(more, {}, { secret: wrong }));
    for (const name of ["globex", "nobody", "alice@acme.example", "alice@nobody.example"]) {
      expect(await told(ask(more, {}, { name, secret: wrong }))).toEqual(known);
    }
  });

  it("is not told by /authenticate, whatever client_id says", async () => {
    const jwt = (claims: unknown): string =>
      [{ alg: "HS256" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".") +
      ".c2ln";
    const ask = (appID: string, client: string): Promise<Told> => {
      const code = jwt({ appID, userID: "alice", exp: Math.floor(Date.now() / 1000) + 60 });
      const form = new URLSearchParams({ grant_type: "authorization_code", code, client_id: client });
      return post("/authenticate", form.toString(), "application/x-www-form-urlencoded");
    };
    const known = await ask("acme", "alice@acme");
    expect([known.status, JSON.parse(known.body)]).toMatchObject([401, { error: "INVALID_TOKEN" }]);
    for (const [app, client] of [
      ["nobody", "alice@nobody"],
      ["acme", "alice@nobody"],
      ["globex", "bob@acme"],
    ] as const) {
      expect(await ask(app, client)).toEqual(known);
    }
  });
});
