import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { freePort } from "../helpers/ports.ts";
import { code, credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { header, recordRoutes, reply, request, tagOf, uriOf } from "../helpers/raw-sip.ts";

let kamailio: Kamailio;
const gateways: TestGateway[] = [];
const clients: RawClient[] = [];

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.terminate();
  for (const gateway of gateways.splice(0)) await gateway.close();
});

afterAll(() => kamailio?.stop());

async function gatewayWith(settings: Partial<Parameters<typeof startGateway>[0]> = {}): Promise<TestGateway> {
  const gateway = await startGateway({ upstreamUrls: [kamailio.wsUrl], ...settings });
  gateways.push(gateway);
  return gateway;
}

async function client(gateway: TestGateway): Promise<RawClient> {
  const made = await RawClient.connect(gateway.gatewayUrl);
  clients.push(made);
  return made;
}

const register = async (one: RawClient, user: string): Promise<string> =>
  one.register(`${user}@acme.example`, credential(`${user}@acme.example`));

const message = (to: string, more: object = {}) => ({
  method: "MESSAGE",
  uri: `sip:${to}@acme.example`,
  from: "alice@acme.example",
  to: `${to}@acme.example`,
  fromTag: unique(),
  callId: `m-${unique()}`,
  cseq: 1,
  ...more,
});

/** A call between alice and bob that stands; and how alice ends it. */
async function standingCall(gateway: TestGateway) {
  const [alice, bob] = [await client(gateway), await client(gateway)];
  expect(status(await register(bob, "bob"))).toBe(200);
  const parts = { ...message("bob"), method: "INVITE" };
  const answered = alice.prove(parts, credential("alice@acme.example"));
  const invite = await bob.take((one) => one.startsWith("INVITE "));
  bob.send(reply(invite, { status: "200 OK", tag: "b", contact: "<sip:bob@bob.invalid;transport=ws>" }));
  const ok = await answered;
  expect(status(ok), ok).toBe(200);
  const inside = {
    ...parts,
    uri: uriOf(header(ok, "Contact")),
    toTag: tagOf(header(ok, "To")),
    routes: recordRoutes(ok).reverse(),
  };
  alice.send(request({ ...inside, method: "ACK", cseq: 2 }));
  await bob.take((one) => one.startsWith("ACK "));
  const hangUp = async (): Promise<number> => {
    alice.send(request({ ...inside, method: "BYE", cseq: 9 }));
    bob.send(reply(await bob.take((one) => one.startsWith("BYE ")), { status: "200 OK" }));
    return status(await alice.response(parts.callId, 9, "BYE"));
  };
  return { alice, bob, hangUp };
}

describe("a reload", () => {
  it("takes a right away at once on an open socket, and a call stands through it", async () => {
    const gateway = await gatewayWith();
    const { alice, hangUp } = await standingCall(gateway);
    expect(gateway.change({ acme: "    methods: [REGISTER]" })).toEqual([]);
    const refused = await alice.prove(message("bob"), credential("alice@acme.example"));
    expect([status(refused), code(refused)]).toEqual([403, "method-denied"]);
    expect(await hangUp()).toBe(200);
  });

  it("takes up another chain secret: Kamailio with the old one refuses, and with the old one again takes it", async () => {
    const gateway = await gatewayWith();
    const alice = await client(gateway);
    expect(status(await register(alice, "alice"))).toBe(200);
    gateway.change({ chainSecret: "another-secret-of-the-chain" });
    expect(code(await register(alice, "alice"))).toBe("upstream-unavailable");
    gateway.change({});
    expect(status(await register(alice, "alice"))).toBe(200);
  });

  it("takes up other limits", async () => {
    const gateway = await gatewayWith();
    const alice = await client(gateway);
    expect(status(await register(alice, "alice"))).toBe(200);
    gateway.change({ gateway: "  limits: { messageBytes: 300 }" });
    expect(code(await register(alice, "alice"))).toBe("message-too-big");
  });

  it("says what needs a restart and leaves it as it was", async () => {
    const gateway = await gatewayWith();
    expect(gateway.change({ listen: "ws://127.0.0.1:1", more: "state: redis://127.0.0.1" })).toEqual([
      "gateway.listen",
      "state",
    ]);
    expect(status(await register(await client(gateway), "alice"))).toBe(200);
  });

  it("makes who was proved by a secret that is gone prove anew", async () => {
    const gateway = await gatewayWith();
    const { alice, hangUp } = await standingCall(gateway);
    gateway.change({ acmeSecret: "quite-another-secret-of-acme" });
    const refused = await alice.prove(message("bob"), credential("alice@acme.example"));
    expect(code(refused)).toBe("credential-rejected");
    const fresh = credential("alice@acme.example", { secret: "quite-another-secret-of-acme" });
    const invite = alice.prove(message("nobody"), fresh);
    expect(status(await invite)).toBe(480);
    expect(await hangUp()).toBe(200);
  });

  it.each([
    ["another value under the old secret's id", { acmeSecret: "another-value-under-the-old-id", acmeSecretId: "k1" }],
    [
      "origins that the page is not of",
      { acme: '    origins: ["https://only.example"]', gateway: "  allowMissingOrigin: false" },
    ],
  ])("makes an open connection prove anew by %s, and delivers it nothing meanwhile", async (_, changed) => {
    const gateway = await gatewayWith();
    const other = await gatewayWith();
    const alice = await client(gateway);
    expect(status(await register(alice, "alice"))).toBe(200);
    const calling = await client(other);
    const before = calling.prove(message("alice", { from: "bob@acme.example" }), credential("bob@acme.example"));
    alice.send(reply(await alice.take((one) => one.startsWith("MESSAGE ")), { status: "200 OK", tag: "a" }));
    expect(status(await before)).toBe(200);
    gateway.change(changed);
    const after = await calling.prove(message("alice", { from: "bob@acme.example" }), credential("bob@acme.example"));
    expect(status(after)).toBe(480);
    expect(alice.received.filter((one) => one.startsWith("MESSAGE "))).toEqual([]);
  });

  it("takes up replaced certificate files, and a call on the old one stands", async () => {
    const gateway = await gatewayWith({ listen: "wss://127.0.0.1:0" });
    const fingerprint = async (): Promise<string> => {
      const { port } = new URL(gateway.gatewayUrl);
      const socket = connect({ host: "127.0.0.1", port: Number(port), rejectUnauthorized: false });
      await once(socket, "secureConnect");
      const found = socket.getPeerCertificate().fingerprint256;
      socket.destroy();
      return found;
    };
    const before = await fingerprint();
    const ca = readFileSync(join(gateway.folder, "gateway-cert.pem"));
    const old = await RawClient.connect(gateway.gatewayUrl.replace("127.0.0.1", "localhost"), { ws: { ca } });
    clients.push(old);
    gateway.renewCertificate();
    gateway.change({});
    expect(await fingerprint()).not.toBe(before);
    expect(status(await register(old, "alice"))).toBe(200);
  });
});

describe("a drain", () => {
  it("refuses new sockets and calls, lets a call end, and then dismisses everybody with 1001", async () => {
    const gateway = await gatewayWith({ more: "drain: { seconds: 4 }" });
    const { alice, bob, hangUp } = await standingCall(gateway);
    const idle = await client(gateway);
    const drained = gateway.drain();
    await expect(RawClient.connect(gateway.gatewayUrl)).rejects.toThrow("HTTP 503");
    expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(503);
    const another = await alice.prove({ ...message("bob"), method: "INVITE" }, credential("alice@acme.example"));
    expect([status(another), code(another)]).toEqual([503, "draining"]);
    expect(header(another, "Retry-After")).toBeDefined();
    const other = await gatewayWith();
    const calling = await client(other);
    const ringing = await calling.prove(
      { ...message("bob"), method: "INVITE", from: "carol@acme.example" },
      credential("carol@acme.example"),
    );
    expect(status(ringing), "a call into the gateway that drains").toBe(480);
    expect(bob.received.filter((one) => one.startsWith("INVITE "))).toEqual([]);
    expect((await idle.closed).code).toBe(1001);
    expect(alice.socket.readyState).toBe(alice.socket.OPEN);
    expect(await hangUp()).toBe(200);
    expect((await alice.closed).code).toBe(1001);
    expect((await bob.closed).code).toBe(1001);
    await drained;
  }, 30_000);

  it("ends calls when its time is up, with a BYE to the other side", async () => {
    const gateway = await gatewayWith({ more: "drain: { seconds: 1 }" });
    const other = await gatewayWith();
    const bob = await client(other);
    expect(status(await register(bob, "bob7"))).toBe(200);
    const alice = await client(gateway);
    const answered = alice.prove({ ...message("bob7"), method: "INVITE" }, credential("alice@acme.example"));
    const invite = await bob.take((one) => one.startsWith("INVITE "));
    bob.send(reply(invite, { status: "200 OK", tag: "b", contact: "<sip:bob7@bob7.invalid;transport=ws>" }));
    expect(status(await answered)).toBe(200);
    const began = performance.now();
    await gateway.drain();
    expect(performance.now() - began).toBeLessThan(6_000);
    expect((await alice.closed).code).toBe(1001);
    await bob.take((one) => one.startsWith("BYE "));
  });
});

describe("several upstream urls", () => {
  /** A fake upstream, for Kamailio cannot be made to take connections and say nothing. */
  async function dumb(): Promise<{ url: string; server: Server; sockets: Set<Socket> }> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {}).resume();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return { url: `ws://127.0.0.1:${(server.address() as { port: number }).port}`, server, sockets };
  }

  it("fail over to the next, and come back", async () => {
    const first = await startKamailio({ chainSecret });
    const gateway = await gatewayWith({ upstreamUrls: [first.wsUrl, kamailio.wsUrl] });
    const ws = { localAddress: "127.0.0.1", localPort: await freePort("127.0.0.1") };
    const alice = await RawClient.connect(gateway.gatewayUrl, { ws });
    expect(status(await register(alice, "fay"))).toBe(200);
    await first.waitFor((seen) => seen.method === "REGISTER" && seen.raw.includes("fay"));
    await first.kill();
    await expect.poll(() => gateway.log().some((line) => line.msg === "upstream lost")).toBe(true);
    expect(status(await register(alice, "fay"))).toBe(200);
    await kamailio.waitFor((seen) => seen.method === "REGISTER" && seen.raw.includes("fay"));
    await expect
      .poll(() => gateway.log().some((line) => line.msg === "upstream is down"), { timeout: 15_000 })
      .toBe(true);
    const again = await startKamailio({ chainSecret, dir: first.dir, wsPort: first.wsPort, udpPort: first.udp.port });
    await expect
      .poll(() => gateway.log().some((line) => line.msg === "upstream is up again"), { timeout: 15_000 })
      .toBe(true);
    // The first one has fay's binding still, whatever the second says: nobody else may announce her address.
    alice.reset();
    await kamailio.waitFor((seen) => seen.raw.includes("fay") && seen.raw.includes("expires=0"));
    await expect.poll(() => gateway.metric("postern_legs")).toBe(0);
    const next = await RawClient.connect(gateway.gatewayUrl, { ws });
    clients.push(next);
    expect(status(await register(next, "hers"))).toBe(200);
    const other = await again.waitFor((seen) => seen.method === "REGISTER" && seen.raw.includes("sip:hers@"));
    expect(other.port).not.toBe(ws.localPort);
    expect(status(await register(await client(gateway), "gus"))).toBe(200);
    await again.waitFor((seen) => seen.method === "REGISTER" && seen.raw.includes("gus"));
    await again.stop();
  }, 60_000);

  it("with one that takes connections and says nothing: it is found out, and nobody is sent there", async () => {
    const silent = await dumb();
    const gateway = await gatewayWith({ upstreamUrls: [silent.url, kamailio.wsUrl] });
    await expect
      .poll(() => gateway.log().some((line) => line.msg === "upstream is down"), { timeout: 15_000 })
      .toBe(true);
    const taken = silent.sockets.size;
    expect(status(await register(await client(gateway), "hal"))).toBe(200);
    expect(silent.sockets.size).toBeLessThanOrEqual(taken + 1); // the next look at it, no leg
    for (const socket of silent.sockets) socket.destroy();
    silent.server.close();
  }, 30_000);
});

describe("goneSeconds", () => {
  it("keeps a call that long after its browser's socket is gone, then ends it", async () => {
    const gateway = await gatewayWith({ gateway: "  limits: { goneSeconds: 1 }" });
    const { alice, bob } = await standingCall(gateway);
    alice.socket.terminate();
    const gone = Date.now();
    await bob.take((one) => one.startsWith("BYE "));
    expect(Date.now() - gone).toBeGreaterThan(900);
    expect(Date.now() - gone).toBeLessThan(6_000);
  });
});
