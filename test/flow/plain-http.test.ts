import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mint } from "../../src/auth/ephemeral.ts";
import { startGateway } from "../helpers/gateway.ts";
import { acmeApiSecret, customerSecret, freshToken, type ManagedGateway, startManaged } from "../helpers/management.ts";
import { problemOf } from "../helpers/problem.ts";

let gateway: ManagedGateway;
beforeAll(async () => {
  gateway = await startManaged();
});
afterAll(() => gateway?.close());

type Port = "public" | "private";
const ports = ["public", "private"] as const;
const health: Readonly<Record<Port, string>> = { public: "/healthz", private: "/livez" };

function dial(port: Port): Socket {
  const url = new URL(port === "public" ? gateway.gatewayUrl : gateway.adminUrl);
  return connect(Number(url.port), url.hostname);
}

/** All that comes back until the gateway closes, for a request that is sent as it is. */
async function raw(port: Port, text: string): Promise<string> {
  const socket = dial(port);
  socket.write(text, "latin1");
  return (await buffer(socket)).toString("latin1");
}

const get = (port: Port, ...fields: readonly string[]): string =>
  [`GET ${health[port]} HTTP/1.1`, "Connection: close", ...fields, "", ""].join("\r\n");

const status = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);

describe.each(ports)("what Node's parser refuses on the %s port", (port) => {
  const long = "x".repeat(20_000);
  it.each([
    ["a token of 20 KB", 431, "message-too-big", get(port, "Host: x", `Authorization: Bearer ${long}`)],
    ["a query of 20 KB", 431, "message-too-big", get(port, "Host: x").replace(" HTTP", `?key=${long} HTTP`)],
    ["no HTTP", 400, "message-malformed", "REGISTER sip:acme.example SIP/2.0\r\n\r\n"],
    ["a blank before a colon", 400, "message-malformed", get(port, "Host: x", "X-A : b")],
    ["a folded field", 400, "message-malformed", get(port, "Host: x", "X-A: b\r\n c")],
    ["two lengths", 400, "message-malformed", get(port, "Host: x", "Content-Length: 1", "Content-Length: 2")],
    [
      "a length and chunks",
      400,
      "message-malformed",
      get(port, "Host: x", "Content-Length: 1", "Transfer-Encoding: chunked"),
    ],
  ])("%s is a problem with code and sentence, and the end of the connection", async (_, wanted, code, text) => {
    const answer = await raw(port, text);
    expect(problemOf(answer)).toMatchObject({
      status: wanted,
      code,
      detail: expect.stringMatching(/: send|or one that/),
    });
    expect(answer).toMatch(/^connection: close\r$/m);
    expect(answer).toMatch(/^cache-control: no-store\r$/m);
    expect(answer.match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
  });

  it("is logged in one line of level debug, without anything of the request", async () => {
    const before = gateway.log().length;
    await raw(port, get(port, "Host: x", `Authorization: Bearer secret${long}`));
    const lines = gateway.log().slice(before);
    expect(lines).toMatchObject([
      { level: "debug", msg: "a request over HTTP could not be read", address: "127.0.0.1", status: 431 },
    ]);
    expect(JSON.stringify(lines)).not.toContain("secret");
  });

  it("ends a connection whose requests before it were answered", async () => {
    const socket = dial(port);
    socket.write(`GET ${health[port]} HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(status(String((await once(socket, "data"))[0]))).toBe(200);
    socket.write("no HTTP\r\n\r\n");
    expect(problemOf((await buffer(socket)).toString())).toMatchObject({ status: 400 });
  });

  it("twin: what is just short enough is read", async () => {
    expect(status(await raw(port, get(port, "Host: x", `X-A: ${"x".repeat(15_000)}`)))).toBe(200);
  });
});

describe.each(ports)("two readings of a request on the %s port", (port) => {
  it.each([
    ["two Hosts", 400, ["Host: x", "Host: localhost"]],
    ["the same Host twice", 400, ["Host: x", "host: x"]],
    ["no Host", 400, []],
    ["a Host behind two thousand fields", 400, ["Host: x", ...Array(2_100).fill("a:b"), "Host: y"]],
    ["a Content-Encoding", 415, ["Host: x", "Content-Encoding: gzip"]],
    ["an empty Content-Encoding", 415, ["Host: x", "Content-Encoding:"]],
    ["chunks in a coding", 400, ["Host: x", "Transfer-Encoding: gzip, chunked"]],
    ["an expectation that nobody knows", 417, ["Host: x", "Expect: something"]],
  ])("%s: problem %i", async (_, wanted, fields) => {
    expect(problemOf(await raw(port, get(port, ...fields)))).toMatchObject({
      status: wanted,
      code: "message-malformed",
    });
  });

  it.each([
    ["chunks in HTTP/1.0", " HTTP/1.0", ["Transfer-Encoding: chunked"], "0\r\n\r\n"],
    ["HTTP/2.0", " HTTP/2.0", [], ""],
    ["HTTP/0.9", " HTTP/0.9", [], ""],
    ["a # in the target", "?x=y#z HTTP/1.1", [], ""],
  ])("%s: problem 400", async (_, version, fields, body) => {
    const answer = await raw(port, get(port, "Host: x", ...fields).replace(" HTTP/1.1", version) + body);
    expect(problemOf(answer)).toMatchObject({ status: 400, code: "message-malformed" });
    expect(answer.match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
  });

  it("twin: chunks alone, and the expectation that everybody knows", async () => {
    expect(status(await raw(port, `${get(port, "Host: x", "Transfer-Encoding: Chunked")}0\r\n\r\n`))).toBe(200);
    const expecting = get(port, "Host: x", "Expect: 100-Continue", "Content-Length: 0");
    expect(await raw(port, expecting)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  });

  it("ends the connection, whatever stands behind it", async () => {
    const two = get(port, "Host: x", "Host: y").replace("Connection: close\r\n", "");
    const answer = await raw(port, two + get(port, "Host: x"));
    expect(problemOf(answer)).toMatchObject({ status: 400 });
    expect(answer.match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
  });

  it("twin: one Host, and with HTTP/1.0 none", async () => {
    expect(status(await raw(port, get(port, "Host: x")))).toBe(200);
    expect(status(await raw(port, get(port).replace("HTTP/1.1", "HTTP/1.0")))).toBe(200);
  });
});

describe("an upgrade", () => {
  const body = (): string =>
    JSON.stringify(
      mint({
        secret: customerSecret,
        user: "alice@acme.example",
        ttl: 60,
        algorithm: "sha1",
        now: Math.floor(Date.now() / 1000),
      }),
    );
  const post = (upgrade: string): string => {
    const text = body();
    const fields = [
      "Host: x",
      `Connection: Upgrade, HTTP2-Settings, close`,
      `Upgrade: ${upgrade}`,
      "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    ];
    const head = [...fields, "Content-Type: application/json", `Content-Length: ${text.length}`];
    return ["POST /v1/exchange HTTP/1.1", ...head, "", text].join("\r\n");
  };
  const handshake = (...fields: readonly string[]): string =>
    [
      "GET / HTTP/1.1",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Protocol: sip",
      ...fields,
      "",
      "",
    ].join("\r\n");
  const key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";

  it.each(["h2c", "TLS/1.2", "foo, websocket"])("to %s is passed over (RFC 9110 section 7.8)", async (name) => {
    expect(
      status(await raw("public", get("public", "Host: x").replace("close", `Upgrade, close\r\nUpgrade: ${name}`))),
    ).toBe(200);
    expect(status(await raw("public", post(name)))).toBe(200);
  });

  it("to a WebSocket by another method than GET is passed over as well", async () => {
    expect(status(await raw("public", post("websocket")))).toBe(200);
    const nowhere = await raw("public", post("websocket").replace("/v1/exchange", "/"));
    expect(problemOf(nowhere)).toMatchObject({ status: 404 });
  });

  it.each([
    ["without a key", ["Host: x", "Sec-WebSocket-Version: 13"]],
    ["with a key that is none", ["Host: x", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13"]],
    ["of another version", ["Host: x", key, "Sec-WebSocket-Version: 12"]],
    ["with two Hosts", ["Host: x", "Host: y", key, "Sec-WebSocket-Version: 13"]],
    ["without Host", [key, "Sec-WebSocket-Version: 13"]],
  ])("%s is a problem", async (_, fields) => {
    expect(problemOf(await raw("public", handshake(...fields)))).toMatchObject({
      status: 400,
      code: "message-malformed",
    });
  });

  it("twin: one that is right, in whatever case, is taken", async () => {
    const socket = dial("public");
    socket.write(
      handshake("Host: x", key, "Sec-WebSocket-Version: 13").replace("Upgrade: websocket", "Upgrade: WebSocket"),
    );
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 101 /);
    socket.destroy();
  });
});

describe("who says nothing on the private port", () => {
  it("is cut off within seconds", async () => {
    const began = performance.now();
    const silent = dial("private");
    const slow = dial("private");
    slow.write("GET /livez HTTP/1.1\r\n");
    const bodiless = dial("private");
    const token = `X-OPENTOK-AUTH: ${freshToken("46000000", acmeApiSecret)}`;
    const head = ["PATCH /v1/customers/acme HTTP/1.1", "Host: x", token, "Content-Type: application/merge-patch+json"];
    bodiless.write([...head, "Content-Length: 100", "", "{"].join("\r\n"));
    const answers = await Promise.all([silent, slow, bodiless].map((socket) => buffer(socket)));
    expect(answers.map((answer) => status(answer.toString()))).toEqual([408, 408, 408]);
    expect(performance.now() - began).toBeLessThan(9_000);
  });
});

describe("wss", () => {
  it("has the same answers, and says nothing to a broken TLS handshake", async () => {
    const secure = await startGateway({ upstreamUrls: ["ws://127.0.0.1:1"], listen: "wss://127.0.0.1:0" });
    try {
      const port = Number(new URL(secure.gatewayUrl).port);
      const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
      socket.write(get("public", "Host: x", `X-A: ${"x".repeat(20_000)}`));
      expect(problemOf((await buffer(socket)).toString())).toMatchObject({ status: 431, code: "message-too-big" });
      const plain = connect(port, "127.0.0.1");
      plain.on("error", () => undefined);
      plain.write(get("public", "Host: x"));
      const chunks: Buffer[] = [];
      plain.on("data", (chunk: Buffer) => chunks.push(chunk));
      await once(plain, "close");
      expect(Buffer.concat(chunks).toString("latin1")).not.toContain("HTTP/1.1");
    } finally {
      await secure.close();
    }
  });
});
