import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttpServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { startGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import {
  announcedHost,
  type Call,
  callOf,
  chainSecret,
  domain,
  Legs,
  registerOf,
  uniqueId,
  withinCall,
} from "../helpers/legs.ts";
import { credential, RawClient } from "../helpers/raw-client.ts";
import {
  header,
  headers,
  isReply,
  type RequestParts,
  recordRoutes,
  reply,
  request,
  tagOf,
  uriOf,
} from "../helpers/raw-sip.ts";
import { openUdpSink, type UdpSink } from "../helpers/udp-sink.ts";
import type { UpstreamClient } from "../helpers/upstream-client.ts";

/** A trunk that means no good, and whoever else reaches the port for trunks. */
let kamailio: Kamailio;
let trunk: UdpSink;
let stranger: UdpSink;
let alice: UpstreamClient;
let port = 49_000;
const legs = new Legs(() => kamailio);

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
});
beforeEach(async () => {
  [trunk, stranger] = [await openUdpSink("127.0.0.9"), await openUdpSink("127.0.0.66")];
  alice = await legs.open("alice", port++);
});
afterEach(async () => {
  await legs.close();
  await Promise.all([trunk.close(), stranger.close()]);
});
afterAll(() => kamailio.stop());

const place = ({ host, port: at }: UdpSink): string => `${host}:${at}`;

/** A call of alice to the trunk that has arrived there. */
async function called(extra: Partial<RequestParts> = {}, max?: number): Promise<{ call: Call; invite: string }> {
  const more = { trunk: `sip:${place(trunk)}`, caller: "+3225887000", ...(max ? { max } : {}) };
  const call = callOf("alice", "+1900", more, extra);
  alice.send(call.invite);
  const callId = extra.callId ?? call.callId;
  const invite = await trunk.waitFor((text) => text.startsWith("INVITE ") && header(text, "Call-ID") === callId);
  return { call, invite };
}

interface Standing {
  readonly call: Call;
  readonly ok: string;
  /** A request of the trunk, answered where via says. */
  theirs(method: string, extra?: Partial<RequestParts>, via?: UdpSink): string;
}

/** The same, answered with this Contact. */
async function answered(contact = `<sip:${place(trunk)}>`, max?: number): Promise<Standing> {
  const { call, invite } = await called({}, max);
  trunk.send(reply(invite, { status: "200 OK", tag: "trunk", contact }), kamailio.udp);
  const ok = await alice.waitFor((text) => isReply(text, 200, "INVITE"));
  alice.send(withinCall(call, ok, "ACK"));
  const theirs = (method: string, extra: Partial<RequestParts> = {}, via = trunk): string =>
    request({
      ...{ method, uri: uriOf(header(invite, "Contact")), from: `+1900@${domain}`, fromTag: "trunk", toTag: "caller" },
      ...{ to: uriOf(header(invite, "From")).slice("sip:".length), callId: call.callId, cseq: 1 },
      ...{ viaHost: place(via), viaTransport: "UDP" as const, routes: recordRoutes(invite), ...extra },
    });
  return { call, ok, theirs };
}

/** OPTIONS to this host, answered by the process that has read all that came before. */
async function alive(): Promise<void> {
  const ids = { fromTag: "o", callId: `alive-${uniqueId()}`, cseq: 1 };
  const parts = { from: "o@outside.example", to: "o@outside.example", viaHost: place(stranger) };
  const uri = `sip:${kamailio.udp.host}:${kamailio.udp.port}`;
  stranger.send(request({ method: "OPTIONS", uri, ...parts, ...ids, viaTransport: "UDP" }), kamailio.udp);
  await stranger.waitFor((text) => isReply(text, 200, "OPTIONS") && header(text, "Call-ID") === ids.callId);
}

describe("a request in a call, from UDP", () => {
  const digits = "1".repeat(1_500);
  const own = (): string => `<sip:${kamailio.udp.host}:${kamailio.udp.port};lr>`;

  it.each([
    ["an endless alias", (): Partial<RequestParts> => ({ uri: `sip:x@y;alias=${digits}~5060~5` })],
    ["an endless Request-URI", () => ({ uri: `sip:x@y;q=${digits};alias=203.0.113.7~5060~5` })],
    [
      "an endless last Route behind a strict one",
      () => ({ uri: own().slice(1, -1), routes: [own(), `<sip:x@y;q=${digits};alias=203.0.113.7~5060~5>`] }),
    ],
  ])("with %s is 481, whoever sends it, and Kamailio lives", async (_, extra) => {
    const { theirs } = await answered();
    stranger.send(theirs("INFO", extra(), stranger), kamailio.udp);
    await stranger.waitFor((text) => isReply(text, 481, "INFO"));
    await alive();
    trunk.send(theirs("INFO"), kamailio.udp);
    await alice.waitFor((text) => text.startsWith("INFO "));
  });

  it("does not reach a leg that is not in it, by alias or Route; the call's own does it reach", async () => {
    const bob = await legs.registered("bob", port++);
    const address = `${announcedHost}:${port - 1}`;
    const { theirs } = await answered();
    const uri = "sip:bob@bob.invalid;transport=ws";
    const alias = `${uri};alias=${address.replace(":", "~")}~5`;
    trunk.send(theirs("MESSAGE", { uri: alias }), kamailio.udp);
    await trunk.waitFor((text) => isReply(text, 481, "MESSAGE"));
    trunk.send(theirs("NOTIFY", { uri, routes: [own(), `<sip:${address};lr;transport=ws>`] }), kamailio.udp);
    await trunk.waitFor((text) => isReply(text, 481, "NOTIFY"));
    trunk.send(theirs("INFO"), kamailio.udp);
    await alice.waitFor((text) => text.startsWith("INFO "));
    expect(bob.received().filter((text) => !text.startsWith("SIP/2.0 "))).toEqual([]);
  });
});

describe("a trunk that answers with a Contact", () => {
  it.each(["sip:x@HOST;transport=tcp", "sip:x@HOST;Transport=TLS", "sips:x@HOST", "sip:x@HOST;transport=ws"])(
    "%s has Kamailio connect nowhere, not for a request of the page nor for the last BYE",
    async (contact) => {
      let connections = 0;
      const inner = createServer(() => connections++).listen(0, "127.0.0.21");
      await once(inner, "listening");
      const host = `127.0.0.21:${(inner.address() as AddressInfo).port}`;
      const { call, ok } = await answered(`<${contact.replace("HOST", host)}>`, 1);
      alice.send(withinCall(call, ok, "INFO", { body: "SET key value\r\n" }));
      await alice.waitFor((text) => isReply(text, 481, "INFO"));
      await alice.waitFor((text) => text.startsWith("BYE "), 8_000);
      await alive();
      expect(connections).toBe(0);
      inner.close();
    },
  );

  it("with the alias of another leg gets the page's requests itself, and an endless one ends nothing", async () => {
    const bob = await legs.registered("bob", port++);
    for (const alias of [`${announcedHost}~${port - 1}~5`, `${"1".repeat(1_500)}~5060~5`]) {
      const { call, ok } = await answered(`<sip:x@${place(trunk)};alias=${alias}>`);
      const info = withinCall(call, ok, "INFO");
      alice.send(info);
      await trunk.waitFor((text) => text.startsWith("INFO ") && header(text, "Call-ID") === header(info, "Call-ID"));
    }
    await alive();
    expect(bob.received().filter((text) => !text.startsWith("SIP/2.0 "))).toEqual([]);
  });
});

const tagged = (tag: string) => (text: string) => tagOf(header(text, "To")) === tag;

/** Through a gateway: alice's call, answered by one far end and acknowledged. */
async function forked() {
  const settings = { upstreamUrls: [kamailio.wsUrl], chainSecret, trunk: `sip:${place(trunk)}` };
  const gateway = await startGateway(settings);
  const client = await RawClient.connect(gateway.gatewayUrl);
  const callId = `forked-${uniqueId()}`;
  const ids = { from: "alice@acme.example", to: "+3225887001@acme.example", fromTag: "a", callId, cseq: 1 };
  const parts = { method: "INVITE", uri: "sip:+3225887001@acme.example", ...ids };
  const final = client.prove(parts, credential("alice@acme.example"));
  const invite = await trunk.waitFor((text) => text.startsWith("INVITE ") && header(text, "Call-ID") === callId);
  const says = (tag: string): void => {
    const contact = `<sip:${tag}@${place(trunk)}>`;
    trunk.send(reply(invite, { status: "200 OK", tag, contact }), kamailio.udp);
  };
  says("one");
  const ok = await final;
  const inside = (method: string, cseq: number, tag = "one", more: Partial<RequestParts> = {}): void => {
    const parts = { ...ids, method, cseq, uri: `sip:${tag}@${place(trunk)}`, toTag: tag };
    client.send(request({ ...parts, routes: recordRoutes(ok).reverse(), ...more }));
  };
  inside("ACK", 2);
  await trunk.waitFor((text) => text.startsWith("ACK "));
  return { gateway, client, invite, says, inside, callId };
}

describe("a trunk that forks, and answers twice", () => {
  it("has the second far end acknowledged and hung up on, as the caller that it knows; the first call goes on", async () => {
    const { gateway, client, invite, says, inside } = await forked();
    says("two");
    const ack = await trunk.waitFor((text) => text.startsWith("ACK ") && tagged("two")(text));
    const bye = await trunk.waitFor((text) => text.startsWith("BYE ") && tagged("two")(text));
    for (const word of [ack, bye]) {
      expect(word.split(" ", 2)[1]).toBe(`sip:two@${place(trunk)}`);
      expect(uriOf(header(word, "From"))).toBe(uriOf(header(invite, "From")));
      expect(word).not.toMatch(/^x-postern|alice@acme/im);
    }
    trunk.send(reply(bye, { status: "200 OK" }), kamailio.udp);
    inside("INFO", 3, "two");
    await client.take((text) => isReply(text, 481, "INFO"));
    inside("INFO", 4);
    await trunk.waitFor((text) => text.startsWith("INFO ") && tagged("one")(text));
    expect(client.received.filter(tagged("two")).filter((text) => !isReply(text, 481, "INFO"))).toEqual([]);
    expect(trunk.received().filter((text) => text.startsWith("BYE ") && tagged("one")(text))).toEqual([]);
    inside("BYE", 5);
    await trunk.waitFor((text) => text.startsWith("BYE ") && tagged("one")(text));
    client.close();
    await gateway.close();
  });

  it("twin: an answer that comes again is the caller's to acknowledge", async () => {
    const { gateway, client, says } = await forked();
    says("one");
    await client.take((text) => isReply(text, 200, "INVITE") && tagged("one")(text));
    client.close();
    await gateway.close();
  });

  it("as two telephones of a user may: the second is hung up on as well", async () => {
    const user = `bob${uniqueId().replace("-", ".")}`;
    const [one, two] = [await legs.open(user, port++), await legs.open(user, port++)];
    for (const [at, leg] of [one, two].entries()) {
      leg.send(registerOf(user, { contact: `<sip:${user}@b${at}.invalid;transport=ws>` }));
      await leg.waitFor((text) => isReply(text, 200, "REGISTER"));
    }
    const call = callOf("alice", user);
    alice.send(call.invite);
    const oks: string[] = [];
    for (const [at, leg] of [one, two].entries()) {
      const invite = await leg.waitFor((text) => text.startsWith("INVITE "));
      const contact = `<sip:${user}@b${at}.invalid;transport=ws>`;
      leg.send(reply(invite, { status: "200 OK", tag: `b${at}`, contact }));
      oks.push(await alice.waitFor((text) => isReply(text, 200, "INVITE") && tagged(`b${at}`)(text)));
    }
    alice.send(withinCall(call, oks[0]!, "ACK"));
    for (const method of ["ACK", "BYE"]) {
      alice.send(withinCall(call, oks[1]!, method));
      await two.waitFor((text) => text.startsWith(`${method} `) && tagged("b1")(text));
    }
    alice.send(withinCall(call, oks[0]!, "INFO"));
    await one.waitFor((text) => text.startsWith("INFO "));
    expect(one.received().filter((text) => text.startsWith("BYE "))).toEqual([]);
  });

  it("is told nothing else in it, and by nobody else", async () => {
    const { call, invite } = await called();
    const contact = `<sip:${place(trunk)}>`;
    trunk.send(reply(invite, { status: "200 OK", tag: "one", contact }), kamailio.udp);
    const ok = await alice.waitFor((text) => isReply(text, 200, "INVITE") && tagged("one")(text));
    alice.send(withinCall(call, ok, "ACK"));
    trunk.send(reply(invite, { status: "200 OK", tag: "two", contact }), kamailio.udp);
    const second = await alice.waitFor((text) => isReply(text, 200, "INVITE") && tagged("two")(text));
    for (const method of ["INVITE", "INFO", "UPDATE", "MESSAGE"]) {
      alice.send(withinCall(call, second, method));
      await alice.waitFor((text) => isReply(text, 481, method));
    }
    for (const bye of [
      withinCall(call, second, "BYE", { uri: `sip:x@${place(stranger)};transport=tcp` }),
      withinCall({ ...call, callId: "another" }, second, "BYE"),
      withinCall(call, second.replaceAll("tag=two", "tag=three"), "BYE"),
    ]) {
      alice.send(bye);
      await alice.waitFor((text) => isReply(text, 481, "BYE") && header(text, "CSeq") === header(bye, "CSeq"));
    }
    alice.send(withinCall(call, ok, "INFO"));
    await trunk.waitFor((text) => text.startsWith("INFO "));
    const got = trunk.received().filter((text) => !/^(?:INVITE|ACK|INFO) /.test(text));
    expect(got).toEqual([]);
    expect(stranger.received().filter((text) => !text.startsWith("SIP/2.0 "))).toEqual([]);
  });
});

describe("a page whose BYE its trunk does not take", () => {
  it.each([
    [
      "a trunk that refuses it hears of it again, without what the page put in; then the call is over",
      "400 Bad Request",
    ],
    ["twin: a trunk that takes it hears of it once", "200 OK"],
  ])("%s", async (_, status) => {
    const { gateway, client, inside } = await forked();
    const odd = { extra: ["Reason: SIP ;cause=", "X-Odd: \xff"], body: "no SDP\r\n" };
    inside("BYE", 7, "one", odd);
    const first = await trunk.waitFor((text) => text.startsWith("BYE "));
    expect(first).toContain("no SDP");
    trunk.send(reply(first, { status }), kamailio.udp);
    await client.take((text) => isReply(text, Number(status.slice(0, 3)), "BYE"));
    if (status.startsWith("400")) {
      const again = await trunk.waitFor((text) => text.startsWith("BYE ") && header(text, "CSeq") === "8 BYE");
      expect(again).not.toMatch(/no SDP|Reason|X-Odd|Content-Type|alice@acme/);
      trunk.send(reply(again, { status: "200 OK" }), kamailio.udp);
    }
    await expect.poll(() => gateway.metric("postern_dialogs")).toBe(0);
    expect(trunk.received().filter((text) => /^BYE .*\r\n(?:.*\r\n)*CSeq: [89]/.test(text))).toHaveLength(
      status.startsWith("400") ? 1 : 0,
    );
    client.close();
    await gateway.close();
  });
});

describe("in the trunk's name,", () => {
  it.each([
    ["UPDATE", "another address", () => stranger],
    ["INVITE", "another address", () => stranger],
    ["UPDATE", "its own: twin,", () => trunk],
    ["INVITE", "its own: twin,", () => trunk],
  ])("an %s from %s leads the page's later requests to the trunk", async (method, _, by) => {
    const { theirs, call, ok } = await answered();
    const there = `sip:other@${place(trunk)}`;
    const said = by() === trunk ? there : `sip:x@${place(stranger)}`;
    by().send(theirs(method, { contact: `<${said}>` }, by()), kamailio.udp);
    const moved = await alice.waitFor((text) => text.startsWith(`${method} `));
    const target = /<([^>]*)>/.exec(header(moved, "Contact") ?? "")?.[1] ?? "";
    expect(target).toBe(by() === trunk ? there : /<([^>]*)>/.exec(header(ok, "Contact") ?? "")?.[1]);
    alice.send(reply(moved, { status: "200 OK", contact: "<sip:alice@alice.invalid;transport=ws>" }));
    await by().waitFor((text) => isReply(text, 200, method));
    alice.send(withinCall(call, ok, "BYE", { uri: target }));
    const bye = await trunk.waitFor((text) => text.startsWith("BYE "));
    expect(bye).toMatch(new RegExp(`^BYE ${target} `));
    trunk.send(reply(bye, { status: "200 OK" }), kamailio.udp);
    await alice.waitFor((text) => isReply(text, 200, "BYE"));
    expect(stranger.received().filter((text) => !text.startsWith("SIP/2.0 "))).toEqual([]);
  });

  it.each([
    ["a BYE", false],
    ["an INVITE and a BYE", true],
  ])("%s from another address, as who calls can have sent, end the call at the trunk too, once", async (_, moves) => {
    const { theirs, call, ok } = await answered();
    if (moves) {
      stranger.send(theirs("INVITE", { contact: `<sip:x@${place(stranger)}>` }, stranger), kamailio.udp);
      const moved = await alice.waitFor((text) => text.startsWith("INVITE "));
      alice.send(reply(moved, { status: "200 OK", contact: "<sip:alice@alice.invalid;transport=ws>" }));
      await stranger.waitFor((text) => isReply(text, 200, "INVITE"));
    }
    for (const cseq of [2, 3, 4]) {
      stranger.send(theirs("BYE", { cseq }, stranger), kamailio.udp);
      await stranger.waitFor((text) => isReply(text, 200, "BYE") && header(text, "CSeq") === `${cseq} BYE`);
    }
    const byes = await Promise.all([alice, trunk].map((end) => end.waitFor((text) => text.startsWith("BYE "))));
    alice.send(reply(byes[0]!, { status: "200 OK" }));
    trunk.send(reply(byes[1]!, { status: "200 OK" }), kamailio.udp);
    await alive();
    alice.send(withinCall(call, ok, "INFO"));
    await alice.waitFor((text) => isReply(text, 481, "INFO"));
    for (const end of [alice, trunk]) {
      const told = end.received().filter((text) => text.startsWith("BYE "));
      expect(new Set(told.map((text) => header(text, "Via"))).size).toBe(1);
    }
  });

  it("of a hundred requests a second twenty are passed on, and the trunk's own beside them", async () => {
    const { theirs } = await answered();
    for (let cseq = 1; cseq <= 100; cseq++) stranger.send(theirs("INFO", { cseq }, stranger), kamailio.udp);
    trunk.send(theirs("INFO", { cseq: 101 }), kamailio.udp);
    await alice.waitFor((text) => text.startsWith("INFO ") && header(text, "CSeq") === "101 INFO");
    const refused = (): string[] => stranger.received().filter((text) => isReply(text, 503, "INFO"));
    await expect.poll(() => refused().length).toBeGreaterThanOrEqual(40);
    // Twenty of each second that the hundred took, three at most: those that were refused were not passed on.
    const passed = (): number => {
      const numbers = alice.received().map((text) => /^CSeq: (\d\d?|100) INFO/m.exec(text)?.[1]);
      return new Set(numbers.filter(Boolean)).size;
    };
    await expect.poll(passed).toBeGreaterThanOrEqual(20);
    expect(passed()).toBeLessThanOrEqual(60);
    const warned = `requests in a call refused for a second: too many, the last from ${stranger.host}`;
    await expect.poll(() => kamailio.log()).toContain(warned);
    await expect
      .poll(() => {
        stranger.send(theirs("INFO", { cseq: 200 + refused().length }, stranger), kamailio.udp);
        return alice.received().some((text) => /^CSeq: [2-9]\d\d INFO/m.test(text));
      })
      .toBe(true);
  });

  it("twin: a BYE from the trunk's own is passed on, and the trunk told nothing", async () => {
    const { theirs } = await answered();
    trunk.send(theirs("BYE"), kamailio.udp);
    alice.send(reply(await alice.waitFor((text) => text.startsWith("BYE ")), { status: "200 OK" }));
    await trunk.waitFor((text) => isReply(text, 200, "BYE"));
    await alive();
    expect(trunk.received().filter((text) => text.startsWith("BYE "))).toEqual([]);
  });
});

describe("a page's call that rings at a trunk", () => {
  it("is its caller's to cancel: whoever has seen it does so in vain over UDP", async () => {
    const { call, invite } = await called();
    const mine = call.invite.replace(/^INVITE/, "CANCEL").replace("1 INVITE", "1 CANCEL");
    const vias = headers(invite, "Via");
    for (const via of [vias.at(-1), header(call.invite, "Via")])
      stranger.send(mine.replace(/^Via: .*$/m, `Via: ${via}`), kamailio.udp);
    await alive();
    trunk.send(reply(invite, { status: "180 Ringing", tag: "trunk" }), kamailio.udp);
    await alice.waitFor((text) => isReply(text, 180, "INVITE"));
    await alive();
    expect(trunk.received().filter((text) => text.startsWith("CANCEL "))).toEqual([]);
    alice.send(mine);
    await trunk.waitFor((text) => text.startsWith("CANCEL "));
  });
});

describe("an answer to a call", () => {
  /** The branch that Kamailio gives a request: a hash of Call-ID and CSeq, and one of what the caller chose. */
  const branchOf = (index: string, callId: string, branch: string): string => {
    const known = ["caller", callId, `sip:+1900@${domain}`, "1", "alice.invalid", branch];
    return `z9hG4bK${index}.${createHash("md5").update(known.join("")).digest("hex")}.0`;
  };

  it("is the trunk's own: the caller, who can tell its branch, cannot give it from elsewhere", async () => {
    const bob = await legs.registered("bob", port++);
    const [callId, branch] = [`told-${uniqueId()}`, `z9hG4bK${uniqueId()}`];
    const shown = callOf("alice", "bob", {}, { callId });
    alice.send(shown.invite);
    const rang = await bob.waitFor((text) => header(text, "Call-ID") === callId);
    const index = /branch=z9hG4bK([0-9a-f]+)\./.exec(headers(rang, "Via")[0] ?? "")?.[1] ?? "";
    bob.send(reply(rang, { status: "486 Busy Here", tag: "b" }));
    await alice.waitFor((text) => isReply(text, 486, "INVITE"));

    const { invite } = await called({ callId, branch });
    const [via = ""] = headers(invite, "Via");
    const told = branchOf(index, callId, branch);
    expect(via).toContain(`;branch=${told}`);
    const from = `SIP/2.0/UDP ${kamailio.udp.host}:${kamailio.udp.port};branch=${told}`;
    const contact = `<sip:+1911@${place(stranger)}>`;
    for (const first of [from, `${from};seal=`, `${from};seal=${"0".repeat(32)}`]) {
      const forged = reply(invite, { status: "200 OK", tag: "forged", contact }).replace(via, first);
      stranger.send(forged, kamailio.udp);
    }
    await alive();
    trunk.send(reply(invite, { status: "200 OK", tag: "trunk", contact: `<sip:${place(trunk)}>` }), kamailio.udp);
    const ok = await alice.waitFor((text) => isReply(text, 200, "INVITE"));
    expect(tagOf(header(ok, "To"))).toBe("trunk");
    expect(alice.received().filter((text) => tagOf(header(text, "To")) === "forged")).toEqual([]);
  });

  it.each([
    ["UPDATE", "all of it", (forged: string) => forged],
    ["BYE", "all of it", (forged: string) => forged],
    ["BYE", "our Via alone", (forged: string) => forged.replace(/^(Via: [^\r]*\r\n)Via: [^\r]*\r\n/m, "$1")],
  ])("within it is the trunk's own too: to %s, with %s but the seal", async (method, _, as) => {
    const { call, ok } = await answered();
    alice.send(withinCall(call, ok, method));
    const asked = await trunk.waitFor((text) => text.startsWith(`${method} `));
    const forged = reply(asked, { status: "200 OK", contact: `<sip:${place(stranger)}>`, extra: ["X-Forged: 1"] });
    stranger.send(as(forged.replace(/;seal=[0-9a-f]+/, "")), kamailio.udp);
    await alive();
    trunk.send(reply(asked, { status: "202 Accepted", contact: `<sip:${place(trunk)}>` }), kamailio.udp);
    await alice.waitFor((text) => isReply(text, 202, method));
    expect(alice.received().filter((text) => text.includes("X-Forged"))).toEqual([]);
  });

  it("with a line that cannot be read does not pass with what it brings, and one that can be read does", async () => {
    const { invite } = await called();
    const extra = ["X-Postern-Refused: grant", 'Proxy-Authenticate: Digest realm="acme.example",nonce="1"'];
    const challenge = { status: "486 Busy Here", tag: "t" };
    trunk.send(reply(invite, { ...challenge, extra: [...extra, "no header field"] }), kamailio.udp);
    await alive();
    trunk.send(reply(invite, { ...challenge, extra }), kamailio.udp);
    const refused = await alice.waitFor((text) => isReply(text, 486, "INVITE"));
    expect(refused).not.toMatch(/^(x-postern|proxy-authenticate)/im);
    expect(alice.received().filter((text) => text.includes("no header field"))).toEqual([]);
  });
});

describe("calls from outside", () => {
  const [number, perSecond] = ["+3225887000", 5];
  let core: Kamailio;
  let gateway: Server;
  /** Who was asked about, with what waits for the word of the test. */
  let asked: string[];
  let held: ServerResponse[] | undefined;
  const outside: UdpSink[] = [];

  beforeAll(async () => {
    gateway = createHttpServer((question, response) => {
      const source = new URL(question.url ?? "", "http://gateway").searchParams.get("source") ?? "";
      asked.push(source);
      if (source === "127.0.0.9") return void response.end('{"deliver":["sip:reception@acme.example"]}');
      response.statusCode = 404;
      if (held) held.push(response);
      else response.end("{}");
    }).listen(0, "127.0.0.1");
    await once(gateway, "listening");
    const admin = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
    const defines = { POSTERN_ADMIN: admin, STRANGERS_PER_SECOND: perSecond, TRUNK_CALLS_PER_SECOND: 2 * perSecond };
    core = await startKamailio({ chainSecret, defines });
  });
  beforeEach(() => {
    [asked, held] = [[], undefined];
  });
  afterEach(() => Promise.all(outside.splice(0).map((sink) => sink.close())));
  afterAll(async () => {
    gateway?.closeAllConnections();
    gateway?.close();
    await core?.stop();
  });

  /** The final answer: 480 where the call was let through, for nobody is registered. */
  async function calls(sink: UdpSink): Promise<number> {
    const ids = { fromTag: "o", callId: `out-${uniqueId()}`, cseq: 1, branch: `z9hG4bK${uniqueId()}` };
    const parts = { from: "o@outside.example", to: `${number}@127.0.0.1`, viaHost: place(sink), viaTransport: "UDP" };
    const invite = request({ method: "INVITE", uri: `sip:${number}@127.0.0.1`, ...parts, ...ids } as RequestParts);
    // Again as every caller does over UDP, where a packet may be lost.
    const again = setInterval(() => sink.send(invite, core.udp), 500);
    sink.send(invite, core.udp);
    const isFinal = (text: string): boolean => /^SIP\/2\.0 [2-6]/.test(text) && header(text, "Call-ID") === ids.callId;
    const final = await sink.waitFor(isFinal, 10_000).finally(() => clearInterval(again));
    return Number(final.slice(8, 11));
  }

  const from = async (host: string): Promise<UdpSink> => {
    const sink = await openUdpSink(host);
    outside.push(sink);
    return sink;
  };

  it("from ever new addresses are asked about so often a second, and a trunk's own go on", async () => {
    expect(await calls(trunk)).toBe(480);
    const sinks = await Promise.all(Array.from({ length: 40 }, (_, at) => from(`127.0.7.${at + 1}`)));
    const since = Date.now();
    const answers = await Promise.all([...sinks, ...sinks, ...sinks].map(calls));
    const seconds = (Date.now() - since) / 1_000 + 2;
    expect(answers.every((status) => status === 404 || status === 503)).toBe(true);
    expect(asked.filter((source) => source.startsWith("127.0.7.")).length).toBeLessThanOrEqual(perSecond * seconds);
    expect(await calls(trunk)).toBe(480);
  });

  it("from a trunk's address, which may be forged, are so many a second as well", async () => {
    await expect.poll(() => calls(trunk)).toBe(480);
    const since = Date.now();
    await Promise.all(Array.from({ length: 120 }, () => calls(trunk)));
    expect(asked.length).toBeLessThanOrEqual(1 + 2 * perSecond * ((Date.now() - since) / 1_000 + 2));
  });

  it("have what others say in the trunk's name end them at both ends, and lead nothing elsewhere", async () => {
    // Once what was refused before is of another second.
    await expect.poll(() => calls(trunk)).toBe(480);
    const there = new Legs(() => core);
    onTestFinished(() => there.close());
    const desk = await there.registered("reception", port++);
    const ids = { from: "o@outside.example", fromTag: "o", callId: `in-${uniqueId()}` };
    const parts = { to: `${number}@127.0.0.1`, viaHost: place(trunk), viaTransport: "UDP" as const };
    const contact = `<sip:o@${place(trunk)}>`;
    const uri = `sip:${number}@127.0.0.1`;
    trunk.send(request({ method: "INVITE", uri, ...ids, ...parts, cseq: 1, contact }), core.udp);
    const invite = await desk.waitFor((text) => text.startsWith("INVITE "));
    desk.send(reply(invite, { status: "200 OK", tag: "desk", contact: "<sip:reception@desk.invalid;transport=ws>" }));
    const ok = await trunk.waitFor((text) => isReply(text, 200, "INVITE"));
    const theirs = (method: string, cseq: number, by: UdpSink): string => {
      const inside = { method, uri: uriOf(header(ok, "Contact")), ...ids, ...parts, toTag: "desk", cseq };
      const routes = recordRoutes(ok).reverse();
      return request({ ...inside, viaHost: place(by), contact: `<sip:o@${place(by)}>`, routes });
    };
    trunk.send(theirs("ACK", 1, trunk), core.udp);
    await desk.waitFor((text) => text.startsWith("ACK "));
    stranger.send(theirs("UPDATE", 2, stranger), core.udp);
    const moved = await desk.waitFor((text) => text.startsWith("UPDATE "));
    expect(header(moved, "Contact")).toBe(contact);
    stranger.send(theirs("BYE", 3, stranger), core.udp);
    await Promise.all([trunk, desk].map((end) => end.waitFor((text) => text.startsWith("BYE "))));
  });

  it("of strangers, about whom the gateway thinks for long, do not have a trunk's wait", async () => {
    const strangers = await Promise.all(Array.from({ length: 5 }, (_, at) => from(`127.0.8.${at + 1}`)));
    // Again where the machine was so slow that the gateway's patience ended meanwhile.
    const meanwhile = async (): Promise<number> => {
      held = [];
      const theirs = strangers.map(calls);
      await expect.poll(() => held?.length).toBeGreaterThan(1);
      const answer = await calls(trunk);
      for (const response of held.splice(0)) response.end("{}");
      held = undefined;
      await Promise.all(theirs);
      return answer;
    };
    await expect.poll(() => calls(trunk)).toBe(480);
    await expect.poll(meanwhile, { timeout: 15_000, interval: 3_000 }).toBe(480);
  });
});
