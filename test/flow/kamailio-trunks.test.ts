import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { callOf, cancelOf, chainSecret, Legs, withinCall } from "../helpers/legs.ts";
import { header, headers, isReply, reply } from "../helpers/raw-sip.ts";
import { temporaryDir } from "../helpers/temporary.ts";
import { openUdpSink, type UdpSink } from "../helpers/udp-sink.ts";
import { type UpstreamClient, withHeaders } from "../helpers/upstream-client.ts";

/** Trunks by hand, as many as a grant names; what each of them says is the test's. */
let kamailio: Kamailio;
let alice: UpstreamClient;
let port = 55_500;
let trunks: UdpSink[] = [];
const dir = temporaryDir("trunks");
const socket = join(dir, "rpc.sock");
const legs = new Legs(() => kamailio);
const caller = "+3225887000";
const [patience, progress] = [800, 1_500];

beforeAll(async () => {
  const seconds = { TRUNK_PING_SECONDS: 1, TRUNK_PENALTY: 30 };
  kamailio = await startKamailio({
    chainSecret,
    defines: { RPC_SOCKET: socket, TRUNK_PATIENCE: patience, TRUNK_PROGRESS: progress, ...seconds },
  });
});
beforeEach(async () => {
  alice = await legs.open("alice", port++);
});
afterEach(async () => {
  await legs.close();
  await Promise.all(trunks.splice(0).map((trunk) => trunk.close()));
});
afterAll(async () => {
  await kamailio?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const place = ({ host, port: at }: UdpSink): string => `${host}:${at}`;
const isInvite = (text: string): boolean => text.startsWith("INVITE ");
const invites = (trunk: UdpSink): number =>
  new Set(
    trunk
      .received()
      .filter(isInvite)
      .map((text) => header(text, "Call-ID")),
  ).size;

async function open(count: number): Promise<UdpSink[]> {
  trunks = await Promise.all(Array.from({ length: count }, (_, at) => openUdpSink(`127.0.0.${20 + at}`)));
  return trunks;
}

/** A call to these, in this order. */
function called(
  targets: readonly UdpSink[],
  extra: readonly string[] = [],
  more: Record<string, string> = {},
  customer = "acme",
) {
  const [first = "", ...rest] = targets.map((target) => `sip:${place(target)}`);
  const call = callOf("alice", "+1900", { trunk: first, trunk2: rest.join(">"), caller, customer }, { extra });
  alice.send(withHeaders(call.invite, more));
  const at = (trunk: UdpSink): Promise<string> =>
    trunk.waitFor((text) => isInvite(text) && header(text, "Call-ID") === call.callId);
  const final = (status: number): Promise<string> =>
    alice.waitFor((text) => isReply(text, status, "INVITE") && header(text, "Call-ID") === call.callId);
  return { ...call, at, final };
}

const answers = (trunk: UdpSink, request: string, status: string, extra: readonly string[] = []): void =>
  trunk.send(reply(request, { status, tag: "t", contact: `<sip:${place(trunk)}>`, extra: [...extra] }), kamailio.udp);

const rpc = async (...command: string[]): Promise<string> =>
  (await promisify(execFile)("kamcmd", ["-s", `unix:${socket}`, ...command])).stdout;

/** Answers each OPTIONS until it is told to stop. */
function alive(trunk: UdpSink): () => void {
  const answered = new Set<string>();
  const look = setInterval(() => {
    for (const text of trunk.received()) {
      const id = header(text, "Call-ID") ?? "";
      if (!text.startsWith("OPTIONS ") || answered.has(id)) continue;
      answered.add(id);
      trunk.send(reply(text, { status: "200 OK", tag: "o" }), kamailio.udp);
    }
  }, 20);
  return () => clearInterval(look);
}

describe("several trunks", () => {
  it("are tried in their order: silent, without service, on TCP without EDGE, and the last one has the call", async () => {
    const [silent, busy, last] = (await open(3)) as [UdpSink, UdpSink, UdpSink];
    const call = callOf("alice", "+1900", {
      ...{ trunk: `sip:${place(silent)}`, caller },
      trunk2: `sip:${place(busy)}>sip:127.0.0.1:9;transport=tcp>sip:${place(last)}`,
    });
    alice.send(call.invite);
    answers(busy, await busy.waitFor(isInvite), "503 Out of Order");
    const invite = await last.waitFor(isInvite);
    expect(invite).toMatch(new RegExp(`^INVITE sip:\\+1900@${place(last)} SIP/2.0\r\n`));
    expect(header(invite, "From")).toBe(`<sip:${caller}@${last.host}>;tag=caller`);
    answers(last, invite, "180 Ringing", ["X-Postern-Passed: trunk"]);
    answers(last, invite, "200 OK");
    answers(last, invite, "200 OK");
    const oks = (): string[] => alice.received().filter((text) => isReply(text, 200, "INVITE"));
    await expect.poll(() => oks().length).toBe(2);
    const ringing = alice.received().find((text) => isReply(text, 180, "INVITE"));
    // Once, for the gateway that counts it.
    expect([ringing, ...oks()].map((text) => header(text ?? "", "X-Postern-Passed"))).toEqual([
      undefined,
      "trunk",
      undefined,
    ]);
    await expect
      .poll(() => kamailio.log())
      .toContain(`trunk sip:${place(silent)} is down for acme: it kept silent to a call`);
    // As docs/trunks.md tells operators to look.
    expect(await rpc("htable.dump", "down")).toMatch(
      new RegExp(`name: sip:${place(silent)} acme\\s+value: silent to a call`),
    );
  });

  it("that all fail are a 503 within their seconds, which says when to come again", async () => {
    const targets = await open(2);
    const since = Date.now();
    const refused = await called(targets).final(503);
    expect([header(refused, "Retry-After"), header(refused, "X-Postern-Refused")]).toEqual(["5", "trunk"]);
    expect(Date.now() - since).toBeLessThan(2 * patience + 4_000);
  });

  it("of which one was silent just now: it is passed over at once, until it answers", async () => {
    const [first, second] = (await open(2)) as [UdpSink, UdpSink];
    const one = called([first, second]);
    answers(second, await one.at(second), "486 Busy Here");
    await one.final(486);
    const two = called([first, second]);
    answers(second, await two.at(second), "486 Busy Here");
    await two.final(486);
    expect(invites(first)).toBe(1);
    // Not by calls of others whose trunk it is too: what it dropped may have been of a kind that one page alone sends.
    const others = called([first, second], [], {}, "globex");
    answers(first, await others.at(first), "486 Busy Here");
    await others.final(486);
    const still = called([first, second]);
    answers(second, await still.at(second), "486 Busy Here");
    await still.final(486);
    // Alone it is tried all the same, and its answer takes the mark away.
    const alone = called([first]);
    answers(first, await alone.at(first), "486 Busy Here");
    await alone.final(486);
    const three = called([first, second]);
    answers(first, await three.at(first), "486 Busy Here");
    await three.final(486);
    expect(invites(second)).toBe(3);
  });

  it("of which one takes no MESSAGE: it is passed over for that one alone", async () => {
    const [first, second] = (await open(2)) as [UdpSink, UdpSink];
    const targets = { trunk: `sip:${place(first)}`, trunk2: `sip:${place(second)}`, caller };
    const { invite } = callOf("alice", "+1900", targets);
    alice.send(invite.replace(/^INVITE /, "MESSAGE ").replace("1 INVITE", "1 MESSAGE"));
    answers(second, await second.waitFor((text) => text.startsWith("MESSAGE ")), "200 OK");
    await alice.waitFor((text) => isReply(text, 200, "MESSAGE"));
    const call = called([first, second]);
    answers(first, await call.at(first), "486 Busy Here");
    await call.final(486);
  });

  it("are watched by OPTIONS: who answered and does no more is passed over, and is back when it answers", async () => {
    const [first, second] = (await open(2)) as [UdpSink, UdpSink];
    const stop = alive(first);
    const busy = async (target: UdpSink): Promise<void> => {
      const call = called([first, second]);
      answers(target, await call.at(target), "486 Busy Here");
      await call.final(486);
    };
    await busy(first);
    const asked = await first.waitFor((text) => text.startsWith("OPTIONS "));
    expect(asked).toMatch(new RegExp(`^OPTIONS sip:${place(first)} SIP/2.0\r\n`));
    expect(asked).not.toMatch(/postern-|acme|alice/i);
    await expect.poll(() => first.received().filter((text) => text.startsWith("OPTIONS ")).length).toBeGreaterThan(1);
    // What one page sends may be dropped: to other calls it is as alive as before.
    const dropped = called([first, second]);
    answers(second, await dropped.at(second), "486 Busy Here");
    await dropped.final(486);
    await busy(first);
    stop();
    const down = `trunk sip:${place(first)} is down: it does not answer OPTIONS any more`;
    await expect.poll(() => kamailio.log(), { timeout: 15_000 }).toContain(down);
    // It stays so for as long as it keeps silent: as if the hour of both tables were over soon.
    for (const table of ["answers", "down"]) await rpc("htable.setex", table, `sip:${place(first)}`, "3");
    await new Promise((resolve) => setTimeout(resolve, 4_200));
    await busy(second);
    expect(invites(first)).toBe(3);
    const again = alive(first);
    const back = `trunk sip:${place(first)} is back: it answers OPTIONS`;
    await expect.poll(() => kamailio.log(), { timeout: 15_000 }).toContain(back);
    again();
    await busy(first);
    expect(kamailio.log()).not.toContain(`trunk sip:${place(second)} is down`);
  });
});

describe("a trunk that", () => {
  it("says nothing but 100 is left after its seconds, with a CANCEL; what it says then is nobody's", async () => {
    const [slow, second] = (await open(2)) as [UdpSink, UdpSink];
    const call = called([slow, second]);
    const invite = await call.at(slow);
    answers(slow, invite, "100 Trying");
    const went = await call.at(second);
    await slow.waitFor((text) => text.startsWith("CANCEL "));
    answers(second, went, "180 Ringing");
    await call.final(180);
    answers(slow, invite, "487 Request Terminated");
    answers(second, went, "200 OK");
    await call.final(200);
  });

  it("rings is waited for beyond that", async () => {
    const [slow, second] = (await open(2)) as [UdpSink, UdpSink];
    const call = called([slow, second]);
    const invite = await call.at(slow);
    answers(slow, invite, "100 Trying");
    answers(slow, invite, "183 Session Progress");
    await call.final(183);
    await new Promise((resolve) => setTimeout(resolve, progress + 600));
    answers(slow, invite, "200 OK");
    expect(header(await call.final(200), "X-Postern-Passed")).toBeUndefined();
    expect(alice.received().filter((text) => isReply(text, 408, "INVITE"))).toEqual([]);
    expect(second.received()).toEqual([]);
  });

  it("redirects leads nobody anywhere: its Contact stays here", async () => {
    const [first, second] = (await open(2)) as [UdpSink, UdpSink];
    const call = called([first, second]);
    first.send(
      reply(await call.at(first), { status: "302 Moved", tag: "t", contact: "<sip:+1911@elsewhere.example>" }),
      kamailio.udp,
    );
    expect(await call.final(302)).not.toMatch(/elsewhere|^Contact/im);
    expect(second.received()).toEqual([]);
  });

  it("is dialled as the gateway wrote it, and by nothing that is no number", async () => {
    const [trunk] = (await open(1)) as [UdpSink];
    const dialled = async (dial: string): Promise<string | undefined> => {
      const call = called([trunk], [], { "X-Postern-Dial": dial });
      const invite = await call.at(trunk);
      answers(trunk, invite, "486 Busy Here");
      await call.final(486);
      expect(invite).not.toMatch(/^x-postern/im);
      return /^INVITE sip:([^@]*)@/.exec(invite)?.[1];
    };
    expect(await dialled("9025887000")).toBe("9025887000");
    expect(await dialled("*9025")).toBe("*9025");
    expect(await dialled("1@evil.example;x")).toBe("+1900");
  });
});

describe("a page that wants to be hidden", () => {
  const asserted = { "X-Postern-Untrusted": "1" };
  it.each<[string, readonly string[], Record<string, string>, boolean, boolean]>([
    ["Privacy: id, a trusted trunk", ["Privacy: id"], {}, true, true],
    ["Privacy: id, another", ["Privacy: id"], asserted, true, false],
    ["Privacy among others", ["Privacy: none", "Privacy: user;ID"], asserted, true, false],
    ["Privacy: none", ["Privacy: none"], asserted, false, true],
    ["no Privacy", [], asserted, false, true],
  ])("%s", async (_, extra, more, hidden, told) => {
    const [trunk] = (await open(1)) as [UdpSink];
    const call = called([trunk], [...extra, "User-Agent: the page of alice"], more);
    const invite = await call.at(trunk);
    const from = hidden
      ? "Anonymous <sip:anonymous@anonymous.invalid>;tag=caller"
      : `<sip:${caller}@${trunk.host}>;tag=caller`;
    expect(header(invite, "From")).toBe(from);
    expect(headers(invite, "P-Asserted-Identity")).toEqual(told ? [`<sip:${caller}@${trunk.host}>`] : []);
    expect(invite.includes("the page of alice")).toBe(!hidden);
    answers(trunk, invite, "200 OK");
    const ok = await call.final(200);
    expect(header(ok, "From")).toBe("<sip:alice@acme.example>;tag=caller");
    alice.send(withinCall(call, ok, "ACK"));
    alice.send(withinCall(call, ok, "BYE", { extra: ["User-Agent: the page of alice"] }));
    const bye = await trunk.waitFor((text) => text.startsWith("BYE "));
    expect(bye.includes("the page of alice")).toBe(!hidden);
    expect(header(bye, "From")).toContain(
      hidden ? "<sip:anonymous@anonymous.invalid>" : `<sip:${caller}@${trunk.host}>`,
    );
  });

  it("and cannot do without what is not hidden here is told so; a call that is cancelled stays hidden", async () => {
    const [trunk] = (await open(1)) as [UdpSink];
    await called([trunk], ["Privacy: header;critical"]).final(500);
    const call = called([trunk], ["Privacy: id;critical"]);
    answers(trunk, await call.at(trunk), "180 Ringing");
    await call.final(180);
    alice.send(cancelOf(call));
    const cancel = await trunk.waitFor((text) => text.startsWith("CANCEL "));
    expect(header(cancel, "From")).toContain("anonymous.invalid");
  });
});
