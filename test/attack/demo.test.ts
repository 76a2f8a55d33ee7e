import { request as httpRequest } from "node:http";
import { createConnection } from "node:net";
import { text } from "node:stream/consumers";
import { fastify } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { Asset } from "../../scripts/demo/assets.ts";
import { hostsOf } from "../../scripts/demo/guard.ts";
import { Inspector } from "../../scripts/demo/inspector.ts";
import { Minter } from "../../scripts/demo/minter.ts";
import { DemoPages } from "../../scripts/demo/pages.ts";
import type { Clock } from "../../src/core/clock.ts";
import { ConfigFolder } from "../helpers/config-file.ts";
import { acmeSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { freePort } from "../helpers/ports.ts";
import { credential, RawClient, status } from "../helpers/raw-client.ts";

const clock: Clock = { now: () => Date.now() };
const nobody = ["ws://127.0.0.1:9"];
const evil = "http://www.mallory.example";

let gateway: TestGateway;
let served: TestGateway;
let port: number;
let pages: DemoPages;

/** Stands for the page: what it is made of is not what is attacked. */
const assets: ReadonlyMap<string, Asset> = new Map([["", { type: "text/html", body: Buffer.from("<!doctype html>") }]]);

beforeAll(async () => {
  port = await freePort();
  const folder = new ConfigFolder();
  const config = folder.config(`\
upstream: { urls: ["ws://127.0.0.1:9"] }
chain: { secret: the-chain-secret-of-the-tests }
customers: [{ id: acme, domains: [acme.example], secrets: [{ id: k1, secret: ${acmeSecret} }] }]
`);
  folder.remove();
  const minter = new Minter({ secret: acmeSecret, jwtSecret: "another-secret-of-acme-in-tests-0", keyId: "k2" });
  const inspector = new Inspector(config, clock);
  pages = new DemoPages({ port, assets, servlets: [], minter, inspector, clock });
  const acme = `    origins: [${hostsOf(port).map((host) => `"http://${host}"`)}]\n`;
  const globex = '    origins: ["https://www.globex.example"]\n';
  gateway = await startGateway({ upstreamUrls: nobody, listen: `ws://127.0.0.1:${port}`, acme, globex, pages });
  served = await startGateway({ upstreamUrls: nobody });
});

afterAll(async () => {
  pages?.close();
  await gateway?.close();
  await served?.close();
});

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** As it is written: fetch would mend paths and say its own Host. */
function ask(path: string, { method = "GET", headers = {}, body }: Asked = {}, to = port): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const own = { host: `localhost:${to}`, ...(body === undefined ? {} : { "content-type": "application/json" }) };
    const asked = httpRequest({ host: "127.0.0.1", port: to, path, method, headers: { ...own, ...headers } });
    asked.on("error", reject);
    asked.on("response", (response) => {
      text(response).then(
        (all) => resolve({ status: response.statusCode!, headers: response.headers, body: all }),
        reject,
      );
    });
    asked.end(body);
  });
}

interface Visit {
  readonly key: string;
  readonly line: string;
  readonly user: string;
  readonly url: string;
}

const open = async (): Promise<Visit> => {
  const answered = await ask("/demo/visit", { method: "POST", body: "{}" });
  expect(answered.status).toBe(200);
  return JSON.parse(answered.body) as Visit;
};

describe("postern serve", () => {
  it.each([
    ["GET", "/demo"],
    ["GET", "/demo/"],
    ["GET", "/demo/app.js"],
    ["GET", "/demo/ladder"],
    ["GET", "/demo/credential?line=x"],
    ["POST", "/demo/visit"],
    ["POST", "/demo/inspect"],
    ["POST", "/demo/sample"],
  ])("knows no %s %s", async (method, path) => {
    const to = Number(new URL(served.gatewayUrl).port);
    const body = method === "POST" ? { body: "{}" } : {};
    expect((await ask(path, { method, ...body }, to)).status).toBe(404);
  });

  it("is what does not: the demo has them", async () => {
    expect((await ask("/demo/")).status).toBe(200);
    expect((await ask("/demo")).headers.location).toBe("/demo/");
  });
});

describe("a path that would leave the page's folder", () => {
  it.each([
    "/demo/../package.json",
    "/demo/..%2fpackage.json",
    "/demo/%2e%2e/%2e%2e/package.json",
    "/demo/..\\..\\package.json",
    "/demo/....//package.json",
    "/demo//etc/passwd",
    "/demo/%00",
    "/demo/index.html%00.js",
    "/demo/pages.ts",
    "/demo/tsconfig.json",
    "/demo/acme.secret",
  ])("%s is no path", async (path) => {
    const answered = await ask(path);
    expect([400, 404]).toContain(answered.status);
    expect(answered.body).not.toMatch(/"name"|root:/);
  });
});

describe("another page in the same browser", () => {
  const crossSite = [
    { origin: evil },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { origin: "null" },
  ];
  const routes = [
    ["POST", "/demo/visit", "{}"],
    ["POST", "/demo/inspect", '{"token":"a.b.c"}'],
    ["POST", "/demo/sample", '{"kind":"good"}'],
    ["GET", "/demo/servlets", undefined],
    ["GET", "/demo/ladder", undefined],
    ["GET", "/demo/ladder.txt", undefined],
    ["GET", "/demo/ladder.pcap", undefined],
    ["DELETE", "/demo/ladder", undefined],
  ] as const;

  it.each(routes)("is refused %s %s, and may read no answer", async (method, path, body) => {
    const { key } = await open();
    for (const headers of crossSite) {
      const answered = await ask(path, { method, headers: { ...headers, "x-demo-key": key }, ...(body && { body }) });
      expect(answered.status).toBe(403);
      expect(answered.headers["access-control-allow-origin"]).toBeUndefined();
    }
  });

  it("is refused a credential, though it knew the line", async () => {
    const { line } = await open();
    const path = `/demo/credential?line=${line}`;
    expect((await ask(path, { headers: { origin: evil } })).status).toBe(403);
    expect((await ask(path, { headers: { "sec-fetch-site": "cross-site" } })).status).toBe(403);
    expect((await ask(path, { headers: { "sec-fetch-site": "same-origin" } })).status).toBe(200);
  });

  it("is refused the preflight that the key's header needs", async () => {
    const headers = {
      origin: evil,
      "access-control-request-method": "GET",
      "access-control-request-headers": "x-demo-key",
    };
    const answered = await ask("/demo/ladder", { method: "OPTIONS", headers });
    expect(answered.status).toBeGreaterThanOrEqual(400);
    expect(answered.headers["access-control-allow-headers"]).toBeUndefined();
  });

  it("is not let on the WebSocket", async () => {
    const { url } = await open();
    const closed = await new Promise<number>((resolve, reject) => {
      const socket = new WebSocket(url, "sip", { origin: evil });
      socket.on("close", resolve).on("error", reject);
    });
    expect(closed).toBe(4403);
  });

  it("has the page in no frame, and includes nothing of it", async () => {
    const { headers } = await ask("/demo/");
    const policy = String(headers["content-security-policy"]);
    expect(policy).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    expect(policy).not.toMatch(/unsafe|\*|data:|https?:/);
    expect(headers["cross-origin-resource-policy"]).toBe("same-origin");
    expect(headers["cross-origin-opener-policy"]).toBe("same-origin");
    expect(headers["referrer-policy"]).toBe("no-referrer");
  });
});

describe("a name that was made to lead here (DNS rebinding)", () => {
  it.each([
    "www.mallory.example",
    "localhost",
    "localhost:1",
    "localhost.mallory.example",
    "127.0.0.1.mallory.example",
  ])("%s is refused everything", async (host) => {
    for (const path of ["/demo/", "/demo/servlets", "/demo/credential?line=x"]) {
      expect((await ask(path, { headers: { host } })).status).toBe(403);
    }
    expect((await ask("/demo/visit", { method: "POST", body: "{}", headers: { host } })).status).toBe(403);
  });

  it("does not help another machine", async () => {
    const app = fastify();
    pages.routes(app);
    const statuses = ["192.0.2.7", "::ffff:192.0.2.7", "::ffff:127.0.0.1"].map(async (remoteAddress) => {
      const asked = { url: "/demo/", headers: { host: `localhost:${port}` }, remoteAddress };
      return (await app.inject(asked)).statusCode;
    });
    expect(await Promise.all(statuses)).toEqual([403, 403, 200]);
    await app.close();
  });

  it.each(["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])("%s is this machine", async (name) => {
    expect((await ask("/demo/", { headers: { host: `${name}:${port}` } })).status).toBe(200);
  });
});

describe("a ladder", () => {
  it("is read by its key, which is guessed by nobody, and not by the line of the sockets", async () => {
    const { key, line } = await open();
    for (const wrong of ["", "x", line, `${key.slice(0, -1)}${key.endsWith("A") ? "B" : "A"}`, `${key} `.repeat(2)]) {
      expect((await ask("/demo/ladder.txt", { headers: { "x-demo-key": wrong } })).status).toBe(403);
      expect((await ask("/demo/ladder", { headers: { "x-demo-key": wrong } })).status).toBe(403);
    }
    expect((await ask(`/demo/ladder.txt?key=${key}`)).status).toBe(403);
    expect((await ask("/demo/ladder.txt", { headers: { "x-demo-key": key } })).status).toBe(200);
  });

  it("shows what passed on the page's own socket, masked, and nothing of another page's", async () => {
    const [mine, other] = [await open(), await open()];
    const origin = `http://localhost:${port}`;
    const client = await RawClient.connect(gateway.gatewayUrl, { origin, path: `/?line=${mine.line}` });
    const given = credential(`${mine.user}@acme.example`, { secret: "a-secret-that-is-not-acmes", ttl: 300 });
    expect(status(await client.register(`${mine.user}@acme.example`, given))).toBe(403);
    const ladderOf = async ({ key }: Visit): Promise<string> =>
      (await ask("/demo/ladder.txt", { headers: { "x-demo-key": key } })).body;
    const told = await ladderOf(mine);
    expect(told).toContain("REGISTER sip:acme.example");
    expect(told).toContain("credential-rejected");
    expect(told).toContain("Authorization: ***");
    expect(told).not.toContain(given.username);
    expect(await ladderOf(other)).not.toContain("REGISTER");
    client.close();
  });

  it("is read by no HEAD, which would be a reader without end", async () => {
    const headers = { "x-demo-key": (await open()).key };
    for (const path of ["ladder", "ladder.txt", "servlets"])
      expect((await ask(`/demo/${path}`, { method: "HEAD", headers })).status).toBe(405);
    expect((await ask("/demo/ladder.txt", { headers })).status).toBe(200);
  });

  it("has no more readers than two, and a reader that has gone makes room", async () => {
    const { key } = await open();
    const read = (signal: AbortSignal) =>
      fetch(`http://localhost:${port}/demo/ladder`, { headers: { "x-demo-key": key }, signal });
    const gone = new AbortController();
    const first = await read(gone.signal);
    const second = await read(AbortSignal.timeout(30_000));
    expect([first.status, second.status]).toEqual([200, 200]);
    expect((await read(AbortSignal.timeout(30_000))).status).toBe(429);
    gone.abort();
    await expect
      .poll(async () => {
        const again = await read(AbortSignal.timeout(30_000));
        await again.body?.cancel();
        return again.status;
      })
      .toBe(200);
    await second.body?.cancel();
  });
});

describe("the inspector", () => {
  const inspect = (body: object): Promise<Answered> =>
    ask("/demo/inspect", { method: "POST", body: JSON.stringify(body) });

  it("says nothing of what was sent, and logs nothing of it", async () => {
    const password = "a-password-that-somebody-pasted";
    const [judged, malformed] = [
      await inspect({ username: "1:alice@acme.example", password }),
      await inspect({ username: "1:alice@acme.example", password, more: password }),
    ];
    expect([judged.status, malformed.status]).toEqual([200, 422]);
    for (const { body } of [judged, malformed]) expect(body).not.toContain(password);
    expect(JSON.stringify(gateway.log())).not.toContain(password);
  });

  it("answers so often and no oftener, whoever asks", async () => {
    const begun = Date.now();
    const statuses: number[] = [];
    for (let at = 0; at < 60; at++) statuses.push((await inspect({ token: "a.b.c" })).status);
    const answered = statuses.filter((one) => one === 200).length;
    expect(answered).toBeGreaterThan(0);
    expect(answered).toBeLessThanOrEqual(21 + (5 * (Date.now() - begun)) / 1000);
    expect(statuses).toContain(429);
  });
});

describe("what is no HTTP of a browser", () => {
  it("is answered as everywhere, and the demo goes on", async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = createConnection({ host: "127.0.0.1", port }, () => socket.end("GET /demo/\0 HTTP/1.1\r\n\r\n"));
      text(socket).then(resolve, reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400/);
    expect((await ask("/demo/")).status).toBe(200);
  });
});
