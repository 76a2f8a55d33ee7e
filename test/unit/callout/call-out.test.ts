import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { RequestListener, ServerResponse } from "node:http";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { networksOf } from "../../../src/callout/address.ts";
import { CallOut, type CallOutOptions, type CallOutParts } from "../../../src/callout/call-out.ts";
import { ConfigFolder } from "../../helpers/config-file.ts";
import { bodyOf, SomeServer } from "./servers.ts";

const folder = new ConfigFolder();
for (const name of ["right", "other"]) folder.certificate(name);
const pem = (name: string): string => readFileSync(join(folder.path, name), "utf8");
const tls = { cert: pem("right-cert.pem"), key: pem("right-key.pem") };
afterAll(() => folder.remove());

const toClose: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0)) await close();
});

async function serve(answer: RequestListener, secure?: typeof tls, host?: string, port?: number): Promise<SomeServer> {
  const server = await new SomeServer(answer, secure).listen(host, port);
  toClose.push(() => server.close());
  return server;
}

interface World extends Partial<CallOutParts> {
  readonly allowed?: readonly string[];
  /** What the names resolve to, each time anew. */
  readonly names?: Readonly<Record<string, () => readonly string[]>>;
}

/** Loopback stands for what may be called, unless a test says otherwise. */
function callOut({ allowed = ["127.0.0.0/8", "::1/128"], names = {}, ...parts }: World = {}): CallOut {
  const resolve = async (name: string) => {
    const addresses = names[name];
    if (!addresses) throw new Error("ENOTFOUND");
    return addresses();
  };
  const made = new CallOut({ networks: () => networksOf(allowed), resolve, ...parts });
  toClose.push(() => made.close());
  return made;
}

const get: CallOutOptions = { method: "GET", timeoutMs: 5000, maxBytes: 10_000 };
const say =
  (text: string): RequestListener =>
  (_request, response) =>
    response.end(text);
const here = (): readonly string[] => ["127.0.0.1"];

describe("a call-out", () => {
  it("brings status, header fields and body of an answer, whatever the status", async () => {
    const server = await serve((_request, response) => {
      response.writeHead(404, { "cache-control": "max-age=60" }).end("no such thing");
    });
    const answer = await callOut({ names: { "acme.example": here } }).request(
      server.url("acme.example", "/a?b=c"),
      get,
    );
    expect(answer).toMatchObject({ kind: "answer", status: 404, headers: { "cache-control": "max-age=60" } });
    expect(answer.kind === "answer" && answer.body.toString()).toBe("no such thing");
    expect(server.seen).toEqual(["GET /a?b=c"]);
  });

  it("carries what it is given: method, header fields, body, and the host of the URL", async () => {
    const got: unknown[] = [];
    const server = await serve(async (request, response) => {
      const { host, "content-type": type, "accept-encoding": coding } = request.headers;
      got.push(request.method, host, type, coding, await bodyOf(request));
      response.end();
    });
    const post: CallOutOptions = {
      ...get,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"ü":1}',
    };
    const url = server.url("acme.example");
    expect(await callOut({ names: { "acme.example": here } }).request(url, post)).toMatchObject({ status: 200 });
    expect(got).toEqual(["POST", `acme.example:${server.port}`, "application/json", "identity", '{"ü":1}']);
  });

  it("keeps the connection for the next, and asks again where the server closed it meanwhile", async () => {
    const sockets = new Set<Socket>();
    const server = await serve((request, response) => {
      sockets.add(request.socket);
      // Kept, as far as the client knows: dropped without a word when the next request comes.
      if (request.url === "/drop" && server.seen.length === 3) request.socket.resetAndDestroy();
      else response.end("ok");
    });
    const out = callOut();
    for (const path of ["/", "/", "/drop"]) {
      expect(await out.request(server.url("127.0.0.1", path), get)).toMatchObject({ kind: "answer", status: 200 });
    }
    expect(server.seen).toEqual(["GET /", "GET /", "GET /drop", "GET /drop"]);
    expect(sockets.size).toBe(2);
  });

  it("makes what may be sent but once anew, where it asks again", async () => {
    const got: string[] = [];
    const server = await serve(async (request, response) => {
      got.push(await bodyOf(request));
      if (got.length === 2) request.socket.resetAndDestroy();
      else response.end("ok");
    });
    const out = callOut();
    let made = 0;
    const once: CallOutOptions = { ...get, method: "POST", body: () => `question ${++made}` };
    for (const _ of [1, 2]) expect(await out.request(server.url("127.0.0.1"), once)).toMatchObject({ status: 200 });
    expect(got).toEqual(["question 1", "question 2", "question 3"]);
  });

  it("goes to the next address of a name where one does not answer", async () => {
    const server = await serve(say("ok"), undefined, "127.0.0.3");
    const names = { "acme.example": () => ["127.0.0.2", "127.0.0.3"] };
    expect(await callOut({ names }).request(server.url("acme.example"), get)).toMatchObject({ kind: "answer" });
  });

  it.each([
    [8, "answer"],
    [9, "failed"],
  ])("tries eight addresses of a name at most: number %i is the one that answers", async (place, kind) => {
    const server = await serve(say("ok"), undefined, `127.0.0.${10 + place}`);
    const names = { "acme.example": () => Array.from({ length: 9 }, (_, at) => `127.0.0.${11 + at}`) };
    expect(await callOut({ names }).request(server.url("acme.example"), get)).toMatchObject({ kind });
  });

  it("gets to IPv6", async () => {
    const server = await serve(say("ok"), undefined, "::1");
    expect(await callOut().request(server.url("[::1]"), get)).toMatchObject({ kind: "answer" });
    expect(await callOut({ allowed: [] }).request(server.url("[::1]"), get)).toMatchObject({ reason: "address" });
  });
});

describe("over TLS", () => {
  it("goes where the certificate is the name's, nowhere else", async () => {
    const server = await serve(say("ok"), tls);
    const names = { localhost: here, "acme.example": here };
    const out = callOut({ names, ca: tls.cert });
    expect(await out.request(server.url("localhost"), get)).toMatchObject({ kind: "answer" });
    expect(await out.request(server.url("acme.example"), get)).toMatchObject({ kind: "failed", reason: "tls" });
    expect(await out.request(server.url("127.0.0.1"), get)).toMatchObject({ kind: "failed", reason: "tls" });
    expect(server.seen).toEqual(["GET /"]);
  });

  it("refuses a certificate of nobody it knows, whatever the environment says", async () => {
    const server = await serve(say("ok"), tls);
    const names = { localhost: here };
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    try {
      for (const ca of [undefined, pem("other-cert.pem")]) {
        const out = callOut({ names, ...(ca !== undefined && { ca }) });
        expect(await out.request(server.url("localhost"), get)).toMatchObject({ kind: "failed", reason: "tls" });
      }
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    }
    expect(server.seen).toEqual([]);
  });

  it("says so where there is no TLS at all", async () => {
    const server = await serve(say("ok"));
    const out = callOut({ names: { localhost: here }, ca: tls.cert });
    expect(await out.request(`https://localhost:${server.port}/`, get)).toMatchObject({
      kind: "failed",
      reason: "tls",
    });
  });
});

describe("what is no address to call", () => {
  const loopback = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "%31%32%37.0.0.1",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
  ];

  it.each(loopback)("http://%s, unless its network is allowed", async (host) => {
    const server = await serve(say("inside"));
    const refused = await callOut({ allowed: ["10.0.0.0/8"] }).request(server.url(host), get);
    expect(refused).toMatchObject({ kind: "failed", reason: "address" });
    expect(server.seen).toEqual([]);
    expect(await server.connections).toBe(0);
    expect(await callOut({ allowed: ["127.0.0.0/8"] }).request(server.url(host), get)).toMatchObject({
      kind: "answer",
    });
  });

  it.each([
    ["0.0.0.0", "0.0.0.0/8"],
    ["[::1]", "::1/128"],
    ["[0:0:0:0:0:0:0:1]", "::1/128"],
  ])("http://%s either", async (host, network) => {
    const server = await serve(say("inside"), undefined, host.startsWith("[") ? "::1" : "127.0.0.1");
    expect(await callOut({ allowed: [] }).request(server.url(host), get)).toMatchObject({ reason: "address" });
    expect(await server.connections).toBe(0);
    expect(await callOut({ allowed: [network] }).request(server.url(host), get)).toMatchObject({ kind: "answer" });
  });

  it.each(["169.254.169.254", "[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "100.100.100.200", "[::]"])(
    "https://%s",
    async (host) => {
      expect(await callOut().request(`https://${host}/latest/meta-data`, get)).toMatchObject({ reason: "address" });
    },
  );

  it("a name with one bad address among good ones", async () => {
    const server = await serve(say("inside"));
    const names = {
      "mixed.example": () => ["127.0.0.1", "10.0.0.1"],
      "public.example": () => ["1.1.1.1", "10.0.0.1"],
      "good.example": here,
    };
    const out = callOut({ names });
    expect(await out.request(server.url("mixed.example"), get)).toMatchObject({ reason: "address" });
    expect(await out.request("https://public.example/", get)).toMatchObject({ reason: "address" });
    expect(await server.connections).toBe(0);
    expect(await out.request(server.url("good.example"), get)).toMatchObject({ kind: "answer" });
  });

  it("a name that has none", async () => {
    const out = callOut({ names: { "empty.example": () => [] } });
    for (const host of ["nowhere.example", "empty.example"]) {
      expect(await out.request(`https://${host}/`, get)).toMatchObject({ kind: "failed", reason: "unresolved" });
    }
  });
});

describe("http://", () => {
  it("is taken where every address is the operator's, not for a public one", async () => {
    const server = await serve(say("ok"));
    const names = {
      "inside.example": here,
      "outside.example": () => ["1.1.1.1"],
      "both.example": () => ["127.0.0.1", "1.1.1.1"],
    };
    const out = callOut({ names });
    expect(await out.request(server.url("inside.example"), get)).toMatchObject({ kind: "answer" });
    expect(await out.request(server.url("outside.example"), get)).toMatchObject({ reason: "insecure" });
    expect(await out.request(server.url("both.example"), get)).toMatchObject({ reason: "insecure" });
    expect(await out.request("http://1.1.1.1/", get)).toMatchObject({ reason: "insecure" });
    expect(server.seen).toEqual(["GET /"]);
  });
});

describe("a name that leads elsewhere a moment later", () => {
  it("is connected to where it was judged, and judged anew the next time, kept connection or not", async () => {
    const good = await serve(say("good"), undefined, "127.0.0.2");
    const bad = await serve(say("bad"), undefined, "127.0.0.1", good.port);
    let asked = 0;
    const names = { "rebind.example": () => [asked++ === 0 ? "127.0.0.2" : "127.0.0.1"] };
    const out = callOut({ names, allowed: ["127.0.0.2/32"] });
    const first = await out.request(good.url("rebind.example"), get);
    expect(first.kind === "answer" && first.body.toString()).toBe("good");
    expect(asked).toBe(1);
    expect(await out.request(good.url("rebind.example"), get)).toMatchObject({ reason: "address" });
    expect([good.seen, bad.seen, await bad.connections]).toEqual([["GET /"], [], 0]);
  });

  it("uses no kept connection to an address that it no longer has", async () => {
    const old = await serve(say("old"), undefined, "127.0.0.2");
    const fresh = await serve(say("new"), undefined, "127.0.0.3", old.port);
    let address = "127.0.0.2";
    const out = callOut({ names: { "moved.example": () => [address] } });
    await out.request(old.url("moved.example"), get);
    address = "127.0.0.3";
    const second = await out.request(old.url("moved.example"), get);
    expect(second.kind === "answer" && second.body.toString()).toBe("new");
    expect([old.seen, fresh.seen]).toEqual([["GET /"], ["GET /"]]);
  });

  it("is called in a network that was allowed since, no more in one that no longer is", async () => {
    const server = await serve(say("ok"));
    let allowed: readonly string[] = [];
    const out = callOut({ networks: () => networksOf(allowed) });
    const url = server.url("127.0.0.1");
    expect(await out.request(url, get)).toMatchObject({ reason: "address" });
    allowed = ["127.0.0.0/8"];
    expect(await out.request(url, get)).toMatchObject({ kind: "answer" });
    allowed = [];
    expect(await out.request(url, get)).toMatchObject({ reason: "address" });
    expect(server.seen).toHaveLength(1);
  });
});

describe("a URL", () => {
  it.each([
    "",
    "127.0.0.1",
    "//127.0.0.1/",
    "/path",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "data:,x",
    "https:127.0.0.1",
    "https:///127.0.0.1/",
    "https:\\\\127.0.0.1\\",
    "https://127.0.0.1\\@acme.example/",
    "https://user@127.0.0.1/",
    "https://user:secret-of-the-url@127.0.0.1/",
    "https://:@127.0.0.1:x/",
    "https://127.0.0.1/#part",
    "https://127.0.0.1#@acme.example/",
    " https://127.0.0.1/",
    "https://127.0.0.1/ x",
    "https://127.0.0\t.1/",
    "https://127.0.0.1/\r\nHost: x",
    "https://ácme.example/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127.0.0.1:65536/",
    `https://127.0.0.1/${"x".repeat(2048)}`,
  ])("%.60j is refused in words that repeat nothing of it", async (url) => {
    const refused = await callOut().request(url, get);
    expect(refused).toMatchObject({ kind: "failed", reason: "url" });
    expect(JSON.stringify(refused)).not.toMatch(/secret-of-the-url|acme|127/);
  });

  it("may have any port, path and query", async () => {
    const server = await serve(say("ok"));
    expect(await callOut().request(server.url("127.0.0.1", "/a/../b%20?x=%00&y=@:"), get)).toMatchObject({
      status: 200,
    });
    expect(server.seen).toEqual(["GET /b%20?x=%00&y=@:"]);
  });
});

describe("redirects", () => {
  const to =
    (location: (port: number) => string, status = 302): RequestListener =>
    (request, response) => {
      const port = request.socket.localPort ?? 0;
      if (request.url === "/there") response.end("there");
      else response.writeHead(status, { location: location(port) }).end();
    };

  it.each([301, 302, 303, 307, 308])("%s on the same origin are followed by GET", async (status) => {
    const server = await serve(to((port) => `http://127.0.0.1:${port}/there#part`, status));
    const answer = await callOut().request(server.url("127.0.0.1", "/here"), get);
    expect(answer.kind === "answer" && answer.body.toString()).toBe("there");
    expect(server.seen).toEqual(["GET /here", "GET /there"]);
  });

  it.each([
    [308, "answer", ["POST /here", "POST /there"]],
    [307, "answer", ["POST /here", "POST /there"]],
    [303, "failed", ["POST /here"]],
    [302, "failed", ["POST /here"]],
    [301, "failed", ["POST /here"]],
  ])("%s of a POST: %s", async (status, kind, seen) => {
    const server = await serve(to(() => "/there", status));
    const answer = await callOut().request(server.url("127.0.0.1", "/here"), { ...get, method: "POST", body: "x" });
    expect([answer.kind, server.seen]).toEqual([kind, seen]);
  });

  it.each([
    ["the metadata service", () => "http://169.254.169.254/latest/meta-data"],
    ["another host", () => "http://acme.example/there"],
    ["another port", (port: number) => `http://127.0.0.1:${port + 1}/there`],
    ["another scheme", (port: number) => `https://127.0.0.1:${port}/there`],
    ["another name of the same address", (port: number) => `http://127.0.0.2:${port}/there`],
    ["another host without scheme", () => "//169.254.169.254/there"],
    ["the same host under a user", (port: number) => `http://user@127.0.0.1:${port}/there`],
    ["a file", () => "file:///etc/passwd"],
    ["a backslashed host", () => "/\\169.254.169.254/"],
    ["nothing", () => ""],
  ])("to %s are not followed", async (_where, location) => {
    const server = await serve(to(location));
    const refused = await callOut().request(server.url("127.0.0.1", "/here"), get);
    expect(refused).toMatchObject({ kind: "failed", reason: "redirect" });
    expect(server.seen).toEqual(["GET /here"]);
  });

  it("are followed three times, and judged each time", async () => {
    const steps = (last: number) =>
      serve((request, response) => {
        const step = Number(request.url?.slice(1));
        if (step === last) response.end("end");
        else response.writeHead(302, { location: `/${step + 1}` }).end();
      });
    const [three, four] = [await steps(3), await steps(4)];
    const out = callOut();
    expect(await out.request(three.url("127.0.0.1", "/0"), get)).toMatchObject({ kind: "answer" });
    expect(await out.request(four.url("127.0.0.1", "/0"), get)).toMatchObject({ reason: "redirect" });
    let asked = 0;
    const names = { "rebind.example": () => [asked++ === 0 ? "127.0.0.1" : "10.0.0.1"] };
    expect(await callOut({ names }).request(three.url("rebind.example", "/0"), get)).toMatchObject({
      reason: "address",
    });
  });

  it("without Location are answers", async () => {
    const server = await serve((_request, response) => response.writeHead(302).end());
    expect(await callOut().request(server.url("127.0.0.1"), get)).toMatchObject({ kind: "answer", status: 302 });
  });
});

describe("time", () => {
  const hasty = { ...get, timeoutMs: 150 };

  it("is bounded over a name server that does not answer", async () => {
    const out = callOut({ resolve: () => new Promise(() => {}) });
    expect(await out.request("https://acme.example/", hasty)).toMatchObject({ kind: "failed", reason: "timeout" });
  });

  it("is bounded over a TLS handshake that does not begin", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    toClose.push(() => silent.close());
    const { port } = silent.address() as { port: number };
    expect(await callOut().request(`https://127.0.0.1:${port}/`, hasty)).toMatchObject({ reason: "timeout" });
  });

  it.each([
    ["nothing", () => {}],
    ["header fields alone", (response: ServerResponse) => response.writeHead(200).flushHeaders()],
    ["a byte now and then", (response: ServerResponse) => drip(response)],
    [
      "interim answers without end",
      (response: ServerResponse) => {
        const timer = setInterval(() => response.writeProcessing(), 20);
        response.on("close", () => clearInterval(timer));
      },
    ],
  ])("is bounded over a server that sends %s, while a quick one is heard", async (_what, answer) => {
    const closed: Promise<unknown>[] = [];
    const server = await serve((request, response) => {
      if (request.url !== "/quick") closed.push(once(response, "close"));
      if (request.url === "/quick") response.end("ok");
      else answer(response);
    });
    const out = callOut();
    expect(await out.request(server.url("127.0.0.1"), hasty)).toMatchObject({ kind: "failed", reason: "timeout" });
    await Promise.all(closed);
    expect(await out.request(server.url("127.0.0.1", "/quick"), { ...hasty, timeoutMs: 5000 })).toMatchObject({
      status: 200,
    });
  });

  it("is bounded over all redirects together", async () => {
    const server = await serve((request, response) => {
      setTimeout(() => response.writeHead(302, { location: `${request.url}x` }).end(), 100);
    });
    expect(await callOut().request(server.url("127.0.0.1"), { ...get, timeoutMs: 250 })).toMatchObject({
      reason: "timeout",
    });
    expect(server.seen.length).toBeLessThan(4);
  });

  it("ends when the caller gives up", async () => {
    const server = await serve(() => giveUp.abort());
    const giveUp = new AbortController();
    const answer = await callOut().request(server.url("127.0.0.1"), { ...get, signal: giveUp.signal });
    expect(answer).toMatchObject({ kind: "failed", reason: "timeout" });
  });
});

function drip(response: ServerResponse): void {
  response.writeHead(200);
  const timer = setInterval(() => response.write("x"), 20);
  response.on("close", () => clearInterval(timer));
}

describe("size", () => {
  const small = { ...get, maxBytes: 1000 };

  it.each([
    [1000, "answer"],
    [1001, "failed"],
  ])("%s bytes of 1000 that are taken: %s", async (size, kind) => {
    for (const chunked of [false, true]) {
      const server = await serve((_request, response) => {
        if (!chunked) response.setHeader("content-length", size);
        else response.flushHeaders();
        response.end("x".repeat(size));
      });
      expect((await callOut().request(server.url("127.0.0.1"), small)).kind).toBe(kind);
    }
  });

  it("is bounded while it comes: an endless body is cut off", async () => {
    let closed: Promise<unknown> | undefined;
    const server = await serve((_request, response) => {
      closed = once(response, "close");
      const pour = (): void => {
        while (response.write(Buffer.alloc(16_384)));
      };
      response.on("drain", pour);
      pour();
    });
    expect(await callOut().request(server.url("127.0.0.1"), small)).toMatchObject({
      kind: "failed",
      reason: "too-big",
    });
    await closed;
  });

  it("is judged before it comes, where it is announced", async () => {
    const server = await serve((_request, response) => {
      response.writeHead(200, { "content-length": 1001 }).flushHeaders();
    });
    expect(await callOut().request(server.url("127.0.0.1"), small)).toMatchObject({ reason: "too-big" });
  });

  it("of the header fields is bounded", async () => {
    const server = await serve((request, response) => {
      response.writeHead(200, { "x-long": "x".repeat(request.url === "/long" ? 20_000 : 10_000) }).end();
    });
    expect(await callOut().request(server.url("127.0.0.1", "/long"), get)).toMatchObject({ reason: "unreachable" });
    expect(await callOut().request(server.url("127.0.0.1"), get)).toMatchObject({ kind: "answer" });
  });

  it.each([
    ["gzip", "failed"],
    ["identity, br", "failed"],
    ["Identity", "answer"],
  ])("is not hidden by a coding: %s", async (coding, kind) => {
    const server = await serve((_request, response) =>
      response.writeHead(200, { "content-encoding": coding }).end("x"),
    );
    const answer = await callOut().request(server.url("127.0.0.1"), get);
    expect([answer.kind, answer.kind === "failed" ? answer.reason : "encoding"]).toEqual([kind, "encoding"]);
  });
});

describe("a server that breaks off", () => {
  const raw = async (write: (socket: Socket) => void): Promise<string> => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => write(socket));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    toClose.push(() => server.close());
    return `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
  };

  it.each([
    ["before an answer", (socket: Socket) => socket.destroy()],
    ["with a reset", (socket: Socket) => socket.resetAndDestroy()],
    ["in the body", (socket: Socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")],
    [
      "in the chunks",
      (socket: Socket) => socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
    ],
    ["with what is no HTTP", (socket: Socket) => socket.end("SSH-2.0-secret-of-the-body\r\n")],
    [
      "by changing the protocol",
      (socket: Socket) => socket.end("HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    ],
    [
      "with two lengths",
      (socket: Socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy"),
    ],
  ])("%s is not answered for", async (_when, write) => {
    const answer = await callOut().request(await raw(write), get);
    expect(answer).toMatchObject({ kind: "failed", reason: "unreachable" });
    expect(JSON.stringify(answer)).not.toContain("secret-of-the-body");
  });

  it("nor for interim answers without end; a few before the answer are passed over", async () => {
    const early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    let closed: Promise<unknown> | undefined;
    const endless = await raw((socket) => {
      closed = new Promise((gone) => socket.once("close", gone));
      const pour = (): void => {
        while (socket.write(early.repeat(100)));
      };
      socket.on("drain", pour);
      pour();
    });
    expect(await callOut().request(endless, get)).toMatchObject({ kind: "failed", reason: "unreachable" });
    await closed;
    const some = (count: number) => (socket: Socket) =>
      void socket.end(
        `${early.repeat(count)}HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`,
      );
    expect(await callOut().request(await raw(some(7)), get)).toMatchObject({ kind: "answer", status: 200 });
    expect(await callOut().request(await raw(some(8)), get)).toMatchObject({ reason: "unreachable" });
  });

  it("nor one that is not there", async () => {
    const server = await serve(say("ok"));
    const url = server.url("127.0.0.1");
    expect(await callOut().request(url, get)).toMatchObject({ kind: "answer" });
    await server.close();
    expect(await callOut().request(url, get)).toMatchObject({ kind: "failed", reason: "unreachable" });
  });
});

describe("kept connections", () => {
  it("are 32 at most, however many hosts were called", async () => {
    const server = await serve(say("ok"));
    const hosts = Array.from({ length: 40 }, (_, index) => `h${index}.example`);
    const out = callOut({ names: Object.fromEntries(hosts.map((host) => [host, here])) });
    const answers = await Promise.all(hosts.map((host) => out.request(server.url(host), get)));
    expect(answers.filter(({ kind }) => kind === "answer")).toHaveLength(40);
    await expect.poll(() => server.connections).toBe(32);
  });
});

describe("a closed call-out", () => {
  it("ends what is under way and begins nothing more", async () => {
    const server = await serve(() => out.close());
    const names = Promise.withResolvers<readonly string[]>();
    const out = callOut({ resolve: () => names.promise });
    const unresolved = out.request(server.url("acme.example"), get);
    expect(await out.request(server.url("127.0.0.1"), get)).toMatchObject({ reason: "unreachable" });
    names.resolve(["127.0.0.1"]);
    expect(await unresolved).toMatchObject({ reason: "unreachable" });
    expect(await out.request(server.url("127.0.0.1"), get)).toMatchObject({ reason: "unreachable" });
    expect(server.seen).toHaveLength(1);
  });
});

describe("many call-outs at once", () => {
  it("are 256 at most, 16 connections to one origin, and room comes back", async () => {
    const held: ServerResponse[] = [];
    const server = await serve((_request, response) => {
      held.push(response);
      if (held.length === 16) full.resolve();
      if (isOpen) response.end();
    });
    let isOpen = false;
    const full = Promise.withResolvers<void>();
    const out = callOut();
    const url = server.url("127.0.0.1");
    const asked = Array.from({ length: 257 }, () => out.request(url, get));
    expect(await asked[256]).toMatchObject({ kind: "failed", reason: "unreachable", sentence: /too many/ });
    await full.promise;
    expect(await server.connections).toBe(16);
    isOpen = true;
    for (const response of held) response.end();
    const kinds = (await Promise.all(asked)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "answer")).toHaveLength(256);
    expect(await out.request(url, get)).toMatchObject({ kind: "answer" });
  });
});
