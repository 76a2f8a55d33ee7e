import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { sealTrunkAuth } from "../../src/gateway/outward.ts";
import { ConfigFolder } from "../helpers/config-file.ts";
import { startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { callOf, Legs, withinCall } from "../helpers/legs.ts";
import { freePort } from "../helpers/ports.ts";
import { credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { header, headers, isReply, reply, request } from "../helpers/raw-sip.ts";
import { startCaller } from "../helpers/trunk.ts";
import { proves } from "../helpers/trunk-digest.ts";
import { openUdpSink } from "../helpers/udp-sink.ts";
import { withHeaders } from "../helpers/upstream-client.ts";

const directory = fileURLToPath(new URL("../../kamailio/", import.meta.url));
const chainSecret = "0123456789abcdef0123456789abcdef";
let core: Kamailio;
let edge: Kamailio;
let gateway: TestGateway;
let port = 56_000;
const legs = new Legs(() => core);

beforeAll(async () => {
  const [wsPort, udpPort, edgePort] = [await freePort(), await freePort(), await freePort()];
  gateway = await startGateway({
    upstreamUrls: [`ws://127.0.0.1:${wsPort}`],
    chainSecret,
    trunk: "sip:127.0.0.14:5060;transport=tcp",
    acme: '    inbound: { "+3225887000": reception }\n',
  });
  const watch = { TRUNK_PATIENCE: 1_500, TRUNK_PING_SECONDS: 1 };
  const defines = { POSTERN_ADMIN: gateway.adminUrl, EDGE: `sip:127.0.0.1:${edgePort}`, ...watch };
  core = await startKamailio({ chainSecret, wsPort, udpPort, defines });
  edge = await startKamailio({
    chainSecret,
    udpPort: edgePort,
    haproxy: false,
    configuration: `${directory}edge.cfg`,
    localName: "edge-local.cfg",
    defines: { CORE: `sip:127.0.0.1:${udpPort}`, TRUNK_PATIENCE: 800 },
  });
});
afterEach(() => legs.close());
afterAll(async () => {
  await gateway?.close();
  await edge?.stop();
  await core?.stop();
});

const caller = "+3225887000";

describe("a trunk on TCP, through the second instance", () => {
  it("gets a call and its end by the page, over TCP alone", async () => {
    const trunk = await legs.trunk("answer", { transport: "tcp", host: "127.0.0.14" });
    const alice = await legs.open("alice", port++);
    const call = callOf("alice", "+1900", { trunk: trunk.uri, caller });
    alice.send(call.invite);
    const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
    const invite = await trunk.waitFor((message) => message.startsWith("INVITE "));
    expect(invite.startsWith(`INVITE sip:+1900@127.0.0.14:${trunk.port};transport=tcp SIP/2.0\r\n`)).toBe(true);
    expect(header(invite, "Via")).toMatch(/^SIP\/2\.0\/TCP /);
    expect(headers(invite, "P-Asserted-Identity")).toEqual(["<sip:+3225887000@127.0.0.14>"]);
    alice.send(withinCall(call, ok, "ACK"));
    await trunk.waitFor((message) => message.startsWith("ACK "));
    alice.send(withinCall(call, ok, "BYE"));
    await alice.waitFor((message) => isReply(message, 200, "BYE"));
    for (const message of trunk.messages()) expect(message).not.toMatch(/^x-postern|alice@acme/im);
  });

  it("hangs up itself", async () => {
    const trunk = await legs.trunk("answer-and-hangup", { transport: "tcp", host: "127.0.0.14", hold: 50 });
    const alice = await legs.open("alice", port++);
    const call = callOf("alice", "+1900", { trunk: trunk.uri, caller });
    alice.send(call.invite);
    const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
    alice.send(withinCall(call, ok, "ACK"));
    const bye = await alice.waitFor((message) => message.startsWith("BYE "));
    alice.send(reply(bye, { status: "200 OK" }));
    await trunk.waitFor((message) => isReply(message, 200, "BYE"));
  });

  it("is left for the second trunk where nobody listens", async () => {
    const second = await legs.trunk("answer");
    const alice = await legs.open("alice", port++);
    const trunk = `sip:127.0.0.14:${await freePort("127.0.0.14")};transport=tcp`;
    alice.send(callOf("alice", "+1900", { trunk, trunk2: second.uri, caller }).invite);
    await alice.waitFor((message) => isReply(message, 200, "INVITE"));
  });

  it("is left for the second trunk where it listens and says nothing", async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket.resume())).listen(0, "127.0.0.14");
    await once(silent, "listening");
    const second = await legs.trunk("answer");
    const alice = await legs.open("alice", port++);
    const trunk = `sip:127.0.0.14:${(silent.address() as AddressInfo).port};transport=tcp`;
    const call = callOf("alice", "+1900", { trunk, trunk2: second.uri, caller });
    alice.send(call.invite);
    const final = await alice.waitFor((message) => /^SIP\/2\.0 [2-6]/.test(message), 15_000);
    expect(final).toMatch(/^SIP\/2\.0 200 /);
    expect(sockets).toHaveLength(1);
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it("calls a page, and is known by the address that it connected from", async () => {
    const reception = await RawClient.connect(gateway.gatewayUrl);
    const answered = await reception.register("reception@acme.example", credential("reception@acme.example"));
    expect(status(answered)).toBe(200);
    const to = { host: "127.0.0.1", port: edge.wsPort };
    const outside = await startCaller({ host: "127.0.0.14", transport: "tcp", to, number: caller, scenario: "call" });
    const rang = await reception.take((message) => message.startsWith("INVITE "));
    expect(rang).not.toMatch(/postern/i);
    const contact = "<sip:reception@reception.invalid;transport=ws>";
    reception.send(reply(rang, { status: "200 OK", tag: "b", contact, body: "v=0\r\n" }));
    await reception.take((message) => message.startsWith("ACK "));
    const bye = await reception.take((message) => message.startsWith("BYE "));
    reception.send(reply(bye, { status: "200 OK" }));
    expect(await outside.ended).toBe(0);
    await outside.stop();
    reception.close();
  });

  it("is refused where it is nobody's, whatever source it claims", async () => {
    const callId = `edge-${unique()}`;
    const answer = await overTcp(inviteOf(callId, ["X-Postern-Source: 127.0.0.14"]), "127.0.0.15");
    expect(answer).toMatch(/^SIP\/2\.0 403 /);
    expect(core.log()).toContain("call from 127.0.0.15 to +3225887000 refused");
  });
});

describe("a trunk on TCP that asks who calls", () => {
  it("is told through the second instance, and watched by OPTIONS; what is silent there is passed over", async () => {
    const got: string[] = [];
    let answers = true;
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      // Several may come in one piece.
      const each = (data: Buffer): string[] => data.toString("latin1").split(/(?=^[A-Z]+ sip:.* SIP\/2\.0\r$)/m);
      socket.on("data", (data) => {
        for (const text of each(data)) hears(text, socket);
      });
      const hears = (text: string, from: Socket): void => {
        got.push(text);
        const ask = { status: "401 Unauthorized", extra: ['WWW-Authenticate: Digest realm="r", nonce="n"'] };
        const asks = text.startsWith("INVITE ") && header(text, "Authorization") === undefined;
        const parts = asks ? ask : { status: text.startsWith("INVITE ") ? "486 Busy Here" : "200 OK" };
        if (answers && !text.startsWith("ACK ")) from.write(reply(text, { tag: "t", ...parts }));
      };
    }).listen(0, "127.0.0.14");
    await once(server, "listening");
    const trunk = `sip:127.0.0.14:${(server.address() as AddressInfo).port};transport=tcp`;
    const alice = await legs.open("alice", port++);
    const call = callOf("alice", "+1900", { trunk, caller });
    const auth = { username: "acme-trunk", password: "its-password" };
    const sealed = sealTrunkAuth(auth, chainSecret, header(call.invite, "X-Postern-Token") ?? "");
    alice.send(withHeaders(call.invite, { "X-Postern-Trunk-Auth": sealed }));
    await alice.waitFor((message) => isReply(message, 486, "INVITE"));
    const [told = ""] = got.filter((text) => header(text, "Authorization") !== undefined);
    expect(proves(header(told, "Authorization") ?? "", "INVITE", auth.password)).toMatchObject({ realm: "r" });
    expect(header(told, "CSeq")).toBe("2 INVITE");
    await expect.poll(() => got.filter((text) => text.startsWith("OPTIONS ")).length).toBeGreaterThan(1);
    answers = false;
    const down = `trunk ${trunk} is down: it does not answer OPTIONS any more`;
    await expect.poll(() => core.log(), { timeout: 20_000 }).toContain(down);
    const second = await legs.trunk("answer");
    const another = callOf("alice", "+1900", { trunk, trunk2: second.uri, caller });
    alice.send(another.invite);
    await alice.waitFor((message) => isReply(message, 200, "INVITE"));
    expect(got.filter((text) => header(text, "Call-ID") === another.callId)).toEqual([]);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

describe("a trunk on TCP that names a place in its Contact", () => {
  /** own: where the call was sent to; inner: what listens elsewhere, and is no trunk. */
  type Places = { readonly own: string; readonly inner: string };
  const listening = async (host: string, on: (socket: Socket) => void) => {
    const server = createServer(on).listen(0, host);
    await once(server, "listening");
    return { server, at: `${host}:${(server.address() as AddressInfo).port}` };
  };

  it.each<[string, number, (places: Places) => readonly string[]]>([
    ["another port", 481, ({ inner }) => [`Contact: <sip:x@${inner};transport=tcp>`]],
    [
      "another port, by Record-Route",
      481,
      ({ own, inner }) => [`Contact: <sip:x@${own};transport=tcp>`, `Record-Route: <sip:${inner};transport=tcp;lr>`],
    ],
    ["twin: its own", 200, ({ own }) => [`Contact: <sip:x@${own};transport=tcp>`]],
  ])("%s: what the page says in the call has %i", async (_, wanted, extra) => {
    let connections = 0;
    const sockets: Socket[] = [];
    const inner = await listening("127.0.0.19", (socket) => {
      connections++;
      socket.destroy();
    });
    const trunk = await listening("127.0.0.14", (socket) => {
      sockets.push(socket);
      socket.on("data", (data) => {
        const text = data.toString("latin1");
        const lines = text.startsWith("INVITE ") ? extra({ own: trunk.at, inner: inner.at }) : [];
        const answer = reply(text, { status: "200 OK", tag: "t" });
        if (!text.startsWith("ACK ")) socket.write(answer.replace(/\r\n/, ["", ...lines, ""].join("\r\n")));
      });
    });
    const alice = await legs.open("alice", port++);
    const call = callOf("alice", "+1900", { trunk: `sip:${trunk.at};transport=tcp`, caller });
    alice.send(call.invite);
    const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
    alice.send(withinCall(call, ok, "INFO", { body: "SET key value\r\n" }));
    await alice.waitFor((message) => isReply(message, wanted, "INFO"));
    expect(connections).toBe(0);
    for (const socket of sockets) socket.destroy();
    inner.server.close();
    trunk.server.close();
  });
});

describe("the second instance", () => {
  it("takes nothing over UDP but from the first", async () => {
    const stranger = await openUdpSink("127.0.0.16");
    const callId = `edge-${unique()}`;
    stranger.send(inviteOf(callId), edge.udp);
    await edge.waitFor((seen) => seen.way === "in" && seen.header("Call-ID") === callId);
    await expect.poll(() => edge.log()).toContain("UDP is for the first instance");
    expect(stranger.received()).toEqual([]);
    await stranger.close();
  });

  it("sends a trunk's requests nowhere but to the first", async () => {
    const elsewhere = await openUdpSink("127.0.0.17");
    const routes = [`<sip:127.0.0.1:${edge.wsPort};transport=tcp;lr>`, `<sip:${elsewhere.host}:${elsewhere.port};lr>`];
    const bye = inviteOf(
      `edge-${unique()}`,
      routes.map((route) => `Route: ${route}`),
    )
      .replace(/^INVITE/, "BYE")
      .replace("1 INVITE", "1 BYE")
      .replace(/^(To: .*)$/m, "$1;tag=x");
    expect(await overTcp(bye, "127.0.0.15")).toMatch(/^SIP\/2\.0 481 /);
    const message = inviteOf(`edge-${unique()}`, [])
      .replace(/^INVITE/, "MESSAGE")
      .replace("1 INVITE", "1 MESSAGE");
    expect(await overTcp(message, "127.0.0.15")).toMatch(/^SIP\/2\.0 403 /);
    expect(elsewhere.received()).toEqual([]);
    await elsewhere.close();
  });

  it("alone is believed by the first what source a call has", async () => {
    const stranger = await openUdpSink("127.0.0.16");
    const claim = inviteOf(`edge-${unique()}`, ["X-Postern-Source: 127.0.0.14"]);
    stranger.send(claim.replace("127.0.0.16:9;", `127.0.0.16:${stranger.port};`), core.udp);
    await stranger.waitFor((message) => isReply(message, 403, "INVITE"));
    expect(core.log()).toContain("call from 127.0.0.16 to +3225887000 refused");
    await stranger.close();
  });

  it("answers a CANCEL that follows nothing", async () => {
    const cancel = inviteOf(`edge-${unique()}`)
      .replace(/^INVITE/, "CANCEL")
      .replace("1 INVITE", "1 CANCEL");
    expect(await overTcp(cancel, "127.0.0.15")).toMatch(/^SIP\/2\.0 481 /);
  });

  it("closes a silent connection that served no call, keeps one that did, and takes replies over UDP from the first alone", async () => {
    const [first, stranger] = [await openUdpSink("127.0.0.18"), await openUdpSink("127.0.0.16")];
    const alone = await startKamailio({
      chainSecret,
      haproxy: false,
      configuration: `${directory}edge.cfg`,
      localName: "edge-local.cfg",
      defines: { CORE: `sip:${first.host}:${first.port}`, STRANGERS_SILENCE: 1 },
    });
    const open = (): Socket => connect({ host: "127.0.0.1", port: alone.wsPort, localAddress: "127.0.0.15" });
    const [trunk, silent] = [open(), open()];
    let received = "";
    trunk.on("data", (data) => {
      received += data.toString();
    });
    const callId = `edge-${unique()}`;
    trunk.write(inviteOf(callId).replace("SIP/2.0/UDP", "SIP/2.0/TCP"));
    const invite = await first.waitFor((message) => header(message, "Call-ID") === callId);
    stranger.send(reply(invite, { status: "200 OK", tag: "forged" }), alone.udp);
    await alone.waitFor((seen) => seen.way === "in" && seen.status === 200);
    first.send(reply(invite, { status: "180 Ringing", tag: "first" }), alone.udp);
    await expect.poll(() => received).toContain("SIP/2.0 180 ");
    expect(received).not.toContain("forged");
    silent.on("error", () => {}); // a reset is an end too
    const closed = once(silent.resume(), "close");
    silent.write("\r\n\r\n");
    await closed;
    const ping = inviteOf(`edge-${unique()}`)
      .replace(/^INVITE sip:[^@]*@/, "OPTIONS sip:")
      .replace("1 INVITE", "1 OPTIONS");
    trunk.write(ping.replace("SIP/2.0/UDP", "SIP/2.0/TCP"));
    await expect.poll(() => received).toContain("1 OPTIONS");
    trunk.destroy();
    await Promise.all([first.close(), stranger.close(), alone.stop()]);
  }, 60_000); // Kamailio looks for silent connections every few seconds

  it("takes calls over TLS with the example's tls.cfg, and hands them to the first", async () => {
    const folder = new ConfigFolder();
    folder.certificate("edge");
    const [cert, key] = [join(folder.path, "edge-cert.pem"), join(folder.path, "edge-key.pem")];
    const example = readFileSync(`${directory}tls.cfg.example`, "utf8")
      .replace(/^certificate = .*$/m, `certificate = ${cert}`)
      .replace(/^private_key = .*$/m, `private_key = ${key}`)
      .replace(/^ca_list = .*$/m, `ca_list = ${cert}`);
    const tlsPort = await freePort();
    const secure = await startKamailio({
      chainSecret,
      haproxy: false,
      memory: 64,
      configuration: `${directory}edge.cfg`,
      localName: "edge-local.cfg",
      defines: {
        CORE: `sip:127.0.0.1:${core.udp.port}`,
        WITH_TLS: true,
        TLS_CONFIG: folder.write("tls.cfg", example),
      },
      lines: [`listen=tls:127.0.0.1:${tlsPort}`],
    });
    const callId = `edge-${unique()}`;
    const socket = connect({ host: "127.0.0.1", port: tlsPort, localAddress: "127.0.0.15" });
    const stream = connectTls({ socket, servername: "localhost", ca: readFileSync(cert) });
    stream.write(inviteOf(callId).replace("SIP/2.0/UDP", "SIP/2.0/TLS"));
    const seen = await core.waitFor((one) => one.header("Call-ID") === callId && one.method === "INVITE");
    expect(seen.headers("X-Postern-Source")).toEqual(["127.0.0.15"]);
    stream.destroy();
    await secure.stop();
    folder.remove();
  });

  it("has an example of its settings, and one for TLS", () => {
    const example = readFileSync(`${directory}edge-local.cfg.example`, "utf8");
    expect(example).toMatch(/^#!define CORE "sip:127\.0\.0\.1:5060"$/m);
    expect(example).toMatch(/^listen=udp:127\.0\.0\.1:/m);
    expect(example).toMatch(/^listen=tcp:/m);
    expect(readFileSync(`${directory}tls.cfg.example`, "utf8")).toMatch(/^\[client:default\]$/m);
  });
});

const inviteOf = (callId: string, extra: string[] = []): string =>
  request({
    method: "INVITE",
    uri: `sip:${caller}@127.0.0.1`,
    from: "+44@outside.example",
    to: `${caller}@127.0.0.1`,
    fromTag: "o",
    callId,
    cseq: 1,
    viaHost: "127.0.0.16:9",
    viaTransport: "UDP",
    extra,
  });

/** Sends one request over TCP and returns the first final response. */
function overTcp(message: string, from: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: edge.wsPort, localAddress: from });
    let received = "";
    const timer = setTimeout(() => reject(new Error(`no answer, only: ${received}`)), 5_000);
    socket.on("error", reject);
    socket.on("data", (data) => {
      received += data.toString();
      const final = /SIP\/2\.0 [2-6][\s\S]*/.exec(received)?.[0];
      if (final === undefined) return;
      clearTimeout(timer);
      socket.destroy();
      resolve(final);
    });
    socket.write(message.replace("SIP/2.0/UDP", "SIP/2.0/TCP"));
  });
}
