import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { duplexPair } from "node:stream";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { frame, opcodes } from "../helpers/frames.ts";
import type { TestGateway } from "../helpers/gateway.ts";
import { problemOf } from "../helpers/problem.ts";
import { credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { Scene } from "../helpers/scene.ts";

let scene: Scene;
const sockets: Socket[] = [];

beforeAll(async () => {
  scene = await Scene.open({
    acme: `    origins: ["https://www.acme.example"]`,
    globex: `    origins: ["https://g.example"]`,
  });
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(() => scene.close());

const key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";
const handshake = (...more: readonly string[]): string => {
  const fields = ["Host: x", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Protocol: sip", key];
  return ["GET / HTTP/1.1", ...fields, "Sec-WebSocket-Version: 13", ...more, "", ""].join("\r\n");
};
const plain = ["GET /healthz HTTP/1.1", "Host: x", "", ""].join("\r\n");
/** What comes back where it is read as a frame. */
const mark = "frame-was-read";
const ping = frame({ opcode: opcodes.ping, payload: Buffer.from(mark) }).toString("latin1");

function dial(gateway: TestGateway = scene.gateway): Socket {
  const { hostname, port } = new URL(gateway.gatewayUrl);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on("error", () => socket.destroy());
  sockets.push(socket);
  return socket;
}

/** What comes back until the connection ends, or until something of it says so. */
function said(
  socket: Socket,
  until: (text: string) => boolean = () => false,
): Promise<{ text: string; ended: boolean }> {
  return new Promise((resolve) => {
    let text = "";
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
      if (until(text)) resolve({ text, ended: false });
    });
    socket.once("close", () => resolve({ text, ended: true }));
  });
}

function send(text: string, until?: (text: string) => boolean): Promise<{ text: string; ended: boolean }> {
  const socket = dial();
  socket.write(text, "latin1");
  return said(socket, until);
}

const isRead = (text: string): boolean => text.includes(mark);
const answers = (text: string): string[] => text.match(/HTTP\/1\.1 \d{3}/g) ?? [];

/** Somebody else is served meanwhile. */
async function neighbourIsServed(gateway: TestGateway = scene.gateway, ws = {}): Promise<void> {
  const client = await RawClient.connect(gateway.gatewayUrl, { ws });
  const callId = `served-${unique()}`;
  expect(status(await client.register("alice@acme.example", credential("alice@acme.example"), { callId }))).toBe(200);
  expect((await scene.came(callId, "REGISTER")).header("Call-ID")).toBe(callId);
  client.close();
}

describe("a handshake that is something else to another reader", () => {
  const inner = "GET /healthz HTTP/1.1\r\nHost: inner\r\n\r\n";

  it.each<[string, string]>([
    ["a body by Content-Length, which holds a frame", handshake(`Content-Length: ${ping.length}`) + ping],
    ["a body by Content-Length, which holds a request", handshake(`Content-Length: ${inner.length}`) + inner + ping],
    ["a body in chunks", `${handshake("Transfer-Encoding: chunked")}0\r\n\r\n${ping}`],
    ["a body in chunks by another name", `${handshake("Transfer-Encoding: identity")}${ping}`],
    ["both lengths", `${handshake("Content-Length: 5", "Transfer-Encoding: chunked")}0\r\n\r\n${ping}`],
    ["two lengths", handshake("Content-Length: 0", "Content-Length: 20") + ping],
    ["a length that is signed", handshake("Content-Length: +0") + ping],
    ["two Origins", handshake("Origin: https://www.acme.example", "Origin: https://evil.example") + ping],
    ["one Origin twice", handshake("Origin: https://www.acme.example", "origin: https://www.acme.example") + ping],
    [
      "version 8, whose Origin has another name",
      handshake("Origin: https://www.acme.example").replace(": 13", ": 8") + ping,
    ],
    ["two versions", handshake("Sec-WebSocket-Version: 8") + ping],
    ["two keys", handshake(key) + ping],
    ["a protocol twice", handshake("Sec-WebSocket-Protocol: sip") + ping],
    ["two Hosts", handshake("Host: y") + ping],
    ["a blank before a colon", handshake("Origin : https://www.acme.example") + ping],
    ["a folded field", handshake("X-A: b\r\n Origin: https://www.acme.example") + ping],
    ["lines that end in LF", handshake().replaceAll("\r\n", "\n") + ping],
    ["a NUL", handshake("X-A: \0") + ping],
  ])("is refused, and nothing behind it is read: %s", async (_, text) => {
    const { text: got, ended } = await send(text, isRead);
    expect(problemOf(got)).toMatchObject({ status: 400, code: "message-malformed" });
    expect(answers(got)).toEqual(["HTTP/1.1 400"]);
    expect(ended).toBe(true);
    await neighbourIsServed();
  });

  it.each<[string, string]>([
    ["of HTTP/1.0", handshake("Connection: close").replace("HTTP/1.1", "HTTP/1.0") + ping],
    ["by POST", handshake("Connection: close", "Content-Length: 0").replace("GET", "POST") + ping],
    ["that is asked for twice", handshake("Connection: close", "Upgrade: websocket") + ping],
    [
      "to HTTP/2",
      handshake("Connection: close", "HTTP2-Settings: AAMAAABkAAQAAP__").replace("websocket", "h2c") + ping,
    ],
    ["to HTTP/2 or WebSocket", handshake("Connection: close").replace("websocket", "h2c, websocket") + ping],
    ["to what is no protocol", handshake("Connection: close").replace("websocket", "websockets") + ping],
  ])("is none: %s", async (_, text) => {
    const { text: got } = await send(text, (so) => isRead(so) || answers(so).length > 0);
    expect(answers(got)[0]).toBe("HTTP/1.1 404");
    expect(isRead(got)).toBe(false);
  });

  it.each<[string, string]>([
    ["alone", handshake()],
    ["with a body of nothing", handshake("Content-Length: 0")],
    ["with its Origin", handshake("Origin: https://www.acme.example")],
    [
      "with compression, cookies and fields that nobody knows",
      handshake("Sec-WebSocket-Extensions: x", "Cookie: a=b", "X-A: b"),
    ],
  ])("twin: %s it is taken, and frames behind it are frames", async (_, text) => {
    const { text: got } = await send(text + ping, isRead);
    expect(answers(got)).toEqual(["HTTP/1.1 101"]);
    expect(isRead(got)).toBe(true);
  });
});

describe("two requests in one segment", () => {
  it.each(["GET /healthz", "GET /nowhere", "POST /v1/exchange"])(
    "%s and a handshake: the answer to the one is never among the frames of the other",
    async (first) => {
      const request = plain.replace("GET /healthz", first).replace("Host: x", "Host: x\r\nContent-Length: 0");
      const { text: got } = await send(request + handshake() + ping, isRead);
      expect(answers(got)).not.toContain("HTTP/1.1 101");
      expect(isRead(got)).toBe(false);
      await neighbourIsServed();
    },
  );

  it("twin: a handshake after the answer to a request on the same connection is taken", async () => {
    const socket = dial();
    const all = said(socket, isRead);
    socket.write(plain);
    await once(socket, "data");
    socket.write(handshake() + ping, "latin1");
    expect(answers((await all).text)).toEqual(["HTTP/1.1 200", "HTTP/1.1 101"]);
  });

  it("a request behind a handshake is a broken frame, and has no answer", async () => {
    const { text: got, ended } = await send(handshake() + plain);
    expect(answers(got)).toEqual(["HTTP/1.1 101"]);
    expect([...Buffer.from(got.slice(-4), "latin1")]).toEqual([0x88, 2, 0x03, 0xea]);
    expect(ended).toBe(true);
  });

  it("a request behind a handshake that was refused has no answer", async () => {
    const { text: got } = await send(handshake().replace("sip", "sips") + plain);
    expect(answers(got)).toEqual(["HTTP/1.1 400"]);
  });
});

/** A byte now and then, for as long as the other side stands it. */
function drip(socket: Socket, bytes: Buffer): NodeJS.Timeout {
  let at = 0;
  return setInterval(() => {
    if (socket.writable) socket.write(bytes.subarray(at % bytes.length, (at % bytes.length) + 1));
    at++;
  }, 40);
}

/** What a browser says first to begin TLS. */
async function clientHello(): Promise<Buffer> {
  const [near, far] = duplexPair();
  const client = connectTls({ socket: near, rejectUnauthorized: false });
  client.on("error", () => {});
  const [hello] = (await once(far, "data")) as [Buffer];
  client.destroy();
  return hello;
}

describe("who is slow", () => {
  const settings = { gateway: "  limits: { preAuthSeconds: 1 }" };
  const trusting = '  trustedProxies: ["127.0.0.0/8"]\n  proxyProtocol: on\n  limits: { preAuthSeconds: 1 }';
  let open: TestGateway;
  let secure: TestGateway;
  let behind: TestGateway;
  beforeAll(async () => {
    open = await scene.another(settings);
    secure = await scene.another({ ...settings, listen: "wss://127.0.0.1:0" });
    behind = await scene.another({ gateway: trusting });
  });

  const none = Buffer.alloc(0);
  const post = [
    "POST /v1/exchange HTTP/1.1",
    "Host: x",
    "Content-Type: application/json",
    "Content-Length: 1000",
    "",
    "{",
  ];
  const endless = `${handshake().slice(0, -4)}\r\nX-A: ${"b".repeat(8_000)}`;

  /** What is said at once, and what byte by byte. */
  it.each<[string, () => TestGateway, (hello: Buffer) => [Buffer, Buffer]]>([
    ["begins TLS and says nothing more", () => secure, (hello) => [hello.subarray(0, 40), none]],
    ["begins TLS byte by byte", () => secure, (hello) => [none, hello]],
    ["sends a header without end byte by byte", () => open, () => [none, Buffer.from(endless)]],
    ["sends a body byte by byte", () => open, () => [Buffer.from(post.join("\r\n")), Buffer.from(" ")]],
    [
      "sends a PROXY line byte by byte",
      () => behind,
      () => [none, Buffer.from("PROXY TCP4 203.0.113.10 127.0.0.1 40")],
    ],
  ])("and %s, is closed by a deadline that nothing lengthens; a neighbour is served meanwhile", async (_, at, make) => {
    const [first, rest] = make(await clientHello());
    const socket = dial(at());
    await once(socket, "connect");
    const began = Date.now();
    // A byte that crosses the close on its way is answered by a reset.
    const end = new Promise((resolve) => socket.on("error", () => {}).once("close", resolve));
    socket.resume();
    socket.write(first);
    const slow = drip(socket, rest);
    if (at() !== behind) await neighbourIsServed(at(), { rejectUnauthorized: false });
    await end;
    clearInterval(slow);
    expect(Date.now() - began).toBeGreaterThan(800);
    expect(Date.now() - began).toBeLessThan(4_000);
  });

  it("and says nothing after TLS, is closed", async () => {
    const { hostname, port } = new URL(secure.gatewayUrl);
    const socket = connectTls({ host: hostname, port: Number(port), rejectUnauthorized: false });
    sockets.push(socket);
    await once(socket, "secureConnect");
    const began = Date.now();
    await once(socket.resume(), "close");
    expect(Date.now() - began).toBeLessThan(4_500);
  });

  it("and sends a frame byte by byte, is as good as silent: the first to go where its address has no more room", async () => {
    const narrow = await scene.another({ gateway: "  limits: { connectionsPerAddress: 2 }" });
    const [slow, other] = [await RawClient.connect(narrow.gatewayUrl), await RawClient.connect(narrow.gatewayUrl)];
    const bytes = frame({ opcode: opcodes.binary, payload: Buffer.alloc(600, "x") });
    for (const byte of bytes.subarray(0, 300)) slow.write(Buffer.from([byte]));
    await neighbourIsServed(narrow);
    expect((await slow.closed).code).toBe(1008);
    expect(other.socket.readyState).toBe(other.socket.OPEN);
    other.close();
  });

  it("and sends one behind a request that was challenged, has no more time than anybody", async () => {
    const client = await RawClient.connect(open.gatewayUrl);
    const began = Date.now();
    const parts = { method: "OPTIONS", uri: "sip:acme.example", from: "a@acme.example", to: "a@acme.example" };
    expect(status(await client.ask({ ...parts, fromTag: "f", callId: unique(), cseq: 1 }))).toBe(407);
    const bytes = frame({ opcode: opcodes.binary, payload: Buffer.alloc(600, "x") });
    let at = 0;
    const slow = setInterval(() => client.write(bytes.subarray(at, ++at)), 40);
    expect((await client.closed).code).toBe(1008);
    clearInterval(slow);
    expect(Date.now() - began).toBeLessThan(2_500);
  });
});
