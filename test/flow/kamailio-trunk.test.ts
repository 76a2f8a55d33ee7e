import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { callOf, cancelOf, chainSecret, Legs, withinCall } from "../helpers/legs.ts";
import { header, headers, isReply, reply } from "../helpers/raw-sip.ts";

let kamailio: Kamailio;
const legs = new Legs(() => kamailio);

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
});
afterEach(() => legs.close());
afterAll(() => kamailio.stop());

const caller = "+3225887000";

/** Header names of a message as they stand, without duplicates. */
const names = (message: string): string[] => [
  ...new Set(
    (message.split("\r\n\r\n", 1)[0] ?? "")
      .split("\r\n")
      .slice(1)
      .map((line) => line.split(":", 1)[0] ?? ""),
  ),
];

describe("a call to the trunk of the grant", () => {
  it("dials the number there, as the caller of the grant, and ends by the page's BYE", async () => {
    const trunk = await legs.trunk("answer");
    const alice = await legs.open("alice", 41_001);
    const call = callOf("alice", "+1-900.555(0)", { trunk: `${trunk.uri};transport=udp`, caller });
    alice.send(call.invite);
    const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
    expect(header(ok, "From")).toBe("<sip:alice@acme.example>;tag=caller");
    const invite = await trunk.waitFor((message) => message.startsWith("INVITE "));
    expect(invite.startsWith(`INVITE sip:+19005550@127.0.0.9:${trunk.port};transport=udp SIP/2.0\r\n`)).toBe(true);
    expect(header(invite, "From")).toBe("<sip:+3225887000@127.0.0.9>;tag=caller");
    expect(headers(invite, "P-Asserted-Identity")).toEqual(["<sip:+3225887000@127.0.0.9>"]);
    // Where uac would keep the user's address, for the trunk to read.
    expect(headers(invite, "Record-Route").join()).not.toContain(";vsf=");
    alice.send(withinCall(call, ok, "ACK"));
    await trunk.waitFor((message) => message.startsWith("ACK "));
    alice.send(withinCall(call, ok, "INFO", { extra: ["P-Asserted-Identity: <sip:alice@acme.example>"] }));
    await alice.waitFor((message) => isReply(message, 200, "INFO"));
    alice.send(withinCall(call, ok, "BYE"));
    await alice.waitFor((message) => isReply(message, 200, "BYE"));
    for (const message of trunk.messages()) {
      expect(header(message, "From")).toBe("<sip:+3225887000@127.0.0.9>;tag=caller");
      expect(message).not.toMatch(/^x-postern/im);
      expect(message).not.toContain("sip:alice@acme.example");
    }
  });

  it("drops the display name, and what is on no list", async () => {
    const trunk = await legs.trunk("busy");
    const alice = await legs.open("alice", 41_002);
    const listed = [
      "s: unlisted",
      "k: 100rel",
      "x: 1800;refresher=uac",
      "user-agent: test",
      "Privacy: none",
      "X-Ctx: 7",
    ];
    const unlisted = ["P-Foo: 1", "Diversion: <sip:9@x>", "remote-party-id: <sip:9@x>", "Organization: x", "s: hello"];
    const extra = [...listed, ...unlisted, "x-POSTERN-Grant2: 1"];
    const call = callOf("alice", "+1900", { trunk: trunk.uri, caller }, { extra });
    alice.send(call.invite.replace("From: <", 'From: "Alice Liddell" <'));
    const busy = await alice.waitFor((message) => isReply(message, 486, "INVITE"));
    expect(header(busy, "From")).toContain("alice@acme.example");
    const invite = await trunk.waitFor((message) => message.startsWith("INVITE "));
    expect(invite).not.toContain("Liddell");
    expect(names(invite)).toEqual([
      ...["Record-Route", "Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact"],
      ...["k", "x", "user-agent", "Privacy", "X-Ctx", "Content-Length", "P-Asserted-Identity"],
    ]);
  });

  it("without a caller in the grant shows the user that the grant names", async () => {
    const trunk = await legs.trunk("busy");
    const alice = await legs.open("alice", 41_003);
    alice.send(callOf("alice", "1900", { trunk: trunk.uri }).invite);
    const invite = await trunk.waitFor((message) => message.startsWith("INVITE "));
    expect(headers(invite, "P-Asserted-Identity")).toEqual(["<sip:alice@acme.example>"]);
    expect(header(invite, "From")).toBe("<sip:alice@acme.example>;tag=caller");
  });

  it("ends at the page when the trunk hangs up, and neither sees what is not its own", async () => {
    const trunk = await legs.trunk("answer-and-hangup", { hold: 50 });
    const alice = await legs.open("alice", 41_004);
    const call = callOf("alice", "+1900", { trunk: trunk.uri, caller });
    alice.send(call.invite);
    const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
    expect(ok).not.toMatch(/^x-postern/im);
    expect(header(ok, "X-Trunk-Context")).toBe("kept");
    alice.send(withinCall(call, ok, "ACK"));
    const bye = await alice.waitFor((message) => message.startsWith("BYE "));
    expect(bye.startsWith("BYE sip:alice@alice.invalid;transport=ws SIP/2.0\r\n")).toBe(true);
    expect(bye).not.toMatch(/^x-postern/im);
    expect(header(bye, "To")).toBe("<sip:alice@acme.example>;tag=caller");
    alice.send(reply(bye, { status: "200 OK", extra: ["X-Postern-Extra: 1", "P-Foo: 1", "X-Ctx: 7"] }));
    const answered = await trunk.waitFor((message) => isReply(message, 200, "BYE"));
    expect(answered).not.toContain("alice@acme.example");
    expect(names(answered)).toEqual(["Via", "From", "Call-ID", "CSeq", "To", "X-Ctx", "Content-Length"]);
  });

  it("is cancelled with the From that the INVITE had there", async () => {
    const trunk = await legs.trunk("ringing");
    const alice = await legs.open("alice", 41_005);
    const call = callOf("alice", "+1900", { trunk: trunk.uri, caller });
    alice.send(call.invite);
    await alice.waitFor((message) => isReply(message, 180, "INVITE"));
    alice.send(cancelOf(call));
    const cancel = await trunk.waitFor((message) => message.startsWith("CANCEL "));
    expect(header(cancel, "From")).toBe("<sip:+3225887000@127.0.0.9>;tag=caller");
    expect(cancel).not.toMatch(/^x-postern/im);
    await alice.waitFor((message) => isReply(message, 487, "INVITE"));
  });

  it("takes only what reads as a number there", async () => {
    const trunk = await legs.trunk("busy");
    const alice = await legs.open("alice", 41_006);
    for (const target of ["bob", "%2A21", "%2331", "1;2"]) {
      const call = callOf("alice", target, { trunk: trunk.uri, caller });
      alice.send(call.invite);
      await alice.waitFor((one) => isReply(one, 484, "INVITE") && header(one, "Call-ID") === call.callId);
    }
    expect(trunk.messages()).toEqual([]);
  });

  it("ends for both by a BYE when the grant's seconds are over", async () => {
    const trunk = await legs.trunk("answer");
    const alice = await legs.open("alice", 41_007);
    const call = callOf("alice", "+1900", { trunk: trunk.uri, caller, max: 2 });
    alice.send(call.invite);
    const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
    alice.send(withinCall(call, ok, "ACK"));
    // Requests in the call, as session timers send them, must not start its seconds anew.
    while (!trunk.messages().some((message) => message.startsWith("BYE "))) {
      const info = withinCall(call, ok, "INFO");
      alice.send(info);
      await alice.waitFor(
        (message) => message.startsWith("SIP/2.0 ") && header(message, "CSeq") === header(info, "CSeq"),
      );
    }
    const last = await trunk.waitFor((message) => message.startsWith("BYE "), 8_000);
    expect(header(last, "From")).toBe("<sip:+3225887000@127.0.0.9>;tag=caller");
    expect(last).not.toContain("sip:alice@acme.example");
    const bye = await alice.waitFor((message) => message.startsWith("BYE "), 8_000);
    expect(bye.startsWith("BYE sip:alice@alice.invalid;transport=ws SIP/2.0\r\n")).toBe(true);
    // Its answer is taken: else it would be said again after half a second.
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(trunk.messages().filter((message) => message.startsWith("BYE "))).toHaveLength(1);
  });
});
