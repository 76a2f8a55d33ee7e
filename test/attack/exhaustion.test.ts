import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { responseTo } from "../helpers/dialog.ts";
import { chainSecret, globexSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { code, credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { header, recordRoutes, request, tagOf, uriOf } from "../helpers/raw-sip.ts";
import { Scene, type User } from "../helpers/scene.ts";
import { startTrunk, type Trunk } from "../helpers/trunk.ts";

let kamailio: Kamailio;
let trunk: Trunk;
const gateways: TestGateway[] = [];

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
  trunk = await startTrunk({ host: "127.0.0.33", scenario: "answer" });
});

afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.close();
});

afterAll(async () => {
  await trunk?.stop();
  await kamailio?.stop();
});

async function gatewayWith(settings: Partial<Parameters<typeof startGateway>[0]> = {}): Promise<TestGateway> {
  const gateway = await startGateway({ upstreamUrls: [kamailio.wsUrl], trunk: trunk.uri, ...settings });
  gateways.push(gateway);
  return gateway;
}

const call = (to: string, more: object = {}) => ({
  method: "INVITE",
  uri: `sip:${to}@acme.example`,
  from: "alice@acme.example",
  to: `${to}@acme.example`,
  fromTag: unique(),
  callId: `c-${unique()}`,
  cseq: 1,
  ...more,
});

describe("a stranger who does not read", () => {
  const count = 1_500;
  const vias = Array.from({ length: 80 }, (_, at) => `Via: SIP/2.0/WS ${"v".repeat(200)}.invalid;branch=z9hG4bKx${at}`);
  const long = (): string => request({ ...call("bob"), method: "OPTIONS", extra: vias });
  const challenged = (gateway: TestGateway): Promise<number> =>
    gateway.metric('postern_verdicts_total{code="challenged"}');

  it("is no longer read from: what it is owed does not grow", async () => {
    const gateway = await gatewayWith({ gateway: "  limits: { messagesPerSecond: 0 }" });
    const client = await RawClient.connect(gateway.gatewayUrl);
    client.socket.pause();
    for (let sent = 0; sent < count; sent++) client.send(long());
    let before = -1;
    await expect
      .poll(
        async () => {
          const now = await challenged(gateway);
          const settled = now === before && now > 0;
          before = now;
          return settled;
        },
        { interval: 200, timeout: 10_000 },
      )
      .toBe(true);
    expect(before).toBeLessThan(count * 0.9);
    client.socket.terminate();
  });

  it("twin: who reads gets every answer", async () => {
    const gateway = await gatewayWith({ gateway: "  limits: { messagesPerSecond: 0 }" });
    const client = await RawClient.connect(gateway.gatewayUrl);
    for (let sent = 0; sent < count; sent++) client.send(long());
    await expect.poll(() => client.received.length, { timeout: 10_000 }).toBe(count);
    client.close();
  });
});

describe("an upgrade that is refused", () => {
  it("does not keep its socket", async () => {
    const gateway = await gatewayWith();
    const { hostname, port } = new URL(gateway.gatewayUrl);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const lines = [
      "GET / HTTP/1.1",
      "Host: x",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
    ];
    socket.write(`${lines.join("\r\n")}\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 /);
    socket.resume();
    await once(socket, "end");
    // Our half stays open on purpose: a gateway that kept its own could not close.
    const asked = Date.now();
    await gateways.pop()!.close();
    expect(Date.now() - asked).toBeLessThan(4_000);
    socket.destroy();
  });
});

describe("TCP connections that never become a WebSocket", () => {
  const knocking: Socket[] = [];
  afterEach(() => {
    for (const socket of knocking.splice(0)) socket.destroy();
  });
  const comes = async (gateway: TestGateway, localAddress: string): Promise<Socket> => {
    const socket = connect({ host: "127.0.0.1", port: Number(new URL(gateway.gatewayUrl).port), localAddress });
    await once(socket.on("error", () => socket.destroy()), "connect");
    return socket;
  };
  const knock = async (gateway: TestGateway, localAddress: string): Promise<"open" | "closed"> => {
    const socket = await comes(gateway, localAddress);
    knocking.push(socket);
    const closed = new Promise<"closed">((resolve) => socket.resume().once("close", () => resolve("closed")));
    return Promise.race([closed, new Promise<"open">((resolve) => setTimeout(resolve, 200, "open"))]);
  };

  it("are closed above twice what an address may have, and others come in", async () => {
    const gateway = await gatewayWith({ gateway: "  limits: { connectionsPerAddress: 2 }" });
    const outcomes: string[] = [];
    for (let at = 0; at < 6; at++) outcomes.push(await knock(gateway, "127.0.0.77"));
    expect(outcomes).toEqual(["open", "open", "open", "open", "closed", "closed"]);
    const neighbour = await RawClient.connect(gateway.gatewayUrl);
    expect(status(await neighbour.register("alice@acme.example", credential("alice@acme.example")))).toBe(200);
    neighbour.close();
  });

  it.each(["ws", "wss"])(
    "and come and go are hardly let in of such an address, and all from elsewhere, over %s",
    async (scheme) => {
      const gateway = await gatewayWith({ listen: `${scheme}://127.0.0.1:0` });
      expect(await knock(gateway, "127.0.0.9")).toBe("open");
      let coming = true;
      onTestFinished(() => void (coming = false));
      const flood = (async () => {
        while (coming) (await comes(gateway, "127.0.0.9")).destroy();
      })();
      await expect.poll(() => knock(gateway, "127.0.0.9"), { timeout: 15_000 }).toBe("closed");
      const elsewhere = await Promise.all(Array.from({ length: 20 }, () => knock(gateway, "127.0.0.10")));
      expect(new Set(elsewhere)).toEqual(new Set(["open"]));
      const neighbour = await RawClient.connect(gateway.gatewayUrl, { ws: { rejectUnauthorized: false } });
      expect(status(await neighbour.register("alice@acme.example", credential("alice@acme.example")))).toBe(200);
      neighbour.close();
      coming = false;
      await flood;
      await expect.poll(() => knock(gateway, "127.0.0.9"), { timeout: 15_000 }).toBe("open");
    },
  );
});

describe("connections that say nothing at all", () => {
  it.each([
    ["where a PROXY header is due", '  trustedProxies: ["127.0.0.0/8"]\n  proxyProtocol: on', undefined],
    ["where TLS is due", "", "wss://127.0.0.1:0"],
  ])("do not keep the gateway from stopping, %s", async (_, lines, listen) => {
    const gateway = await gatewayWith({ gateway: lines, ...(listen && { listen }) });
    const silent = connect({ host: "127.0.0.1", port: Number(new URL(gateway.gatewayUrl).port) });
    silent.on("error", () => silent.destroy());
    await once(silent, "connect");
    const asked = Date.now();
    await gateways.pop()!.close();
    expect(Date.now() - asked).toBeLessThan(4_000);
    silent.destroy();
  });
});

describe("a connection that was told to go", () => {
  it("is not served, logged or counted any more, however much it sends", async () => {
    const gateway = await gatewayWith({ gateway: "  limits: { messagesPerSecond: 5 }" });
    const client = await RawClient.connect(gateway.gatewayUrl);
    for (let sent = 0; sent < 500; sent++) client.send(request({ ...call("bob"), method: "OPTIONS" }));
    expect((await client.closed).code).toBe(4429);
    const closed = gateway.log().filter((line) => line.msg === "closed");
    expect(closed).toHaveLength(1);
  });
});

describe("a leg whose upstream closes", () => {
  /** A fake upstream, for Kamailio cannot be made to close one connection and to count the others. */
  async function fakeUpstream() {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "sip" });
    const live = new Set<WebSocket>();
    server.on("connection", (socket) => {
      live.add(socket);
      socket.on("close", () => live.delete(socket));
      socket.on("message", (data: Buffer) => {
        const text = data.toString();
        const kept = ["Via", "From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${header(text, name)}`);
        socket.send(["SIP/2.0 200 OK", ...kept, "Content-Length: 0", "", ""].join("\r\n"));
      });
    });
    await once(server, "listening");
    return { url: `ws://127.0.0.1:${(server.address() as { port: number }).port}`, live, server };
  }

  it("has one upstream socket again, not two, and none when the client is gone", async () => {
    const upstream = await fakeUpstream();
    const gateway = await gatewayWith({ upstreamUrls: [upstream.url], proxyProtocol: "off" });
    const client = await RawClient.connect(gateway.gatewayUrl);
    const proof = credential("alice@acme.example");
    expect(status(await client.register("alice@acme.example", proof))).toBe(200);
    for (const socket of upstream.live) socket.terminate();
    await expect.poll(() => gateway.log().some((line) => line.msg === "upstream lost")).toBe(true);
    expect(status(await client.register("alice@acme.example", proof))).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 600)); // past the leg's own first retry
    expect(upstream.live.size).toBe(1);
    client.socket.terminate();
    await expect.poll(() => upstream.live.size).toBe(0);
    upstream.server.close();
  });
});

describe("calls above the customer's limit", () => {
  const limited = { acme: "    limits: { calls: 2 }" };

  it.each([
    ["share one Call-ID", () => "one-call-id"],
    ["have a Call-ID each", unique],
  ])("are refused where they %s", async (_, callIdOf) => {
    const gateway = await gatewayWith(limited);
    const bob = await RawClient.connect(gateway.gatewayUrl);
    expect(status(await bob.register("bob@acme.example", credential("bob@acme.example")))).toBe(200);
    const client = await RawClient.connect(gateway.gatewayUrl);
    const proof = credential("alice@acme.example");
    for (const cseq of [1, 11]) {
      const ringing = client.prove(call("bob", { callId: callIdOf(), cseq }), proof).catch(() => "");
      await bob.take((message) => message.startsWith("INVITE "));
      void ringing;
    }
    const third = await client.prove(call("bob", { callId: callIdOf(), cseq: 21 }), proof);
    expect([status(third), code(third)]).toEqual([503, "limit-reached"]);
    expect(bob.received.filter((message) => message.startsWith("INVITE "))).toEqual([]);
    client.socket.terminate();
    bob.close();
  });
});

describe("a call whose caller says that it is over, so that it is not", () => {
  /** answered: how the spoilt BYE is. */
  async function spoilt(scene: Scene, spoil: (bye: string) => string, answered: number): Promise<User> {
    const alice = await scene.user("alice");
    const parts = alice.parts("INVITE", "sip:+3225887001@acme.example");
    const ok = await alice.client.prove(parts, alice.given);
    expect(status(ok)).toBe(200);
    const place = { uri: uriOf(header(ok, "Contact")), toTag: tagOf(header(ok, "To")) };
    const inside = { ...parts, ...place, routes: recordRoutes(ok).reverse() };
    alice.client.send(request({ ...inside, method: "ACK", cseq: 2 }));
    const bye = spoil(request({ ...inside, method: "BYE", cseq: 3 }));
    alice.client.send(bye);
    expect(status(await responseTo(alice, bye))).toBe(answered);
    return alice;
  }

  async function opened(): Promise<Scene> {
    const scene = await Scene.open({ trunk: "answer", acme: "    limits: { calls: 1 }" });
    onTestFinished(() => scene.close());
    return scene;
  }

  it("counts, and is ended when the caller is gone: a BYE with a number that does not rise", async () => {
    const scene = await opened();
    const alice = await spoilt(scene, (bye) => bye.replace(/^CSeq: \d+/m, "CSeq: 1"), 481);
    const second = await alice.prove("INVITE", "sip:+3225887002@acme.example");
    expect([status(second), code(second)]).toEqual([503, "limit-reached"]);
    alice.client.close();
    await scene.trunk.waitFor((message) => message.startsWith("BYE "));
  });

  it("is ended by the gateway's own BYE, its caller still there: a BYE that goes nowhere", async () => {
    const scene = await opened();
    const alice = await spoilt(scene, (bye) => bye.replace("Max-Forwards: 70", "Max-Forwards: 0"), 483);
    await scene.trunk.waitFor((message) => message.startsWith("BYE "));
    expect(alice.client.socket.readyState).toBe(alice.client.socket.OPEN);
  });
});

describe("calls that begin at once on many connections", () => {
  it("are counted before their legs are open", async () => {
    const gateway = await gatewayWith({ acme: "    limits: { calls: 2 }" });
    const clients = await Promise.all(Array.from({ length: 8 }, () => RawClient.connect(gateway.gatewayUrl)));
    const outcomes = await Promise.all(
      clients.map((client) => client.prove(call("+3225887003"), credential("alice@acme.example"))),
    );
    expect(outcomes.map(status).filter((one) => one === 200)).toHaveLength(2);
    expect(outcomes.map(code).filter((one) => one === "limit-reached")).toHaveLength(6);
    for (const client of clients) client.close();
  });
});

describe("a CSeq that leaves no number for the BYE", () => {
  it("is refused, so that a client that vanishes can always be taken leave of", async () => {
    const gateway = await gatewayWith();
    const client = await RawClient.connect(gateway.gatewayUrl);
    const parts = call("+3225887004", { cseq: 2 ** 31 });
    client.send(request(parts));
    expect(code(await client.response(parts.callId, parts.cseq, "INVITE"))).toBe("message-malformed");
    client.close();
  });
});

describe("inside a call to the trunk", () => {
  const passing = { acme: "    passHeaders: [X-Voxbone-Context]" };

  async function established(gateway: TestGateway) {
    const client = await RawClient.connect(gateway.gatewayUrl);
    const parts = call("+3225887002");
    const ok = await client.prove(parts, credential("alice@acme.example"));
    expect(status(ok), ok).toBe(200);
    const routes = recordRoutes(ok).reverse();
    const inside = { ...parts, uri: uriOf(header(ok, "Contact")), toTag: tagOf(header(ok, "To")), routes };
    client.send(request({ ...inside, method: "ACK", cseq: 2 }));
    return { client, inside };
  }

  it("only passHeaders reach the trunk", async () => {
    const gateway = await gatewayWith(passing);
    const { client, inside } = await established(gateway);
    const extra = ["X-Evil: 1", "X-Voxbone-Context: shop=8"];
    client.send(request({ ...inside, method: "BYE", cseq: 3, extra }));
    const bye = await trunk.waitFor(
      (message) => message.startsWith("BYE ") && header(message, "Call-ID") === inside.callId,
    );
    expect(header(bye, "X-Evil")).toBeUndefined();
    expect(header(bye, "X-Voxbone-Context")).toBe("shop=8");
    client.close();
  });

  it("REGISTER is no request of a dialog", async () => {
    const gateway = await gatewayWith(passing);
    const { client, inside } = await established(gateway);
    client.send(request({ ...inside, method: "REGISTER", cseq: 3, extra: ["Expires: 999999"] }));
    expect(status(await client.response(inside.callId, 3, "REGISTER"))).toBe(400);
    client.send(request({ ...inside, method: "BYE", cseq: 4 }));
    expect(status(await client.response(inside.callId, 4, "BYE"))).toBe(200);
    expect(trunk.messages().some((message) => message.startsWith("REGISTER "))).toBe(false);
    client.close();
  });
});

describe("wrong passwords above failuresPerMinute", () => {
  const wrong = { ...credential("alice@acme.example"), password: "bm90IHRoaXM=" };
  const tries = async (
    gateway: TestGateway,
    from: (at: number) => string,
    count: number,
  ): Promise<(string | undefined)[]> => {
    const codes: (string | undefined)[] = [];
    for (let at = 0; at < count; at++) {
      const client = await RawClient.connect(gateway.gatewayUrl);
      codes.push(code(await client.prove({ ...call("bob"), method: "MESSAGE", from: from(at) }, wrong)));
      client.close();
    }
    return codes;
  };

  it("are limited however From changes, and only at that address and domain", async () => {
    const gateway = await gatewayWith({ gateway: "  limits: { failuresPerMinute: 3 }" });
    const codes = await tries(gateway, (at) => `alice@h${at}.example`, 5);
    expect(codes).toEqual([...Array(3).fill("credential-rejected"), "rate-limited", "rate-limited"]);
    const neighbour = await RawClient.connect(gateway.gatewayUrl);
    const given = credential("bob@globex.example", { secret: globexSecret });
    expect(status(await neighbour.register("bob@globex.example", given))).toBe(200);
    neighbour.close();
  });

  it("do not stop who was accepted behind the same address, with the credential that it has", async () => {
    const gateway = await gatewayWith({ gateway: "  limits: { failuresPerMinute: 3 }" });
    const accepted = await RawClient.connect(gateway.gatewayUrl);
    const given = credential("alice@acme.example", { ttl: 300 });
    const registers = (at: RawClient, other = given) => at.register("alice@acme.example", other);
    expect(status(await registers(accepted))).toBe(200);
    expect((await tries(gateway, () => "eve@acme.example", 5)).at(-1)).toBe("rate-limited");
    expect(status(await registers(accepted))).toBe(200);
    const parts = { ...call("bob"), method: "MESSAGE", from: "alice@acme.example" };
    expect(status(await accepted.prove(parts, given))).not.toBe(503);
    const guessed = await registers(accepted, { ...given, username: given.username.replace(/^\d+/, "1999999999") });
    expect(code(guessed)).toBe("rate-limited");
    const newcomer = await RawClient.connect(gateway.gatewayUrl);
    expect(code(await registers(newcomer))).toBe("rate-limited");
    for (const client of [accepted, newcomer]) client.close();
  });

  it("are limited for an address that makes domains up", async () => {
    const gateway = await gatewayWith({ gateway: "  limits: { failuresPerMinute: 1 }" });
    const guesses: (string | undefined)[] = [];
    for (let at = 0; at < 12; at++) {
      const client = await RawClient.connect(gateway.gatewayUrl);
      const guess = { ...credential(`alice@d${at}.example`), password: "bm90IHRoaXM=" };
      guesses.push(code(await client.prove({ ...call("bob"), method: "MESSAGE" }, guess)));
      client.close();
    }
    expect(guesses.indexOf("rate-limited")).toBe(10);
  });

  it("twin: a challenge is no failure", async () => {
    const gateway = await gatewayWith({ gateway: "  limits: { failuresPerMinute: 1 }" });
    const client = await RawClient.connect(gateway.gatewayUrl);
    for (let at = 0; at < 5; at++) {
      const parts = { ...call("bob"), method: "MESSAGE" };
      client.send(request(parts));
      expect(status(await client.response(parts.callId, 1, "MESSAGE"))).toBe(407);
    }
    expect(status(await client.register("alice@acme.example", credential("alice@acme.example")))).toBe(200);
    client.close();
  });
});
