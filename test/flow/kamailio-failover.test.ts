import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { callOf, cancelOf, chainSecret, Legs, withinCall } from "../helpers/legs.ts";
import { freePort } from "../helpers/ports.ts";
import { header, headers, isReply, reply } from "../helpers/raw-sip.ts";
import { openUdpSink, type UdpSink } from "../helpers/udp-sink.ts";

let kamailio: Kamailio;
let first: UdpSink | undefined;
let port = 54_000;
const legs = new Legs(() => kamailio);
const caller = "+3225887000";

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret, defines: { TRUNK_PATIENCE: 600 } });
});
afterEach(async () => {
  await legs.close();
  await first?.close();
  first = undefined;
});
afterAll(() => kamailio.stop());

const isInvite = (message: string): boolean => message.startsWith("INVITE ");

/** A first trunk by hand, which is never heard of without an answer, and a second one that answers. */
async function scene() {
  const hand = await openUdpSink("127.0.0.10");
  first = hand;
  const second = await legs.trunk("answer");
  const alice = await legs.open("alice", port++);
  const call = callOf("alice", "+1900", {
    trunk: `sip:127.0.0.10:${hand.port}`,
    trunk2: second.uri,
    caller,
  });
  alice.send(call.invite);
  const tried = await hand.waitFor(isInvite);
  const answer = (status: string): void => hand.send(reply(tried, { status, tag: "f" }), kamailio.udp);
  return { first: hand, tried, answer, second, alice, call };
}

describe("a call whose first trunk fails", () => {
  it("goes on to the second where the first says nothing, as the caller on its own host, and ends as always", async () => {
    const { second, alice, call, tried } = await scene();
    const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"), 3_000);
    expect(header(ok, "From")).toBe("<sip:alice@acme.example>;tag=caller");
    expect(header(tried, "From")).toBe("<sip:+3225887000@127.0.0.10>;tag=caller");
    const invite = await second.waitFor(isInvite);
    expect(invite.startsWith(`INVITE sip:+1900@127.0.0.9:${second.port} SIP/2.0\r\n`)).toBe(true);
    alice.send(withinCall(call, ok, "ACK"));
    await second.waitFor((message) => message.startsWith("ACK "));
    alice.send(withinCall(call, ok, "BYE"));
    await alice.waitFor((message) => isReply(message, 200, "BYE"));
    for (const message of second.messages()) {
      expect(header(message, "From")).toBe("<sip:+3225887000@127.0.0.9>;tag=caller");
      expect(message).not.toContain("alice@acme.example");
      expect(message).not.toMatch(/^x-postern/im);
    }
    expect(headers(invite, "P-Asserted-Identity")).toEqual(["<sip:+3225887000@127.0.0.9>"]);
    expect(kamailio.log()).toContain(`failed (408), the call goes on to ${second.uri}: Call-ID ${call.callId}`);
  });

  it("goes on to the second where the first answers 503, and the page hears nothing of it", async () => {
    const { second, alice, answer } = await scene();
    answer("503 Out of Order");
    await alice.waitFor((message) => isReply(message, 200, "INVITE"));
    expect(second.messages().filter(isInvite)).toHaveLength(1);
    expect(alice.received().some((message) => /^SIP\/2\.0 50/.test(message))).toBe(false);
  });

  it("goes on to the second where the first cannot be resolved", async () => {
    const second = await legs.trunk("answer");
    const alice = await legs.open("alice", port++);
    const more = { trunk: "sip:no-such-trunk.invalid", trunk2: second.uri, caller };
    alice.send(callOf("alice", "+1900", more).invite);
    await alice.waitFor((message) => isReply(message, 200, "INVITE"));
  });

  it.each(["486 Busy Here", "404 Not Found", "603 Decline", "500 Server Error"])(
    "is refused by %s and does not go on",
    async (status) => {
      const { second, alice, answer } = await scene();
      answer(status);
      await alice.waitFor((message) => isReply(message, Number(status.slice(0, 3)), "INVITE"));
      expect(second.messages()).toEqual([]);
    },
  );

  it("does not go on where the first rings for long", async () => {
    const { second, alice, call, first, answer } = await scene();
    answer("180 Ringing");
    await alice.waitFor((message) => isReply(message, 180, "INVITE"));
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(second.messages()).toEqual([]);
    alice.send(cancelOf(call));
    const cancel = await first.waitFor((message) => message.startsWith("CANCEL "));
    expect(header(cancel, "From")).toBe("<sip:+3225887000@127.0.0.10>;tag=caller");
  });

  it("does not go on once it is cancelled", async () => {
    const { second, alice, call } = await scene();
    alice.send(cancelOf(call));
    await alice.waitFor((message) => isReply(message, 487, "INVITE"), 8_000);
    expect(second.messages()).toEqual([]);
  });

  it("is answered in bounded time where both fail", async () => {
    const silent = await openUdpSink("127.0.0.10");
    first = silent;
    const second = await openUdpSink("127.0.0.11");
    const alice = await legs.open("alice", port++);
    const more = { trunk: `sip:127.0.0.10:${silent.port}`, trunk2: `sip:127.0.0.11:${second.port}`, caller };
    alice.send(callOf("alice", "+1900", more).invite);
    const invite = await second.waitFor(isInvite);
    second.send(reply(invite, { status: "503 Out of Order", tag: "s" }), kamailio.udp);
    await alice.waitFor((message) => message.startsWith("SIP/2.0 50"));
    await second.close();
  });
});

describe("a trunk that talks nonsense", () => {
  it.each(["HTTP/1.1 200 OK\r\n\r\n", "SIP/2.0 999 Nonsense\r\n\r\n", "\0\0\0\0", "SIP/2.0 200 OK\r\nVia: x\r\n\r\n"])(
    "%j is as good as silence: the call goes on",
    async (nonsense) => {
      const { alice, first } = await scene();
      first.send(nonsense, kamailio.udp);
      await alice.waitFor((message) => isReply(message, 200, "INVITE"));
    },
  );
});

describe("a trunk on TCP without the second instance", () => {
  it("is refused at once, with a line that says what is missing, and no connection is made", async () => {
    const alice = await legs.open("alice", port++);
    const uri = `sip:127.0.0.12:${await freePort("127.0.0.12")};transport=tcp`;
    alice.send(callOf("alice", "+1900", { trunk: uri }).invite);
    await alice.waitFor((message) => isReply(message, 503, "INVITE"));
    await expect.poll(() => kamailio.log()).toContain(`trunk ${uri} needs the instance for TCP and TLS (EDGE)`);
  });
});
