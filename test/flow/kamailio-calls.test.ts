import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { announcedHost, callOf, cancelOf, chainSecret, Legs, withinCall } from "../helpers/legs.ts";
import { header, isReply, reply } from "../helpers/raw-sip.ts";

let kamailio: Kamailio;
const legs = new Legs(() => kamailio);

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
});
afterEach(() => legs.close());
afterAll(() => kamailio.stop());

const bobsContact = "<sip:bob@bob.invalid;transport=ws>";

describe("a call between two legs", () => {
  it("rings on the callee's leg, is answered and ended by the caller", async () => {
    const alice = await legs.registered("alice", 40_001);
    const bob = await legs.registered("bob", 40_002);
    const call = callOf("alice", "bob");
    alice.send(call.invite);
    const invite = await bob.waitFor((message) => message.startsWith("INVITE "));
    expect(header(invite, "P-Asserted-Identity")).toBe("<sip:alice@acme.example>");
    bob.send(reply(invite, { status: "180 Ringing", tag: "bob" }));
    await alice.waitFor((message) => isReply(message, 180, "INVITE"));
    bob.send(reply(invite, { status: "200 OK", tag: "bob", contact: bobsContact }));
    const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
    alice.send(withinCall(call, ok, "ACK"));
    const ack = await bob.waitFor((message) => message.startsWith("ACK "));
    expect(ack.startsWith("ACK sip:bob@bob.invalid;transport=ws SIP/2.0\r\n")).toBe(true);
    alice.send(withinCall(call, ok, "BYE"));
    const bye = await bob.waitFor((message) => message.startsWith("BYE "));
    bob.send(reply(bye, { status: "200 OK" }));
    await alice.waitFor((message) => isReply(message, 200, "BYE"));
    const delivered = kamailio.saw().filter((seen) => seen.way === "out" && seen.method !== undefined);
    expect(delivered.map((seen) => `${seen.method} ${seen.host}:${seen.port}`)).toEqual(
      ["INVITE", "ACK", "BYE"].map((method) => `${method} ${announcedHost}:40002`),
    );
  });

  it("shows nothing of ours to either side, whoever forges it in whatever case", async () => {
    const alice = await legs.registered("alice", 40_003);
    const bob = await legs.registered("bob", 40_004);
    const extra = ["x-postern-extra: 1", "X-Other: kept"];
    alice.send(callOf("alice", "bob", {}, { extra }).invite);
    const invite = await bob.waitFor((message) => message.startsWith("INVITE "));
    expect(invite).not.toMatch(/^x-postern/im);
    expect(header(invite, "X-Other")).toBe("kept");
    bob.send(reply(invite, { status: "200 OK", tag: "bob", contact: bobsContact, extra }));
    const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
    expect(ok).not.toMatch(/^x-postern/im);
    expect(header(ok, "X-Other")).toBe("kept");
  });

  it("ends at the callee when the caller cancels", async () => {
    const alice = await legs.registered("alice", 40_005);
    const bob = await legs.registered("bob", 40_006);
    const call = callOf("alice", "bob");
    alice.send(call.invite);
    const invite = await bob.waitFor((message) => message.startsWith("INVITE "));
    bob.send(reply(invite, { status: "180 Ringing", tag: "bob" }));
    await alice.waitFor((message) => isReply(message, 180, "INVITE"));
    alice.send(cancelOf(call));
    const cancel = await bob.waitFor((message) => message.startsWith("CANCEL "));
    expect(cancel).not.toMatch(/^x-postern/im);
    bob.send(reply(cancel, { status: "200 OK" }));
    bob.send(reply(invite, { status: "487 Request Terminated", tag: "bob" }));
    await alice.waitFor((message) => isReply(message, 487, "INVITE"));
  });

  it("survives a re-INVITE of the callee, whose new target is found again", async () => {
    const alice = await legs.registered("alice", 40_007);
    const bob = await legs.registered("bob", 40_008);
    const call = callOf("alice", "bob");
    alice.send(call.invite);
    const invite = await bob.waitFor((message) => message.startsWith("INVITE "));
    bob.send(reply(invite, { status: "200 OK", tag: "bob", contact: bobsContact }));
    const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
    alice.send(withinCall(call, ok, "ACK"));
    await bob.waitFor((message) => message.startsWith("ACK "));
    const moved = withinCall(call, ok, "INVITE", { contact: "<sip:alice2@alice.invalid;transport=ws>" });
    alice.send(moved);
    const again = await bob.waitFor((message) => message.startsWith("INVITE ") && message.includes("alice2@"));
    expect(header(again, "Contact")).toBe(`<sip:alice2@alice.invalid;transport=ws;alias=${announcedHost}~40007~5>`);
  });
});

describe("a call to a user", () => {
  it.each(["nobody", "alice%40x", "+3225887000"])("who is not registered is 480: %s", async (user) => {
    const alice = await legs.open("alice", 40_011);
    alice.send(callOf("alice", user).invite);
    await alice.waitFor((message) => isReply(message, 480, "INVITE"));
  });

  it("whose leg is gone is 480", async () => {
    const bob = await legs.registered("bob", 40_012);
    await bob.close();
    const alice = await legs.open("alice", 40_013);
    const before = kamailio.saw().length;
    alice.send(callOf("alice", "bob").invite);
    await alice.waitFor((message) => isReply(message, 480, "INVITE"));
    expect(
      kamailio
        .saw()
        .slice(before)
        .filter((seen) => seen.way === "out" && seen.proto === "udp"),
    ).toEqual([]);
  });

  it("with a message of 17 KB and of 30 KB arrives whole", async () => {
    const alice = await legs.registered("alice", 40_014);
    const bob = await legs.registered("bob", 40_015);
    for (const size of [17_000, 29_000]) {
      const body = `v=0\r\n${"a=x:0123456789\r\n".repeat(Math.ceil(size / 16))}`;
      const call = callOf("alice", "bob", {}, { body });
      alice.send(call.invite);
      const invite = await bob.waitFor((message) => message.includes(call.callId));
      expect(invite.endsWith(body)).toBe(true);
    }
  });
});
