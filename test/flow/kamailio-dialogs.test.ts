import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { callOf, chainSecret, Legs, withinCall } from "../helpers/legs.ts";
import { header, isReply, type RequestParts, reply } from "../helpers/raw-sip.ts";
import { openUdpSink, type UdpSink } from "../helpers/udp-sink.ts";
import type { UpstreamClient } from "../helpers/upstream-client.ts";

let kamailio: Kamailio;
let sink: UdpSink;
const legs = new Legs(() => kamailio);

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
  sink = await openUdpSink();
});
afterEach(() => legs.close());
afterAll(async () => {
  await sink.close();
  await kamailio.stop();
});

interface Established {
  readonly alice: UpstreamClient;
  readonly bob: UpstreamClient;
  within(method: string, extra?: Partial<RequestParts>): string;
}

/** A call between two legs, answered. */
async function established(port: number): Promise<Established> {
  const alice = await legs.registered("alice", port);
  const bob = await legs.registered("bob", port + 1);
  const call = callOf("alice", "bob");
  alice.send(call.invite);
  const invite = await bob.waitFor((message) => message.startsWith("INVITE "));
  bob.send(reply(invite, { status: "200 OK", tag: "bob", contact: "<sip:bob@bob.invalid;transport=ws>" }));
  const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
  alice.send(withinCall(call, ok, "ACK"));
  await bob.waitFor((message) => message.startsWith("ACK "));
  return { alice, bob, within: (method, extra) => withinCall(call, ok, method, extra) };
}

/** What Kamailio sent over UDP since then. */
const leftByUdp = (since: number): string[] =>
  kamailio
    .saw()
    .slice(since)
    .filter((seen) => seen.way === "out" && seen.proto === "udp")
    .map((seen) => seen.start);

describe("a request that claims a dialog", () => {
  const ours = (): string => `<sip:127.0.0.1:${kamailio.wsPort};transport=ws;lr>`;
  const foreign = (): string => `sip:mallory@${sink.host}:${sink.port}`;

  it("that nobody made is 481, whatever it asks for", async () => {
    const alice = await legs.open("alice", 43_001);
    const before = kamailio.saw().length;
    for (const method of ["INVITE", "BYE", "UPDATE", "INFO", "MESSAGE", "NOTIFY", "REFER", "PRACK"]) {
      const claim = { uri: foreign(), toTag: "invented", routes: [ours()] };
      const call = callOf("alice", "bob", {}, claim);
      alice.send(call.invite.replace(/^INVITE/, method).replace("1 INVITE", `1 ${method}`));
      await alice.waitFor((message) => isReply(message, 481, method));
    }
    expect(leftByUdp(before)).toEqual([]);
    expect(sink.received()).toEqual([]);
  });

  it("and is an ACK goes nowhere", async () => {
    const alice = await legs.open("alice", 43_002);
    const before = kamailio.saw().length;
    const call = callOf("alice", "bob", {}, { uri: foreign(), toTag: "invented", routes: [ours()] });
    alice.send(call.invite.replace(/^INVITE/, "ACK").replace("1 INVITE", "1 ACK"));
    alice.send(callOf("alice", "nobody").invite);
    await alice.waitFor((message) => isReply(message, 480, "INVITE"));
    expect(leftByUdp(before)).toEqual([]);
  });

  it("that nobody made does not reach a leg by its alias either", async () => {
    const { alice, bob } = await established(43_005);
    const uri = "sip:bob@bob.invalid;transport=ws;alias=203.0.113.7~43006~5";
    const call = callOf("alice", "bob", {}, { uri, toTag: "bob", routes: [ours()] });
    alice.send(call.invite.replace(/^INVITE/, "BYE").replace("1 INVITE", "1 BYE"));
    await alice.waitFor((message) => isReply(message, 481, "BYE"));
    expect(bob.received().filter((message) => message.startsWith("BYE "))).toEqual([]);
  });

  it("of its own but leads to a foreign host is 481, its twin arrives", async () => {
    const { alice, bob, within } = await established(43_010);
    const before = kamailio.saw().length;
    alice.send(within("INVITE", { uri: foreign() }));
    await alice.waitFor((message) => isReply(message, 481, "INVITE"));
    alice.send(within("BYE", { uri: foreign() }));
    await alice.waitFor((message) => isReply(message, 481, "BYE"));
    expect(leftByUdp(before)).toEqual([]);
    alice.send(within("INVITE"));
    await bob.waitFor((message) => /^INVITE sip:bob@bob\.invalid/.test(message));
  });

  it("of its own with a further Route to a foreign host is not sent there", async () => {
    const { alice, within } = await established(43_020);
    const before = kamailio.saw().length;
    const routes = [ours(), `<${foreign()};lr>`];
    alice.send(within("INFO", { routes, uri: foreign() }));
    await alice.waitFor((message) => isReply(message, 481, "INFO"));
    alice.send(within("MESSAGE", { routes: [`<${foreign()};lr>`], uri: foreign() }));
    await alice.waitFor((message) => isReply(message, 481, "MESSAGE"));
    expect(leftByUdp(before)).toEqual([]);
  });

  it("of its own with an alias to a UDP address is 481", async () => {
    const { alice, within } = await established(43_030);
    const before = kamailio.saw().length;
    alice.send(within("INFO", { uri: `sip:bob@bob.invalid;alias=${sink.host}~${sink.port}~1` }));
    await alice.waitFor((message) => isReply(message, 481, "INFO"));
    expect(leftByUdp(before)).toEqual([]);
  });

  it("outside one, to a foreign host or with a preloaded Route, goes to registered users only", async () => {
    const alice = await legs.open("alice", 43_040);
    const before = kamailio.saw().length;
    alice.send(callOf("alice", "bob", {}, { uri: foreign() }).invite);
    await alice.waitFor((message) => isReply(message, 480, "INVITE"));
    const bob = await legs.registered("bob", 43_041);
    alice.send(callOf("alice", "bob", {}, { routes: [`<${foreign()};lr>`] }).invite);
    const invite = await bob.waitFor((message) => message.startsWith("INVITE "));
    expect(invite).not.toContain("mallory");
    expect(leftByUdp(before)).toEqual([]);
  });

  it("that CANCELs what was never sent is 481", async () => {
    const alice = await legs.open("alice", 43_050);
    const call = callOf("alice", "bob");
    alice.send(call.invite.replace(/^INVITE/, "CANCEL").replace("1 INVITE", "1 CANCEL"));
    await alice.waitFor((message) => isReply(message, 481, "CANCEL"));
  });
});

describe("a stranger on UDP", () => {
  const stranger = (method: string, extra: Partial<RequestParts> = {}): string =>
    callOf("alice", "bob", {}, { viaHost: `${sink.host}:${sink.port}`, viaTransport: "UDP", ...extra })
      .invite.replace(/^INVITE/, method)
      .replace("1 INVITE", `1 ${method}`);

  it.each(["INVITE", "REGISTER", "MESSAGE", "SUBSCRIBE", "OPTIONS"])(
    "is refused with a good grant: %s",
    async (method) => {
      const bob = await legs.registered("bob", 43_060);
      sink.send(stranger(method), kamailio.udp);
      await sink.waitFor((message) => isReply(message, 403, method));
      expect(bob.received().filter((message) => message.startsWith(method))).toEqual([]);
    },
  );

  it("is told that we are alive", async () => {
    sink.send(stranger("OPTIONS", { uri: `sip:127.0.0.1:${kamailio.udp.port}` }), kamailio.udp);
    await sink.waitFor((message) => isReply(message, 200, "OPTIONS"));
  });

  it("is refused in a dialog and a CANCEL that it knows nothing of", async () => {
    const routes = [`<sip:127.0.0.1:${kamailio.udp.port};lr>`];
    sink.send(stranger("BYE", { toTag: "invented", routes, uri: `sip:x@127.0.0.7:9` }), kamailio.udp);
    await sink.waitFor((message) => isReply(message, 481, "BYE"));
    sink.send(stranger("CANCEL"), kamailio.udp);
    await sink.waitFor((message) => isReply(message, 481, "CANCEL"));
  });

  it("cannot have a reply passed on that answers nothing", async () => {
    const target = await openUdpSink("127.0.0.7");
    const before = kamailio.saw().length;
    const own = `SIP/2.0/UDP 127.0.0.1:${kamailio.udp.port};branch=z9hG4bKx`;
    const vias = `Via: ${own}\r\nVia: SIP/2.0/UDP ${target.host}:${target.port};branch=z9hG4bKy\r\n`;
    const rest = "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: stray\r\nCSeq: 1 INVITE\r\n";
    sink.send(`SIP/2.0 200 OK\r\n${vias}${rest}Content-Length: 0\r\n\r\n`, kamailio.udp);
    await kamailio.waitFor((seen) => seen.way === "in" && seen.header("Call-ID") === "stray");
    sink.send(stranger("OPTIONS", { uri: `sip:127.0.0.1:${kamailio.udp.port}`, callId: "after" }), kamailio.udp);
    await sink.waitFor((message) => isReply(message, 200, "OPTIONS") && message.includes("Call-ID: after"));
    expect(leftByUdp(before)).toEqual([]);
    expect(target.received()).toEqual([]);
    await target.close();
  });

  it("cannot end a call between two legs, though it knows Call-ID, tags and alias", async () => {
    const { alice, bob, within } = await established(43_070);
    const via = { viaHost: `${sink.host}:${sink.port}`, viaTransport: "UDP" } as const;
    const forged = within("BYE", via);
    sink.send(forged, kamailio.udp);
    const answer = await sink.waitFor((message) => header(message, "Call-ID") === header(forged, "Call-ID"));
    expect(isReply(answer, 481, "BYE")).toBe(true);
    expect(bob.received().filter((message) => message.startsWith("BYE"))).toEqual([]);
    alice.send(within("BYE"));
    await bob.waitFor((message) => message.startsWith("BYE "));
  });
});
