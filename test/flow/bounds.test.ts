import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocketServer } from "ws";
import { startGateway, type TestGateway } from "../helpers/gateway.ts";
import { code, credential, RawClient, status } from "../helpers/raw-client.ts";
import { header } from "../helpers/raw-sip.ts";

const gateways: TestGateway[] = [];
const clients: RawClient[] = [];
const servers: WebSocketServer[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const client of clients.splice(0)) client.socket.terminate();
  for (const gateway of gateways.splice(0)) await gateway.close();
  for (const server of servers.splice(0)) server.close();
});

/** An upstream that takes every leg; answers: says 200 to whatever comes. */
async function upstream(answers: () => boolean, heard: string[] = []): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "sip" });
  servers.push(server);
  server.on("connection", (socket) => {
    socket.on("message", (data: Buffer) => {
      const text = data.toString();
      heard.push(text);
      const kept = ["Via", "From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${header(text, name)}`);
      if (answers()) socket.send(["SIP/2.0 200 OK", ...kept, "Content-Length: 0", "", ""].join("\r\n"));
    });
  });
  await once(server, "listening");
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function open(settings: Partial<Parameters<typeof startGateway>[0]> = {}): Promise<TestGateway> {
  const upstreamUrls = settings.upstreamUrls ?? [await upstream(() => true)];
  const gateway = await startGateway({ proxyProtocol: "off", ...settings, upstreamUrls });
  gateways.push(gateway);
  return gateway;
}

async function client(gateway: TestGateway, options?: Parameters<typeof RawClient.connect>[1]): Promise<RawClient> {
  const connected = await RawClient.connect(gateway.gatewayUrl, options);
  clients.push(connected);
  return connected;
}

const sockets = (gateway: TestGateway): Promise<number> => gateway.metric("postern_connections");

describe("who does not answer a close", () => {
  it("is cut off two seconds after it was told to go", async () => {
    const gateway = await open();
    const deaf = await client(gateway);
    deaf.socket.pause();
    deaf.send("no SIP");
    await expect.poll(() => gateway.log().some(({ msg }) => msg === "closed")).toBe(true);
    const began = performance.now();
    await expect.poll(() => sockets(gateway), { timeout: 4_000 }).toBe(0);
    expect(performance.now() - began).toBeGreaterThan(1_500);
  });

  it("twin: who answers it is gone at once", async () => {
    const gateway = await open();
    const other = await client(gateway);
    other.send("no SIP");
    expect((await other.closed).code).toBe(1008);
    await expect.poll(() => sockets(gateway), { timeout: 1_000 }).toBe(0);
  });
});

describe("who was turned away and does not answer the close", () => {
  it("is cut off after two seconds", async () => {
    const origins = '    origins: ["https://www.acme.example"]';
    const gateway = await open({ acme: origins, globex: origins });
    const { port, hostname } = new URL(gateway.gatewayUrl);
    const deaf = connect(Number(port), hostname);
    const fields = ["Host: x", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    const more = ["Sec-WebSocket-Protocol: sip", "Origin: https://evil.example"];
    const key = `Sec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}`;
    deaf.write(["GET / HTTP/1.1", ...fields, key, ...more, "", ""].join("\r\n"));
    expect(String((await once(deaf, "data"))[0])).toMatch(/^HTTP\/1\.1 101 /);
    const began = performance.now();
    await once(deaf, "close");
    expect(performance.now() - began).toBeGreaterThan(1_500);
    expect(performance.now() - began).toBeLessThan(4_000);
  });
});

describe("who is silent for good", () => {
  it("is gone after two pings without an answer; who answers stays", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const gateway = await open();
    const alive = await client(gateway);
    const gone = await client(gateway, { ws: { autoPong: false } });
    for (let round = 0; round < 2; round++) {
      const asked = [alive, gone].map(({ socket }) => once(socket, "ping"));
      vi.advanceTimersByTime(25_000);
      await Promise.all(asked);
      await alive.ask({
        method: "OPTIONS",
        uri: "sip:acme.example",
        from: "a@acme.example",
        to: "b@acme.example",
        fromTag: "1",
        callId: `c${round}`,
        cseq: 1,
      });
    }
    vi.advanceTimersByTime(25_000);
    expect((await gone.closed).code).toBe(1006);
    expect(alive.socket.readyState).toBe(alive.socket.OPEN);
  });
});

describe("legs of a customer above its limit", () => {
  it("are refused, another customer's are not, and there is room when one has left", async () => {
    const gateway = await open({ acme: "    limits: { connections: 2 }" });
    const register = async (user: string, options = {}): Promise<[RawClient, string]> => {
      const one = await client(gateway);
      return [one, await one.register(user, credential(user, options))];
    };
    const [first, answered] = await register("a@acme.example");
    expect(status(answered)).toBe(200);
    expect(status((await register("b@acme.example"))[1])).toBe(200);
    const [third, refused] = await register("c@acme.example");
    expect([status(refused), code(refused)]).toEqual([503, "limit-reached"]);
    const globex = { secret: "the-secret-of-globex-in-tests" };
    expect(status((await register("a@globex.example", globex))[1])).toBe(200);
    first.close();
    await expect.poll(() => gateway.metric("postern_legs")).toBe(2);
    expect(status(await third.register("c@acme.example", credential("c@acme.example")))).toBe(200);
  });
});

describe("legs of one user above its limit", () => {
  it("are refused, another user's are not", async () => {
    const gateway = await open({ acme: "    limits: { connectionsPerUser: 1 }" });
    const register = async (user: string): Promise<string> => (await client(gateway)).register(user, credential(user));
    expect(status(await register("a@acme.example"))).toBe(200);
    const refused = await register("a@acme.example");
    expect([status(refused), code(refused)]).toEqual([503, "limit-reached"]);
    expect(status(await register("b@acme.example"))).toBe(200);
  });
});

describe("a client that bound much", () => {
  it("takes back ten bindings at most when it is gone, the newest", async () => {
    const heard: string[] = [];
    const gateway = await open({ upstreamUrls: [await upstream(() => true, heard)] });
    const one = await client(gateway);
    for (const part of [0, 1, 2]) {
      const contact = Array.from({ length: 5 }, (_, at) => `<sip:c${part * 5 + at}@a.invalid>`).join(", ");
      const answered = await one.register("a@acme.example", credential("a@acme.example"), { contact });
      expect(status(answered)).toBe(200);
    }
    one.socket.terminate();
    await expect.poll(() => gateway.metric("postern_legs")).toBe(0);
    const taken = [...(heard.at(-1)?.matchAll(/^Contact: <sip:c(\d+)@a\.invalid>;expires=0\r$/gm) ?? [])];
    expect(taken.map(([, number]) => Number(number))).toEqual(Array.from({ length: 10 }, (_, at) => 5 + at));
  });
});

describe("a farewell that upstream does not answer", () => {
  it("is waited for three seconds, and the leg is over", async () => {
    let answers = true;
    const gateway = await open({ upstreamUrls: [await upstream(() => answers)] });
    const one = await client(gateway);
    expect(status(await one.register("a@acme.example", credential("a@acme.example")))).toBe(200);
    answers = false;
    one.socket.terminate();
    const began = performance.now();
    await expect.poll(() => gateway.metric("postern_legs"), { timeout: 6_000, interval: 100 }).toBe(0);
    expect(performance.now() - began).toBeGreaterThan(2_500);
  });

  it("twin: ends the leg at once where it is answered", async () => {
    const gateway = await open();
    const one = await client(gateway);
    expect(status(await one.register("a@acme.example", credential("a@acme.example")))).toBe(200);
    one.socket.terminate();
    await expect.poll(() => gateway.metric("postern_legs"), { timeout: 1_500 }).toBe(0);
  });
});
