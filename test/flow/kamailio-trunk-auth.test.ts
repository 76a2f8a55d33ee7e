import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { sealTrunkAuth } from "../../src/gateway/outward.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { callOf, cancelOf, chainSecret, Legs, withinCall } from "../helpers/legs.ts";
import { header, headers, isReply, reply } from "../helpers/raw-sip.ts";
import { temporaryDir } from "../helpers/temporary.ts";
import { proves } from "../helpers/trunk-digest.ts";
import { openUdpSink, type UdpSink } from "../helpers/udp-sink.ts";
import type { UpstreamClient } from "../helpers/upstream-client.ts";
import { withHeaders } from "../helpers/upstream-client.ts";

let kamailio: Kamailio;
let dir: string;
let trunk: UdpSink;
let alice: UpstreamClient;
let port = 55_000;
const legs = new Legs(() => kamailio);
const formerSecret = "fedcba9876543210fedcba9876543210";
const auth = { username: "acme-trunk", password: "s3cret: pass'word" };

beforeAll(async () => {
  dir = temporaryDir("trunk-auth");
  const shipped = fileURLToPath(new URL("../../kamailio/kamailio.cfg", import.meta.url));
  const configuration = join(dir, "talkative.cfg");
  writeFileSync(configuration, `include_file "${shipped}"\ndebug=4\n`);
  kamailio = await startKamailio({ chainSecret, formerSecret, configuration });
});
beforeEach(async () => {
  trunk = await openUdpSink("127.0.0.9");
  alice = await legs.open("alice", port++);
});
afterEach(async () => {
  await legs.close();
  await trunk.close();
});
afterAll(async () => {
  await kamailio?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const uri = (sink: UdpSink): string => `sip:${sink.host}:${sink.port}`;

/** A call of alice that brings what the gateway seals for the trunk. */
function brought(credential: { username: string; password: string; realm?: string } | null = auth, trunk2 = "") {
  const call = callOf("alice", "+1900", { trunk: uri(trunk), trunk2, caller: "+3225887000" });
  const token = header(call.invite, "X-Postern-Token") ?? "";
  const sealed = credential && { "X-Postern-Trunk-Auth": sealTrunkAuth(credential, chainSecret, token) };
  return { ...call, invite: withHeaders(call.invite, sealed ?? {}) };
}

const digest = (more = "", realm = "pbx.acme.example"): string => `Digest realm="${realm}", nonce="n-${port}"${more}`;

const cseq = (message: string): string | undefined => header(message, "CSeq");

/** The next request of this method and CSeq at the trunk. */
const came = (method: string, at: number): Promise<string> =>
  trunk.waitFor((text) => text.startsWith(`${method} `) && cseq(text) === `${at} ${method}`);

/** Asked once, in the way given: the request that comes back. */
async function asked(first: string, challenges: readonly string[], status = "407 Proxy Authentication Required") {
  const name = status.startsWith("401") ? "WWW-Authenticate" : "Proxy-Authenticate";
  trunk.send(reply(first, { status, tag: "q", extra: challenges.map((one) => `${name}: ${one}`) }), kamailio.udp);
  const [number = "", method = ""] = (cseq(first) ?? "").split(" ");
  return came(method, Number(number) + 1);
}

const answerOf = (message: string): string =>
  header(message, "Proxy-Authorization") ?? header(message, "Authorization") ?? "";

describe("a trunk that asks who calls", () => {
  it.each([
    ["407, MD5, qop", "407 Proxy Authentication Required", [digest(', algorithm=MD5, qop="auth,auth-int"')], "MD5"],
    ["401, without algorithm and qop", "401 Unauthorized", [digest(', opaque="o"')], "MD5"],
    ["SHA-256 before MD5", "401 Unauthorized", [digest(", algorithm=SHA-256, qop=auth"), digest()], "SHA-256"],
    [
      "a scheme and an algorithm that nobody knows first",
      "407 Proxy Authentication Required",
      ["Bearer", digest(", algorithm=SHA-512-256"), digest()],
      "MD5",
    ],
  ])("is told: %s; then the call goes on, its requests counted on", async (_, status, challenges, algorithm) => {
    const call = brought();
    alice.send(call.invite);
    const invite = await asked(await came("INVITE", 1), challenges, status);
    expect(proves(answerOf(invite), "INVITE", auth.password)).toEqual({
      username: auth.username,
      realm: "pbx.acme.example",
      uri: `sip:+1900@${trunk.host}:${trunk.port}`,
      algorithm,
    });
    expect(header(invite, "From")).toBe(`<sip:+3225887000@${trunk.host}>;tag=caller`);
    expect(headers(invite, "P-Asserted-Identity")).toEqual([`<sip:+3225887000@${trunk.host}>`]);
    expect(await came("ACK", 1)).toBeDefined();
    trunk.send(reply(invite, { status: "200 OK", tag: "t", contact: `<${uri(trunk)}>` }), kamailio.udp);
    const ok = await alice.waitFor((text) => isReply(text, 200, "INVITE"));
    expect(cseq(ok)).toBe("1 INVITE");
    alice.send(withinCall(call, ok, "ACK"));
    await came("ACK", 2);
    // Within the call it asks again, and is told again.
    alice.send(withinCall(call, ok, "INVITE", { cseq: 2 }));
    const again = await asked(await came("INVITE", 3), challenges, status);
    expect(proves(answerOf(again), "INVITE", auth.password)).toBeDefined();
    trunk.send(reply(again, { status: "200 OK", contact: `<${uri(trunk)}>` }), kamailio.udp);
    const reOk = await alice.waitFor((text) => isReply(text, 200, "INVITE") && cseq(text) === "2 INVITE");
    expect(cseq(reOk)).toBe("2 INVITE");
    alice.send(withinCall(call, ok, "ACK", { cseq: 2 }));
    await came("ACK", 4);
    alice.send(withinCall(call, ok, "BYE", { cseq: 3 }));
    const bye = await asked(await came("BYE", 5), challenges, status);
    expect(proves(answerOf(bye), "BYE", auth.password)).toBeDefined();
    trunk.send(reply(bye, { status: "200 OK" }), kamailio.udp);
    expect(cseq(await alice.waitFor((text) => isReply(text, 200, "BYE")))).toBe("3 BYE");
    for (const text of trunk.received()) expect(text).not.toMatch(/^(x-postern|p-k-cseq-auth)/im);
    expect(alice.received().join()).not.toMatch(/-Authenticate|realm=|acme-trunk/i);
  });

  it("and is hung up on before it answers hears of it under the number that it knows", async () => {
    const call = brought();
    alice.send(call.invite);
    const invite = await asked(await came("INVITE", 1), [digest()]);
    trunk.send(reply(invite, { status: "180 Ringing", tag: "t" }), kamailio.udp);
    await alice.waitFor((text) => isReply(text, 180, "INVITE"));
    alice.send(cancelOf(call));
    await came("CANCEL", 2);
    trunk.send(reply(invite, { status: "487 Request Terminated", tag: "t" }), kamailio.udp);
    await came("ACK", 2);
    await alice.waitFor((text) => isReply(text, 487, "INVITE"));
  });

  it("is told outside a call too; its answer comes under the number that the page knows", async () => {
    const { invite: call, callId } = brought();
    alice.send(call.replace(/^INVITE /, "MESSAGE ").replace("1 INVITE", "7 MESSAGE"));
    const message = await asked(await came("MESSAGE", 7), [digest()]);
    expect(proves(answerOf(message), "MESSAGE", auth.password)).toBeDefined();
    expect(headers(message, "CSeq")).toEqual(["8 MESSAGE"]);
    trunk.send(reply(message, { status: "200 OK", tag: "t" }), kamailio.udp);
    const ok = await alice.waitFor((text) => isReply(text, 200, "MESSAGE"));
    expect([cseq(ok), header(ok, "Call-ID")]).toEqual(["7 MESSAGE", callId]);
  });

  it("outside a call, and does not take it, leaves the next one the number that the page gave", async () => {
    const second = await openUdpSink("127.0.0.10");
    alice.send(
      brought(auth, uri(second))
        .invite.replace(/^INVITE /, "MESSAGE ")
        .replace("1 INVITE", "7 MESSAGE"),
    );
    const message = await asked(await came("MESSAGE", 7), [digest()]);
    trunk.send(reply(message, { status: "503 Service Unavailable", tag: "t" }), kamailio.udp);
    const passed = await second.waitFor((text) => text.startsWith("MESSAGE "));
    expect(headers(passed, "CSeq")).toEqual(["7 MESSAGE"]);
    second.send(reply(passed, { status: "200 OK", tag: "s" }), kamailio.udp);
    expect(cseq(await alice.waitFor((text) => isReply(text, 200, "MESSAGE")))).toBe("7 MESSAGE");
    await second.close();
  });

  it.each([
    [
      "a trunk that takes no answer of ours",
      [digest()],
      auth,
      "does not take what trunkAuth says, username or password",
    ],
    [
      "another realm than the customer's",
      [digest("", "elsewhere.example")],
      { ...auth, realm: "pbx.acme.example" },
      "asks for another realm than its customer's",
    ],
    [
      "no challenge that we can answer",
      [digest(", algorithm=SHA-512-256"), 'Digest realm="x"', digest(", qop=auth-int")],
      auth,
      "challenges (407) and is not answered",
    ],
    ["a customer without a credential", [digest()], null, "asks for credentials, and its customer has no trunkAuth"],
    ["a challenge with a break of its own", [digest(', opaque="\\""')], auth, "challenges (407) and is not answered"],
  ])("is left for the next one: %s; the page hears of none of it", async (what, challenges, credential, told) => {
    const second = await openUdpSink("127.0.0.10");
    const call = brought(credential, uri(second));
    alice.send(call.invite);
    let tried = await came("INVITE", 1);
    if (what.startsWith("a trunk")) tried = await asked(tried, challenges);
    const extra = challenges.map((one) => `Proxy-Authenticate: ${one}`);
    trunk.send(reply(tried, { status: "407 Proxy Authentication Required", tag: "q", extra }), kamailio.udp);
    const invite = await second.waitFor((text) => text.startsWith("INVITE "));
    expect(invite).not.toMatch(/authorization/i);
    expect(trunk.received().filter((text) => text.startsWith("INVITE "))).toHaveLength(
      what.startsWith("a trunk") ? 2 : 1,
    );
    // What the first one counted is not the second one's.
    trunk.send(reply(tried, { status: "407 Late", tag: "q" }), kamailio.udp);
    second.send(reply(invite, { status: "200 OK", tag: "s", contact: `<${uri(second)}>` }), kamailio.udp);
    const ok = await alice.waitFor((text) => isReply(text, 200, "INVITE"));
    alice.send(withinCall(call, ok, "ACK"));
    const ack = await second.waitFor((text) => text.startsWith("ACK "));
    expect([cseq(invite), cseq(ack)]).toEqual(["1 INVITE", "1 ACK"]);
    expect(alice.received().join()).not.toMatch(/ 407 |-Authenticate|acme-trunk/i);
    await expect
      .poll(() => kamailio.log())
      .toMatch(new RegExp(`trunk \\S+ ${told.replace(/[()]/g, "\\$&")}: Call-ID ${call.callId}`));
    await second.close();
  });

  it("and is the only one ends the call with a 503 that says when to come again", async () => {
    alice.send(brought(null).invite);
    trunk.send(
      reply(await came("INVITE", 1), {
        status: "401 Unauthorized",
        tag: "q",
        extra: [`WWW-Authenticate: ${digest()}`],
      }),
      kamailio.udp,
    );
    const refused = await alice.waitFor((text) => isReply(text, 503, "INVITE"));
    expect([header(refused, "Retry-After"), header(refused, "X-Postern-Refused")]).toEqual(["5", "trunk"]);
  });

  it("is told nothing that was sealed beside another grant", async () => {
    const call = brought(null);
    const foreign = header(brought().invite.replace("|caller=", "|caller=+1"), "X-Postern-Trunk-Auth") ?? "";
    const other = sealTrunkAuth(auth, chainSecret, "of another request");
    expect(foreign).not.toBe("");
    alice.send(withHeaders(call.invite, { "X-Postern-Trunk-Auth": other }));
    trunk.send(
      reply(await came("INVITE", 1), {
        status: "401 Unauthorized",
        tag: "q",
        extra: [`WWW-Authenticate: ${digest()}`],
      }),
      kamailio.udp,
    );
    await alice.waitFor((text) => isReply(text, 503, "INVITE"));
    const told = `what was sealed for a trunk does not open: Call-ID ${call.callId}`;
    await expect.poll(() => kamailio.log()).toContain(told);
  });

  it("is told what a gateway has sealed that signs with the secret before, while the chain secret rotates", async () => {
    const call = brought(null);
    const sealed = sealTrunkAuth(auth, formerSecret, header(call.invite, "X-Postern-Token") ?? "");
    alice.send(withHeaders(call.invite, { "X-Postern-Trunk-Auth": sealed }));
    const invite = await asked(await came("INVITE", 1), [digest()]);
    expect(proves(answerOf(invite), "INVITE", auth.password)).toBeDefined();
    trunk.send(reply(invite, { status: "486 Busy Here", tag: "t" }), kamailio.udp);
    await alice.waitFor((text) => isReply(text, 486, "INVITE"));
  });

  it("leaves its password nowhere in Kamailio's log, at the highest debug, nor in its database", () => {
    const log = kamailio.log();
    expect(log).toContain("DEBUG: ");
    const ha1 = createHash("md5").update(`${auth.username}:pbx.acme.example:${auth.password}`).digest("hex");
    const files = ["kamailio.sqlite", "kamailio.sqlite-wal"].map((name) => join(kamailio.dir, name));
    const kept = files.map((name) => (existsSync(name) ? readFileSync(name, "latin1") : "")).join("");
    expect(kept).toContain("cseq_diff");
    for (const text of [log, kept]) for (const word of [auth.password, ha1]) expect(text.includes(word)).toBe(false);
  });
});
