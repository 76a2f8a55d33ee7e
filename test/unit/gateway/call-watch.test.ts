import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CallRecord } from "../../../src/core/calls.ts";
import { refuse } from "../../../src/core/errors.ts";
import { refusedCall } from "../../../src/gateway/call-record.ts";
import { CallWatch } from "../../../src/gateway/call-watch.ts";
import { nowhere, type Outward } from "../../../src/gateway/chain.ts";
import { CallConferences } from "../../../src/gateway/conferences.ts";
import { customer, identity, limits } from "../../helpers/customers.ts";
import { readOf, scanned, sip } from "../../helpers/sip-text.ts";

const began = 1_700_000_000_000;
const who = identity(customer({ limits: limits({ callSeconds: 60 }) }));
const toTrunk: Outward = { trunk: "sip:pbx.acme.example", trunk2: "sip:pbx2.acme.example", caller: "+32" };

let now = began;
let told: CallRecord[];
let watch: CallWatch;
let parties: CallConferences;
beforeEach(() => {
  vi.useFakeTimers();
  now = began;
  told = [];
  parties = new CallConferences();
  watch = new CallWatch({
    clock: { now: () => now },
    gatewayId: "g1",
    parties,
    calls: { note: (record) => told.push({ ...record }) },
  });
});
afterEach(() => vi.useRealTimers());

const pass = (milliseconds: number): void => {
  now += milliseconds;
  vi.advanceTimersByTime(milliseconds);
};

interface Parts {
  readonly branch?: string;
  readonly callId?: string;
  /** Of whoever sends the request. */
  readonly tag?: string;
  readonly to?: string;
  readonly uri?: string;
  readonly from?: string;
  readonly vias?: string;
}

function fields(method: string, { branch = "1", callId = "c1", tag = "a1", to, from, vias = "" }: Parts) {
  return {
    Via: `SIP/2.0/WS abc.invalid;branch=z9hG4bK${branch}${vias}`,
    From: `<${from ?? "sip:alice@acme.example"}>;tag=${tag}`,
    To: `<sip:bob@acme.example>${to ? `;tag=${to}` : ""}`,
    "Call-ID": callId,
    CSeq: `1 ${method}`,
  };
}

const request = (method: string, parts: Parts = {}): string =>
  sip({ method, uri: parts.uri ?? "sip:bob@acme.example", fields: fields(method, parts) });
const response = (status: number, method: string, parts: Parts = {}): string =>
  sip({ start: `SIP/2.0 ${status} X`, fields: fields(method, parts) });

const went = (method: string, parts?: Parts, outward = nowhere): void =>
  watch.went(readOf(request(method, parts)), who, outward);
const heard = (status: number, method: string, parts?: Parts): void =>
  watch.heard(scanned(response(status, method, parts)));
const came = (method: string, parts?: Parts): void => watch.came(scanned(request(method, parts)), who);
const hungUp = (parts?: Parts): void => watch.hungUp(scanned(request("BYE", parts)), who);
const said = (status: number, method: string, parts?: Parts): void =>
  watch.said(scanned(response(status, method, parts)));

/** Rings after one second, is answered after three. */
function answered(parts: Parts = {}): void {
  went("INVITE", parts);
  pass(1_000);
  heard(180, "INVITE", { ...parts, to: "t1" });
  pass(2_000);
  heard(200, "INVITE", { ...parts, to: "t1" });
}

const bye = (status = 200, to = "t1"): void => {
  went("BYE", { to, branch: "2" });
  pass(100);
  heard(status, "BYE", { to, branch: "2" });
};

/** What was told last. */
const last = (): CallRecord | undefined => told.at(-1);
const times = { start: began, ringing: began + 1_000, answer: began + 3_000 };

describe("a call that a client begins", () => {
  it("is told when it begins, rings, is answered and ends, always whole and under one id", () => {
    answered();
    pass(7_000);
    bye();
    expect(told.map(({ ringing, answer, end }) => [ringing, answer, end].filter(Boolean).length)).toEqual([0, 1, 2, 3]);
    expect(new Set(told.map(({ id }) => id)).size).toBe(1);
    expect(last()).toEqual({
      ...{
        id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
        ...times,
      },
      ...{ gateway: "g1", callId: "c1", customer: "acme", user: "alice", domain: "acme.example", provedBy: "k1" },
      ...{ direction: "to-user", peer: "bob@acme.example", end: began + 10_000, seconds: 7, endedBy: "client" },
      status: 200,
    });
  });

  it("to a number names the number and the trunk", () => {
    went("INVITE", { uri: "sip:+32-25887000@acme.example" }, toTrunk);
    const { direction, number, trunk, peer } = last()!;
    expect({ direction, number, trunk, peer }).toEqual({
      ...{ direction: "to-number", number: "+3225887000", trunk: "sip:pbx.acme.example" },
    });
  });

  it("ends when the far end hangs up, whatever the client says to that", () => {
    answered();
    pass(2_000);
    hungUp({ tag: "t1", to: "a1", vias: ", SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKu" });
    expect(last()).toMatchObject({ ...times, end: began + 5_000, seconds: 2, endedBy: "far" });
    bye(481);
    expect(told).toHaveLength(4);
  });

  it.each([
    ["refused", 486, "far"],
    ["not answered at all", 408, "far"],
    ["sent elsewhere", 302, "far"],
  ])("that is %s has the status of its last response", (_, status, endedBy) => {
    went("INVITE");
    pass(500);
    heard(status, "INVITE", { to: "t1" });
    expect(last()).toMatchObject({ start: began, end: began + 500, endedBy, status });
    expect(last()).not.toHaveProperty("seconds");
  });

  it("that is cancelled was ended by the client", () => {
    went("INVITE");
    heard(180, "INVITE", { to: "t1" });
    went("CANCEL");
    heard(200, "CANCEL");
    pass(100);
    heard(487, "INVITE", { to: "t1" });
    expect(last()).toMatchObject({ end: began + 100, endedBy: "client", status: 487 });
  });

  it("goes on where the answer crossed the CANCEL", () => {
    went("INVITE");
    went("CANCEL");
    heard(200, "INVITE", { to: "t1" });
    pass(60_000);
    expect(last()).not.toHaveProperty("end");
    watch.close("draining");
    expect(last()).toMatchObject({ seconds: 60, endedBy: "gateway", reason: "draining" });
  });

  it("is one however many of its forks answer, and over with the last of them", () => {
    answered();
    heard(200, "INVITE", { to: "t2" });
    bye(200, "t2");
    heard(200, "INVITE", { to: "t2" });
    expect(told).toHaveLength(3);
    pass(5_000);
    bye();
    expect(last()).toMatchObject({ end: began + 3_000 + 5_100, endedBy: "client" });
  });

  it("is nothing new for a re-INVITE, a refusal of it, or digits", () => {
    answered();
    went("INVITE", { to: "t1", branch: "9" });
    heard(488, "INVITE", { to: "t1", branch: "9" });
    went("INFO", { to: "t1", branch: "10" });
    heard(500, "INFO", { to: "t1", branch: "10" });
    expect(told).toHaveLength(3);
  });

  it("goes on where its BYE was refused on the way, and its end is where it ended", () => {
    answered();
    bye(403);
    pass(40_000);
    expect(last()).not.toHaveProperty("end");
    hungUp({ tag: "t1", to: "a1" });
    expect(last()).toMatchObject({ end: now, endedBy: "far" });
  });

  it("ends with the client's BYE though nobody answers that", () => {
    answered();
    const end = now;
    went("BYE", { to: "t1", branch: "2" });
    pass(32_000);
    expect(last()).toMatchObject({ end, seconds: 0, endedBy: "client" });
  });

  it("that nobody ever answers does not ring for good", () => {
    went("INVITE");
    pass(600_000);
    expect(last()).toMatchObject({ end: began + 600_000, endedBy: "gateway", reason: "unanswered" });
  });

  it("that Kamailio ends because it lasted too long was ended by the gateway", () => {
    answered();
    pass(60_000);
    hungUp({ tag: "t1", to: "a1" });
    expect(last()).toMatchObject({ seconds: 60, endedBy: "gateway", reason: "call-seconds" });
  });

  it("that the far end ends as late was ended by the far end", () => {
    answered();
    pass(60_000);
    hungUp({ tag: "t1", to: "a1", vias: ", SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKu" });
    expect(last()).toMatchObject({ seconds: 60, endedBy: "far" });
  });

  it("that waits for an answer ends where upstream is lost, and one that stands goes on", () => {
    answered({ callId: "c2" });
    went("INVITE");
    watch.abandon();
    expect(told.filter(({ end }) => end !== undefined)).toMatchObject([
      { callId: "c1", endedBy: "gateway", reason: "upstream-unavailable", status: 503 },
    ]);
  });

  it("ends with its leg, for the leg's reason, or by who had asked for it before", () => {
    for (const callId of ["c1", "c2", "c3"]) went("INVITE", { callId, branch: callId });
    heard(200, "INVITE", { callId: "c2", branch: "c2", to: "t1" });
    went("CANCEL", { callId: "c3", branch: "c3" });
    pass(50);
    watch.close("credential-revoked");
    const ends = told.filter(({ end }) => end !== undefined);
    expect(ends).toMatchObject([
      { callId: "c1", endedBy: "gateway", reason: "credential-revoked", end: began + 50 },
      { callId: "c2", endedBy: "gateway", reason: "credential-revoked", seconds: 0.05 },
      { callId: "c3", endedBy: "client", end: began },
    ]);
    pass(1_000_000);
    expect(told).toHaveLength(7);
  });
});

describe("a call that comes in", () => {
  const far = { tag: "f1", from: "sip:+4930123@carrier.example", branch: "f" };

  it("names who calls, and is answered and ended by the client", () => {
    came("INVITE", far);
    pass(1_000);
    said(180, "INVITE", { ...far, to: "l1" });
    pass(2_000);
    said(200, "INVITE", { ...far, to: "l1" });
    pass(4_000);
    watch.went(readOf(request("BYE", { tag: "l1", to: "f1", branch: "b" })), who, nowhere);
    watch.heard(scanned(response(200, "BYE", { tag: "l1", to: "f1", branch: "b" })));
    expect(last()).toMatchObject({ ...times, direction: "in", number: "+4930123", user: "alice", provedBy: "k1" });
    expect(last()).toMatchObject({ end: began + 7_000, seconds: 4, endedBy: "client", status: 200 });
  });

  it("from a user names that one", () => {
    came("INVITE", { ...far, from: "sip:carol@acme.example" });
    expect(last()).toMatchObject({ direction: "in", peer: "carol@acme.example" });
    expect(last()).not.toHaveProperty("number");
  });

  it.each([
    ["the client does not take", () => said(603, "INVITE", { ...far, to: "l1" }), { endedBy: "client", status: 603 }],
    [
      "its caller gives up",
      () => {
        came("CANCEL", far);
        said(487, "INVITE", { ...far, to: "l1" });
      },
      { endedBy: "far", status: 487 },
    ],
    [
      "its caller gives up, and the client is silent",
      () => {
        came("CANCEL", far);
        pass(32_000);
      },
      { endedBy: "far" },
    ],
  ])("that %s ends so", (_, how, end) => {
    came("INVITE", far);
    how();
    expect(last()).toMatchObject({ ...end, end: expect.any(Number) });
  });

  it("that rings while upstream is lost, and is never answered, ended with that", () => {
    came("INVITE", far);
    pass(5_000);
    watch.abandon();
    pass(1_000);
    watch.abandon();
    pass(594_000);
    expect(last()).toMatchObject({ end: began + 5_000, endedBy: "gateway", reason: "upstream-unavailable" });
  });

  it.each([
    [
      "answered",
      () => said(200, "INVITE", { ...far, to: "l1" }),
      { answer: began + 1_000, seconds: 0, endedBy: "far" },
    ],
    ["given up", () => came("CANCEL", far), { end: began + 1_000, endedBy: "far" }],
    ["left by its client", () => watch.close("socket-lost"), { end: began + 1_000, reason: "socket-lost" }],
  ])("twin: is %s when upstream has come back", (_, how, end) => {
    came("INVITE", far);
    watch.abandon();
    pass(1_000);
    how();
    hungUp({ tag: "f1", to: "l1" });
    pass(32_000);
    expect(last()).toMatchObject(end);
  });

  it("that rings on when upstream has come back is unanswered in the end", () => {
    came("INVITE", far);
    watch.abandon();
    said(180, "INVITE", { ...far, to: "l1" });
    pass(600_000);
    expect(last()).toMatchObject({ end: began + 600_000, reason: "unanswered" });
  });

  it("is one where it rings at two Contacts of the client", () => {
    came("INVITE", far);
    came("INVITE", { ...far, branch: "g" });
    said(486, "INVITE", { ...far, to: "l1" });
    expect(told).toHaveLength(1);
    said(200, "INVITE", { ...far, branch: "g", to: "l2" });
    hungUp({ tag: "f1", to: "l2" });
    expect(last()).toMatchObject({ endedBy: "far", seconds: 0 });
  });

  it("is neither ended nor begun anew by another INVITE of its caller under the same Call-ID and tag", () => {
    came("INVITE", far);
    said(200, "INVITE", { ...far, to: "l1" });
    came("INVITE", { ...far, branch: "g" });
    said(482, "INVITE", { ...far, branch: "g", to: "l2" });
    expect([watch.records.length, told.length]).toEqual([1, 2]);
    pass(9_000);
    hungUp({ tag: "f1", to: "l1" });
    expect(last()).toMatchObject({ endedBy: "far", seconds: 9 });
    expect(new Set(told.map(({ id }) => id)).size).toBe(1);
  });

  it("keeps no more of such INVITEs than there are forks", () => {
    for (let at = 0; at < 40; at++) came("INVITE", { ...far, branch: `g${at}` });
    for (let at = 0; at < 16; at++) said(486, "INVITE", { ...far, branch: `g${at}`, to: `l${at}` });
    expect(last()).toMatchObject({ endedBy: "client", status: 486 });
  });

  it("is apart from the one by which the client called itself", () => {
    went("INVITE");
    came("INVITE", { branch: "f" });
    expect(new Set(told.map(({ id }) => id)).size).toBe(2);
  });
});

describe("a call that is looked for", () => {
  it("is found by the id of its record while it rings or stands, and over once it was hung up by hand", () => {
    answered();
    came("INVITE", { callId: "c2", tag: "f1", branch: "9" });
    const [out, into] = watch.records;
    expect([out?.callId, into?.callId]).toEqual(["c1", "c2"]);
    expect(watch.find(out?.id ?? "")).toEqual({ callId: "c1", tag: "a1", outgoing: true });
    expect(watch.find(into?.id ?? "")).toEqual({ callId: "c2", tag: "f1", outgoing: false });
    expect(watch.find("another")).toBeUndefined();
    watch.hungUpByHand("another");
    watch.hungUpByHand(out?.id ?? "");
    expect(told.at(-1)).toMatchObject({ callId: "c1", endedBy: "gateway", reason: "hung-up", end: now });
    expect([watch.find(out?.id ?? ""), watch.records]).toEqual([undefined, [into]]);
  });
});

describe("what others write into a record", () => {
  it("is of bounded length and printable", () => {
    const callId = "c".repeat(256);
    went("INVITE", { callId, uri: `sip:${"b".repeat(300)}@acme.example` });
    came("INVITE", { tag: "f1", branch: "f", callId: "c2", from: "sip:a%0a%1b%5b2J@carrier.example" });
    came("INVITE", { tag: "f1", branch: "f", callId: "c3", from: `sip:${"9".repeat(300)}@carrier.example` });
    expect(told[0]?.callId).toBe(callId);
    expect(told[1]?.peer).toBe("a%0a%1b%5b2J@carrier.example");
    expect(told[0]?.peer).toHaveLength(128);
    expect(told[2]?.number).toBe("9".repeat(32));
  });

  it("cannot end or answer a call of another Call-ID, tag or branch", () => {
    answered();
    went("INVITE", { callId: "c2", branch: "5" });
    const before = told.length;
    heard(200, "INVITE", { callId: "c2", branch: "6", to: "x" });
    heard(486, "INVITE", { callId: "c2", tag: "zz", branch: "5" });
    hungUp({ tag: "t1", to: "zz" });
    hungUp({ tag: "zz", to: "a1" });
    hungUp({ callId: "c2", tag: "t1", to: "a1" });
    went("BYE", { callId: "c9", to: "t1" });
    heard(200, "BYE", { to: "zz" });
    expect(told).toHaveLength(before);
    hungUp({ tag: "t1", to: "a1" });
    expect(told).toHaveLength(before + 1);
  });

  it("ends no call that stands, however many ring", () => {
    answered();
    for (let at = 0; at < 1_100; at++) came("INVITE", { callId: `r${at}`, tag: "f1", branch: `r${at}` });
    expect(watch.records.map(({ callId }) => callId)).toEqual(expect.arrayContaining(["c1", "r1099"]));
    expect(watch.records).toHaveLength(1_024);
    pass(7_000);
    bye();
    expect(last()).toMatchObject({ callId: "c1", endedBy: "client", seconds: 7 });
  });

  it("keeps so many calls of one leg in mind, and gives up the oldest", () => {
    for (let at = 0; at <= 1_024; at++) went("INVITE", { callId: `c${at}`, branch: `b${at}` });
    expect(told.filter(({ end }) => end !== undefined)).toMatchObject([{ callId: "c0", reason: "unanswered" }]);
  });
});

describe("an INVITE that is refused after the proof", () => {
  const seen = { gateway: "g1", at: began };
  const denied = refuse("destination-denied", "no");

  it("is a record with its status and code", () => {
    const record = refusedCall(readOf(request("INVITE", { uri: "sip:+19005551234@acme.example" })), who, denied, seen);
    expect(record).toMatchObject({ customer: "acme", user: "alice", provedBy: "k1", direction: "to-number" });
    expect(record).toMatchObject({ number: "+19005551234", start: began, end: began, endedBy: "gateway" });
    expect(record).toMatchObject({ reason: "destination-denied", status: 403 });
  });

  it("is the customer's alone where the credential was refused", () => {
    const expired = refuse("credential-expired", "too late");
    const record = refusedCall(
      readOf(request("INVITE", { uri: "sip:123456@acme.example" })),
      who.customer,
      expired,
      seen,
    );
    expect(record).toMatchObject({ customer: "acme", direction: "to-user", peer: "123456@acme.example" });
    expect(Object.keys(record)).not.toContain("user");
  });
});
