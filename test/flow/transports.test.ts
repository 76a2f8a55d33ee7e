import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { code, credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { header, reply, request } from "../helpers/raw-sip.ts";

let kamailio: Kamailio;
const gateways: TestGateway[] = [];

const gatewayOn = async (settings: Partial<Parameters<typeof startGateway>[0]>): Promise<TestGateway> => {
  const gateway = await startGateway({ upstreamUrls: kamailio.wsUrls, ...settings });
  gateways.push(gateway);
  return gateway;
};

const registered = async (client: RawClient, user: string): Promise<string> => {
  const callId = `reg-${unique()}`;
  const answered = await client.register(`${user}@acme.example`, credential(`${user}@acme.example`), { callId });
  expect(status(answered), answered).toBe(200);
  return callId;
};

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret, host: ["127.0.0.1", "::1"] });
});

afterAll(async () => {
  for (const gateway of gateways) await gateway.close();
  await kamailio?.stop();
});

describe("the browser's side", () => {
  it("speaks wss", async () => {
    const gateway = await gatewayOn({ listen: "wss://127.0.0.1:0" });
    expect(gateway.gatewayUrl).toMatch(/^wss:\/\/127\.0\.0\.1:\d+$/);
    const ca = readFileSync(join(gateway.folder, "gateway-cert.pem"));
    const client = await RawClient.connect(gateway.gatewayUrl.replace("127.0.0.1", "localhost"), { ws: { ca } });
    await registered(client, "tls");
    client.close();
  });

  it("is on IPv6 too, and a call from IPv4 reaches it there", async () => {
    const six = await gatewayOn({ listen: "ws://[::1]:0" });
    const bob = await RawClient.connect(six.gatewayUrl);
    const callId = await registered(bob, "bob6");
    const seen = await kamailio.waitFor((one) => one.method === "REGISTER" && one.header("Call-ID") === callId);
    expect(seen.host).toMatch(/::1/);
    const four = await gatewayOn({});
    const alice = await RawClient.connect(four.gatewayUrl);
    const message = {
      method: "MESSAGE",
      uri: "sip:bob6@acme.example",
      from: "alice4@acme.example",
      to: "bob6@acme.example",
    };
    const sent = alice.prove(
      { ...message, fromTag: "a", callId: `msg-${unique()}`, cseq: 1 },
      credential("alice4@acme.example"),
    );
    const arrived = await bob.take((one) => one.startsWith("MESSAGE "));
    expect(header(arrived, "X-Postern-Grant")).toBeUndefined();
    bob.send(reply(arrived, { status: "200 OK", tag: "b" }));
    expect(status(await sent)).toBe(200);
    alice.close();
    bob.close();
  });

  it("on IPv6 without an IPv6 upstream is told so, and the log names what to add", async () => {
    const gateway = await gatewayOn({ listen: "ws://[::1]:0", upstreamUrls: [kamailio.wsUrl] });
    const client = await RawClient.connect(gateway.gatewayUrl);
    const answered = await client.register("eve@acme.example", credential("eve@acme.example"));
    expect([status(answered), code(answered)]).toEqual([503, "upstream-unavailable"]);
    expect(JSON.stringify(gateway.log())).toContain("no upstream url is on IPv6");
    client.close();
  });
});

describe("the announced address", () => {
  it("is the browser's own, read by Kamailio from a PROXY header", async () => {
    const gateway = await gatewayOn({});
    const client = await RawClient.connect(gateway.gatewayUrl);
    const callId = await registered(client, "carol");
    const seen = await kamailio.waitFor((one) => one.method === "REGISTER" && one.header("Call-ID") === callId);
    const own = (client.socket as unknown as { _socket: { localPort: number } })._socket.localPort;
    expect([seen.host, seen.port]).toEqual(["127.0.0.1", own]);
    client.close();
  });
});

describe("a credential that ends during a call", () => {
  it("cuts nothing inside the dialog, and nothing new goes under it", async () => {
    const gateway = await gatewayOn({});
    const bob = await RawClient.connect(gateway.gatewayUrl);
    await registered(bob, "bob");
    const alice = await RawClient.connect(gateway.gatewayUrl);
    const short = credential("alice@acme.example", { ttl: 2 });
    const call = { uri: "sip:bob@acme.example", from: "alice@acme.example", to: "bob@acme.example", fromTag: "a1" };
    const callId = `call-${unique()}`;
    const accepted = alice.prove({ ...call, method: "INVITE", callId, cseq: 1 }, short);
    const invite = await bob.take((one) => one.startsWith("INVITE "));
    bob.send(reply(invite, { status: "200 OK", tag: "b1", contact: "<sip:bob@bob.invalid;transport=ws>" }));
    const ok = await accepted;
    expect(status(ok), ok).toBe(200);
    const target = /<([^>]*)>/.exec(header(ok, "Contact") ?? "")?.[1] ?? "";
    const routes = ok.split("\r\n").filter((line) => line.startsWith("Record-Route:"));
    const inside = { ...call, uri: target, toTag: "b1", callId };
    const routed = routes.map((line) => line.slice("Record-Route:".length).trim()).reverse();
    alice.send(request({ ...inside, method: "ACK", cseq: 2, routes: routed }));
    await bob.take((one) => one.startsWith("ACK "));

    await new Promise((resolve) => setTimeout(resolve, 3_100)); // the credential's own lifetime
    const late = await alice.prove({ ...call, method: "MESSAGE", callId: `late-${unique()}`, cseq: 1 }, short);
    expect([status(late), code(late)]).toEqual([403, "credential-expired"]);
    alice.send(request({ ...inside, method: "BYE", cseq: 3, routes: routed }));
    const bye = await bob.take((one) => one.startsWith("BYE "));
    bob.send(reply(bye, { status: "200 OK" }));
    expect(status(await alice.response(callId, 3, "BYE"))).toBe(200);

    alice.send(request({ ...inside, method: "INFO", cseq: 4, routes: routed }));
    expect(status(await alice.response(callId, 4, "INFO"))).toBe(407);
    const renewed = alice.prove(
      { ...call, method: "MESSAGE", callId: `new-${unique()}`, cseq: 1 },
      credential("alice@acme.example"),
    );
    bob.send(reply(await bob.take((one) => one.startsWith("MESSAGE ")), { status: "200 OK", tag: "b2" }));
    expect(status(await renewed)).toBe(200);
    alice.close();
    bob.close();
  });
});
