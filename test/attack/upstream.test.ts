import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { establish, ring } from "../helpers/dialog.ts";
import { chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, type KamailioOptions, startKamailio } from "../helpers/kamailio.ts";
import { freePort } from "../helpers/ports.ts";
import { code, credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { header, reply } from "../helpers/raw-sip.ts";
import { User } from "../helpers/scene.ts";
import { Tap } from "../helpers/tap.ts";

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function gatewayAt(url: string, settings = {}): Promise<TestGateway> {
  const gateway = await startGateway({ upstreamUrls: [url], ...settings });
  closing.push(() => gateway.close());
  return gateway;
}

async function kamailioWith(options: Partial<KamailioOptions> = {}): Promise<Kamailio> {
  const kamailio = await startKamailio({ chainSecret, ...options });
  closing.push(() => kamailio.stop());
  return kamailio;
}

async function userOf(gateway: TestGateway, name: string): Promise<User> {
  const address = `${name}${unique().replace("-", ".")}@acme.example`;
  const client = await RawClient.connect(gateway.gatewayUrl);
  closing.push(() => client.close());
  return new User(client, address, credential(address, { ttl: 3000 }));
}

const isOpen = ({ client }: User): boolean => client.socket.readyState === client.socket.OPEN;

const register = (user: User): Promise<string> => user.client.register(user.address, user.given);

async function registered(gateway: TestGateway, name: string): Promise<User> {
  const user = await userOf(gateway, name);
  const answer = await register(user);
  expect(status(answer), answer).toBe(200);
  return user;
}

function expectUnavailable(refused: string): void {
  expect([status(refused), code(refused)]).toEqual([503, "upstream-unavailable"]);
  expect(header(refused, "Retry-After")).toMatch(/^[1-9]\d*$/);
}

/** Asked until it says so, for when a leg is open again is nobody's event. */
async function eventually<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (const until = Date.now() + 15_000; Date.now() < until; ) {
    const found = await ask();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what}: not within 15 s`);
}

const warnings = (gateway: TestGateway): string =>
  gateway
    .log()
    .filter(({ level }) => level === "warn" || level === "error")
    .map((line) => JSON.stringify(line))
    .join("\n");

describe("Kamailio that is not there", () => {
  it("is 503 with Retry-After; the socket stays, and is served as soon as Kamailio is there", async () => {
    const wsPort = await freePort();
    const gateway = await gatewayAt(`ws://127.0.0.1:${wsPort}`);
    const user = await userOf(gateway, "alice");
    expectUnavailable(await register(user));
    expectUnavailable(await user.prove("MESSAGE", "sip:nobody@acme.example"));
    expect(isOpen(user)).toBe(true);
    expect(warnings(gateway)).toMatch(/nobody listens/);
    const kamailio = await kamailioWith({ wsPort });
    const callId = `late-${unique()}`;
    const answer = await user.client.register(user.address, user.given, { callId });
    expect(status(answer), answer).toBe(200);
    await kamailio.waitFor((seen) => seen.method === "REGISTER" && seen.header("Call-ID") === callId);
    expect(kamailio.saw().filter((seen) => seen.way === "in" && seen.method === "MESSAGE")).toEqual([]);
  });
});

describe("Kamailio that is killed in the middle of a call", () => {
  it("leaves no request unanswered, no socket closed, and comes back with every binding and call", async () => {
    const first = await startKamailio({ chainSecret });
    closing.push(() => first.kill());
    const gateway = await gatewayAt(first.wsUrl);
    const [alice, bob, carol] = [
      await registered(gateway, "alice"),
      await registered(gateway, "bob"),
      await registered(gateway, "carol"),
    ];
    const call = await establish(alice, bob);
    const ringing = await ring(carol, bob);
    const port = first
      .saw()
      .find((seen) => seen.method === "REGISTER" && seen.header("From")?.includes(bob.name))?.port;
    await first.kill();
    expectUnavailable(await ringing.final);
    expect([alice, bob, carol].map(isOpen)).toEqual([true, true, true]);
    expectUnavailable(await carol.prove("MESSAGE", `sip:${bob.address}`));

    const { dir, wsPort } = first;
    const second = await kamailioWith({ dir, wsPort, udpPort: first.udp.port });
    const message = await eventually("a message to bob's old binding", async () => {
      const callId = `again-${unique()}`;
      const asked = carol.prove("MESSAGE", `sip:${bob.address}`, { callId });
      const got = bob.client.take((text) => text.startsWith("MESSAGE ") && text.includes(callId), 2_000);
      got.catch(() => {});
      asked.catch(() => {});
      const came = await Promise.race([got, asked]);
      return came.startsWith("MESSAGE ") ? came : undefined;
    });
    bob.client.send(reply(message, { status: "200 OK" }));
    expect(second.saw().filter((seen) => seen.way === "in" && seen.method === "REGISTER")).toEqual([]);
    const delivered = second.saw().find((seen) => seen.way === "out" && seen.method === "MESSAGE");
    expect(delivered?.port).toBe(port);

    const bye = call.fromCaller("BYE");
    alice.client.send(bye);
    const got = await bob.client.take((text) => text.startsWith("BYE ") && header(text, "Call-ID") === call.callId);
    bob.client.send(reply(got, { status: "200 OK" }));
    await alice.client.take((text) => /^SIP\/2\.0 200 /.test(text) && header(text, "CSeq") === header(bye, "CSeq"));
  }, 40_000);
});

describe("Kamailio that takes no leg", () => {
  it("for another chain secret: 503, a log line that names the grant, and the secrets in none", async () => {
    const kamailio = await kamailioWith();
    const wrong = "another-chain-secret-of-the-tests";
    const gateway = await gatewayAt(kamailio.wsUrl, { chainSecret: wrong });
    const right = await gatewayAt(kamailio.wsUrl);
    const user = await userOf(gateway, "alice");
    expectUnavailable(await register(user));
    expect(isOpen(user)).toBe(true);
    expect(warnings(gateway)).toMatch(/grant/);
    expect(warnings(gateway)).toMatch(/chain\.secret/);
    expect(JSON.stringify(gateway.log())).not.toContain(wrong);
    expect(JSON.stringify(gateway.log())).not.toContain(user.given.password);
    await registered(right, "alice");
    const registers = kamailio.saw().filter((seen) => seen.way === "in" && seen.method === "REGISTER");
    expect(registers).toHaveLength(1);
  });

  it("for want of tcp_accept_haproxy: 503 and a log line that names it", async () => {
    const kamailio = await kamailioWith({ haproxy: false });
    const gateway = await gatewayAt(kamailio.wsUrl);
    const plain = await gatewayAt(kamailio.wsUrl, { proxyProtocol: "off" });
    const user = await userOf(gateway, "alice");
    expectUnavailable(await register(user));
    expect(isOpen(user)).toBe(true);
    expect(warnings(gateway)).toMatch(/tcp_accept_haproxy/);
    await registered(plain, "alice");
    const registers = kamailio.saw().filter((seen) => seen.way === "in" && seen.method === "REGISTER");
    expect(registers).toHaveLength(1);
  });
});

/** Bytes: far more than the kernel's buffers of two connections and the gateway's own bounds together. */
const flood = 128 * 1024 * 1024;
const size = 30_000;
const count = Math.ceil(flood / size);
/** What the sockets of the system may hold for a reader that does not read, and the gateway a quarter of a megabyte. */
const buffers = 40 * 1024 * 1024;

describe("a slow reader", () => {
  let kamailio: Kamailio;
  let tap: Tap;
  beforeAll(async () => {
    kamailio = await startKamailio({ chainSecret, report: false });
    tap = await Tap.open(kamailio.wsPort);
  });
  afterAll(async () => {
    await tap.close();
    await kamailio.stop();
  });

  /** Two users in a call, and the leg of the first. */
  async function call() {
    const gateway = await gatewayAt(tap.url, { gateway: "  limits: { messagesPerSecond: 0 }" });
    const [alice, bob] = [await registered(gateway, "alice"), await registered(gateway, "bob")];
    return { alice, bob, call: await establish(alice, bob), leg: tap.legOf(`From: <sip:${alice.address}>`) };
  }

  it("that is a browser stops its own leg: what is for it waits at Kamailio's side, and comes whole when it reads", async () => {
    const { alice, bob, call: standing, leg } = await call();
    const ack = standing.fromCallee("ACK", { cseq: 7, uri: `sip:${alice.name}@${alice.name}.invalid`, routes: [] });
    const big = ack.replace(/Content-Length: 0\r\n\r\n$/, "");
    alice.client.socket.pause();
    for (let sent = 0; sent < count; sent++) leg.inject(sized(big, sent));
    await settled(() => leg.gateway.writableLength);
    expect(leg.gateway.writableLength).toBeGreaterThan(flood - buffers);
    // The neighbour is served meanwhile.
    expect(status(await bob.prove("OPTIONS", "sip:acme.example"))).toBe(200);
    const acks = numbers(alice);
    alice.client.socket.resume();
    await eventually("every message", async () => (acks.length === count ? true : undefined));
    expect(acks).toEqual(acks.map((_, at) => at));
    expect(leg.gateway.writableLength).toBe(0);
  }, 60_000);

  it("that is Kamailio stops the browser: what it sends waits there, and goes on in order", async () => {
    const { alice, bob, call: standing, leg } = await call();
    const big = standing.fromCaller("ACK", { cseq: 2 }).replace(/Content-Length: 0\r\n\r\n$/, "");
    leg.swallow();
    const before = leg.messages.length;
    leg.gateway.pause();
    for (let sent = 0; sent < count; sent++) alice.client.send(sized(big, sent));
    await settled(() => alice.client.socket.bufferedAmount);
    expect(alice.client.socket.bufferedAmount).toBeGreaterThan(flood - buffers);
    expect(status(await bob.prove("OPTIONS", "sip:acme.example"))).toBe(200);
    leg.gateway.resume();
    await eventually("every message", async () => (leg.messages.length === before + count ? true : undefined));
    expect(alice.client.socket.bufferedAmount).toBe(0);
    const numbered = leg.messages
      .slice(before)
      .map((bytes) => Number(/X-Number: (\d+)/.exec(bytes.toString("latin1", 0, 2000))?.[1]));
    expect(numbered).toEqual(numbered.map((_, at) => at));
  }, 60_000);
});

/** A message of about `size` bytes that ends as begun, with its number. */
function sized(beginning: string, number: number): string {
  const body = "x".repeat(size - beginning.length - 200);
  return `${beginning}X-Number: ${number}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** The numbers of the ACKs that come, as they come; their texts are not kept. */
function numbers({ client }: User): number[] {
  const found: number[] = [];
  client.socket.on("message", () => {
    const text = client.received.pop() ?? "";
    found.push(Number(/X-Number: (\d+)/.exec(text)?.[1]));
  });
  return found;
}

/** Until a figure has not moved for half a second; nothing tells when the kernel's buffers are full. */
async function settled(figure: () => number): Promise<void> {
  let last = -1;
  for (const until = Date.now() + 15_000; Date.now() < until && last !== figure(); ) {
    last = figure();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

describe("an upstream that sends nonsense instead of frames", () => {
  /** A fake upstream, for Kamailio sends none: it takes the upgrade and then says these bytes. */
  async function nonsense(): Promise<{ url: string; close(): void }> {
    const server = createServer();
    server.on("upgrade", (request, socket) => {
      const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
      const accept = createHash("sha1").update(key).digest("base64");
      const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
      socket.on("error", () => {});
      socket.write(`${lines.join("\r\n")}\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: sip\r\n\r\n`);
      setTimeout(() => socket.write(Buffer.from("ffffffff", "hex")), 1);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    return { url: `ws://127.0.0.1:${port}`, close: () => server.close() };
  }

  it("ends no gateway: not by readiness, not by watching, not by a leg", async () => {
    const [one, other] = [await nonsense(), await nonsense()];
    const gateway = await startGateway({ upstreamUrls: [one.url, other.url], proxyProtocol: "off" });
    for (let at = 0; at < 3; at++) await fetch(`${gateway.adminUrl}/readyz`);
    const client = await RawClient.connect(gateway.gatewayUrl);
    const given = credential("alice@acme.example");
    await client.register("alice@acme.example", given).catch(() => "never answered");
    await expect.poll(() => gateway.log().filter((line) => line.msg === "upstream is down").length).toBe(2);
    expect((await fetch(`${gateway.adminUrl}/livez`)).status).toBe(200);
    client.close();
    await gateway.close();
    one.close();
    other.close();
  }, 30_000);
});

describe("an upstream that says something else before it answers a look at it", () => {
  /** A fake upstream, for Kamailio does not: a keep-alive and a stray response come before the right answer. */
  async function chatty(): Promise<{ url: string; answered: () => number; close(): void }> {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "sip" });
    let answered = 0;
    server.on("connection", (socket) => {
      socket.on("message", (data: Buffer) => {
        socket.send("\r\n");
        const other = data.toString().replace(/^Call-ID: .*\r$/m, "Call-ID: of-somebody-else\r");
        socket.send(reply(other, { status: "503 Service Unavailable", tag: "up" }));
        socket.send(reply(data.toString(), { status: "200 OK", tag: "up" }));
        answered++;
      });
    });
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    return { url: `ws://127.0.0.1:${port}`, answered: () => answered, close: () => server.close() };
  }

  it("is up all the same", async () => {
    const [one, other] = [await chatty(), await chatty()];
    const gateway = await gatewayAt(one.url, { upstreamUrls: [one.url, other.url], proxyProtocol: "off" });
    await expect.poll(() => gateway.metric("postern_upstream_up"), { timeout: 8_000 }).toBe(2);
    expect(one.answered() + other.answered()).toBeGreaterThanOrEqual(2);
    expect(gateway.log().filter((line) => line.msg === "upstream is down")).toEqual([]);
    one.close();
    other.close();
  });
});
