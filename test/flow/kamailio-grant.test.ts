import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import {
  announcedHost,
  callOf,
  chainSecret,
  granted,
  Legs,
  registerOf,
  uniqueId,
  withinCall,
} from "../helpers/legs.ts";
import { header, isReply, reply } from "../helpers/raw-sip.ts";

let kamailio: Kamailio;
const legs = new Legs(() => kamailio);

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
});
afterEach(() => legs.close());
afterAll(() => kamailio.stop());

const grantLine = /^X-Postern-Grant:.*\r\n/m;
const tokenLine = /^X-Postern-Token:.*\r\n/m;
const withFields = (message: string, token: string, fields: string): string =>
  message.replace(grantLine, `X-Postern-Grant: ${fields}\r\n`).replace(tokenLine, `X-Postern-Token: ${token}\r\n`);

/** Each turns a good request into one that must be refused. */
const spoilt: Record<string, (message: string) => string> = {
  "no grant and no token": (message) => message.replace(grantLine, "").replace(tokenLine, ""),
  "no grant": (message) => message.replace(grantLine, ""),
  "no token": (message) => message.replace(tokenLine, ""),
  "two grants": (message) => message.replace(grantLine, (line) => line + line),
  "a second grant in another spelling": (message) => message.replace(grantLine, (line) => line + line.toLowerCase()),
  "two tokens": (message) => message.replace(tokenLine, (line) => line + line),
  "a changed grant": (message) => message.replace("|trunk=|", "|trunk=sip:127.0.0.8|"),
  "an expired grant": (message) => {
    const old = granted("alice", { expiry: Math.floor(Date.now() / 1000) - 1 });
    return withFields(message, old["X-Postern-Token"], old["X-Postern-Grant"]);
  },
  "a grant under another secret": (message) => {
    const other = granted("alice", { secret: "another secret altogether" });
    return withFields(message, other["X-Postern-Token"], other["X-Postern-Grant"]);
  },
  "a grant by another hash": (message) => {
    const other = granted("alice", { algorithm: "sha1" });
    return withFields(message, other["X-Postern-Token"], other["X-Postern-Grant"]);
  },
};

describe("a request on an accepted connection", () => {
  it.each(Object.keys(spoilt))("with %s is refused by 503, and said to be", async (name) => {
    const alice = await legs.open("alice", 42_001);
    const message = spoilt[name]?.(registerOf("alice")) ?? "";
    expect(message).not.toBe("");
    alice.send(message);
    const refused = await alice.waitFor((received) => received.startsWith("SIP/2.0 "));
    expect(refused.startsWith("SIP/2.0 503 Grant Refused\r\n")).toBe(true);
    expect(header(refused, "X-Postern-Refused")).toBe("grant");
    expect(header(refused, "Retry-After")).toBe("5");
  });

  it("with a grant that lacks a field is refused", async () => {
    const { createHmac } = await import("node:crypto");
    const fields = `${Math.floor(Date.now() / 1000) + 60}:alice@acme.example|customer=acme`;
    const token = createHmac("sha256", chainSecret).update(fields).digest("base64");
    const alice = await legs.open("alice", 42_002);
    alice.send(withFields(registerOf("alice"), token, fields));
    await alice.waitFor((message) => isReply(message, 503, "REGISTER"));
    alice.send(registerOf("alice"));
    await alice.waitFor((message) => isReply(message, 200, "REGISTER"));
  });

  it("in a dialog needs its grant too: ACK is dropped, re-INVITE and BYE are refused", async () => {
    const alice = await legs.registered("alice", 42_003);
    const bob = await legs.registered("bob", 42_004);
    const call = callOf("alice", "bob");
    alice.send(call.invite);
    const invite = await bob.waitFor((message) => message.startsWith("INVITE "));
    bob.send(reply(invite, { status: "200 OK", tag: "bob", contact: "<sip:bob@bob.invalid;transport=ws>" }));
    const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
    const bare = spoilt["no grant"] ?? String;
    alice.send(bare(withinCall(call, ok, "ACK")));
    alice.send(bare(withinCall(call, ok, "INVITE")));
    await alice.waitFor((message) => isReply(message, 503, "INVITE"));
    alice.send(bare(withinCall(call, ok, "BYE")));
    await alice.waitFor((message) => isReply(message, 503, "BYE"));
    expect(bob.received().filter((message) => /^(ACK|BYE) /.test(message))).toEqual([]);
    alice.send(withinCall(call, ok, "ACK"));
    await bob.waitFor((message) => message.startsWith("ACK "));
  });

  it("is logged when refused, without the token", async () => {
    const alice = await legs.open("alice", 42_005);
    const callId = `logged-${uniqueId()}`;
    const message = spoilt["two grants"]?.(registerOf("alice", { callId })) ?? "";
    alice.send(message);
    await alice.waitFor((received) => isReply(received, 503, "REGISTER"));
    const lines = kamailio.log().split("\n");
    const line = lines.find((candidate) => candidate.includes(callId) && !candidate.includes("TEST-REPORT"));
    expect(line).toContain(`grant refused: REGISTER, Call-ID ${callId}, from ${announcedHost}:42005`);
    const said = lines.filter((candidate) => !candidate.includes("TEST-REPORT")).join("\n");
    expect(said).not.toContain(/X-Postern-Token: (\S+)/.exec(message)?.[1]);
    expect(said).not.toContain(chainSecret);
  });

  it.each(["SUBSCRIBE", "REFER", "PUBLISH"])("%s outside a dialog is not served", async (method) => {
    const alice = await legs.open("alice", 42_006);
    const call = callOf("alice", "bob");
    alice.send(call.invite.replace(/^INVITE/, method).replace("1 INVITE", `1 ${method}`));
    await alice.waitFor((message) => isReply(message, 405, method));
  });

  it("OPTIONS to the domain alone is answered", async () => {
    const alice = await legs.open("alice", 42_007);
    const options = callOf("alice", "")
      .invite.replace(/^INVITE sip:@/, "OPTIONS sip:")
      .replace("To: <sip:@", "To: <sip:");
    alice.send(options.replace("1 INVITE", "1 OPTIONS"));
    await alice.waitFor((message) => isReply(message, 200, "OPTIONS"));
  });
});
