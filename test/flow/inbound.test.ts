import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { CallRecord } from "../../src/core/calls.ts";
import { chainSecret, globexSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { freePort } from "../helpers/ports.ts";
import { credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { header, headers, isReply, recordRoutes, reply, request, tagOf, uriOf } from "../helpers/raw-sip.ts";
import { untilFiled } from "../helpers/records.ts";
import { type Caller, type CallerOptions, startCaller } from "../helpers/trunk.ts";
import { openUdpSink, type UdpSink } from "../helpers/udp-sink.ts";

/** Both customers are behind it. */
const border = "127.0.0.8";
let kamailio: Kamailio;
let gateway: TestGateway;
const browsers: RawClient[] = [];
const callers: Caller[] = [];
const sinks: UdpSink[] = [];

beforeAll(async () => {
  const wsPort = await freePort();
  gateway = await startGateway({
    upstreamUrls: [`ws://127.0.0.1:${wsPort}`],
    trunk: `sip:${border}:5060`,
    acme: '    inbound: { "+3225887000": reception, "+3225887001": nobody-there }\n',
    globex: '    inbound: { "4930100": front }\n',
    more: "records: { file: calls.jsonl }\n",
  });
  kamailio = await startKamailio({ chainSecret, wsPort, defines: { POSTERN_ADMIN: gateway.adminUrl } });
});
afterEach(async () => {
  for (const browser of browsers.splice(0)) browser.close();
  await Promise.all(callers.splice(0).map((caller) => caller.stop()));
  await Promise.all(sinks.splice(0).map((sink) => sink.close()));
});
afterAll(async () => {
  await gateway?.close();
  await kamailio?.stop();
});

async function browser(address: string, secret?: string): Promise<RawClient> {
  const client = await RawClient.connect(gateway.gatewayUrl);
  browsers.push(client);
  const answered = await client.register(address, credential(address, secret ? { secret } : {}));
  expect(status(answered), answered).toBe(200);
  return client;
}

async function call(options: Partial<CallerOptions> = {}): Promise<Caller> {
  const all = { host: border, to: kamailio.udp, number: "+3225887000", scenario: "call", ...options } as const;
  const caller = await startCaller(all);
  callers.push(caller);
  return caller;
}

const isInvite = (message: string): boolean => message.startsWith("INVITE ");
const answerOf = (invite: string, user: string): string =>
  reply(invite, { status: "200 OK", tag: "b", contact: `<sip:${user}@${user}.invalid;transport=ws>`, body: "v=0\r\n" });

/** INVITE by hand, where a refusal is what counts. */
async function invite(source: string, number: string): Promise<{ answer: string; callId: string; ms: number }> {
  const sink = await openUdpSink(source);
  sinks.push(sink);
  const callId = `in-${unique()}`;
  const since = Date.now();
  sink.send(text(sink, number, callId), kamailio.udp);
  const answer = await sink.waitFor((message) => /^SIP\/2\.0 [2-6]/.test(message));
  return { answer, callId, ms: Date.now() - since };
}

const text = (sink: UdpSink, number: string, callId: string, method = "INVITE"): string =>
  request({
    method,
    uri: `sip:${number}@${kamailio.udp.host}:${kamailio.udp.port}`,
    from: "+4412345@outside.example",
    to: `${number}@${kamailio.udp.host}`,
    fromTag: "o",
    callId,
    cseq: 1,
    branch: `z9hG4bK${callId}`,
    viaHost: `${sink.host}:${sink.port}`,
    viaTransport: "UDP",
    contact: `<sip:+4412345@${sink.host}:${sink.port}>`,
  });

describe("a stranger who calls and calls", () => {
  it("is asked about no more within the minute, is answered without a state, and a trunk's calls go on", async () => {
    const reception = await browser("reception@acme.example");
    const first = await call();
    const rang = await reception.take(isInvite);
    reception.send(reply(rang, { status: "486 Busy Here", tag: "b" }));
    await first.ended;
    const sink = await openUdpSink("127.0.0.66");
    sinks.push(sink);
    const asked = (): number => gateway.log().filter((line) => line.source === "127.0.0.66").length;
    const answers = new Set<string>();
    for (let at = 0; at < 80; at++) {
      const callId = `str-${unique()}`;
      sink.send(text(sink, "+19005550123", callId), kamailio.udp);
      const answer = await sink.waitFor(
        (message) => /^SIP\/2\.0 [2-6]/.test(message) && header(message, "Call-ID") === callId,
      );
      answers.add(answer.slice(8, 11));
    }
    expect([...answers]).toEqual(["404", "503"]);
    expect(asked()).toBe(60);
    const second = await call();
    reception.send(reply(await reception.take(isInvite), { status: "486 Busy Here", tag: "b" }));
    await second.ended;
  });
});

describe("a call from a trunk", () => {
  it("arrives at the user of its number, with what a trunk may say and nothing of ours, and the trunk hangs up", async () => {
    const reception = await browser("reception@acme.example");
    const caller = await call();
    const rang = await reception.take(isInvite);
    expect(rang.startsWith("INVITE sip:reception@reception.invalid;transport=ws SIP/2.0\r\n")).toBe(true);
    expect(header(rang, "From")).toMatch(/^"Outside" <sip:\+4412345@127\.0\.0\.8:\d+>;tag=/);
    expect(headers(rang, "P-Asserted-Identity")).toEqual([`"Outside" <sip:+4412345@${border}>`]);
    expect(header(rang, "X-Trunk-Context")).toBe("kept");
    expect(header(rang, "Organization")).toBeUndefined();
    expect(rang).not.toMatch(/postern/i);
    const extra = ["X-Evil: 1"];
    reception.send(reply(rang, { status: "180 Ringing", tag: "b", extra }));
    reception.send(answerOf(rang, "reception").replace("Content-Length", "X-Evil: 2\r\nContent-Length"));
    await reception.take((message) => message.startsWith("ACK "));
    const bye = await reception.take((message) => message.startsWith("BYE "));
    reception.send(reply(bye, { status: "200 OK", extra }));
    expect(await caller.ended).toBe(0);
    for (const message of caller.messages()) expect(message).not.toMatch(/postern|x-evil/i);
    const isIt = ({ callId }: CallRecord): boolean => callId === header(rang, "Call-ID");
    const filed = await untilFiled(join(gateway.folder, "calls.jsonl"), (all) => all.some(isIt));
    expect(filed.filter(isIt)).toMatchObject([
      { direction: "in", customer: "acme", user: "reception", number: "+4412345", endedBy: "far", status: 200 },
    ]);
  });

  it("is hung up by the page", async () => {
    const reception = await browser("reception@acme.example");
    const caller = await call({ scenario: "call-and-wait" });
    const rang = await reception.take(isInvite);
    reception.send(answerOf(rang, "reception"));
    const ack = await reception.take((message) => message.startsWith("ACK "));
    const hangUp = {
      method: "BYE",
      uri: uriOf(header(rang, "Contact")),
      from: uriOf(header(ack, "To")).slice(4),
      to: uriOf(header(ack, "From")).slice(4),
      fromTag: "b",
      toTag: tagOf(header(ack, "From")),
      callId: header(rang, "Call-ID") ?? "",
      cseq: 1,
      viaHost: "reception.invalid",
      contact: "<sip:reception@reception.invalid;transport=ws>",
      routes: recordRoutes(rang),
    };
    expect(status(await reception.ask(hangUp))).toBe(200);
    expect(await caller.ended).toBe(0);
  });

  it("is told apart by its number where two customers are behind one address", async () => {
    const [reception, front] = [
      await browser("reception@acme.example"),
      await browser("front@globex.example", globexSecret),
    ];
    await call({ number: "+3225887000" });
    await reception.take(isInvite);
    await call({ number: "4930100" });
    await front.take(isInvite);
    expect(reception.received.filter(isInvite)).toEqual([]);
  });

  it.each(["3225887000", "+32-2.588(70)00", "003225887000", "%2B3225887000"])("reaches %s too", async (number) => {
    const reception = await browser("reception@acme.example");
    const sink = await openUdpSink(border);
    sinks.push(sink);
    sink.send(text(sink, number, `in-${unique()}`), kamailio.udp);
    await reception.take(isInvite);
  });

  it.each(["Privacy: id", "Privacy: user;\tid", "Privacy: user,id", "Privacy: user\r\nPrivacy: id"])(
    "hides whom the trunk asserts from the page where the caller wants that: %j",
    async (privacy) => {
      const reception = await browser("reception@acme.example");
      const sink = await openUdpSink(border);
      sinks.push(sink);
      const private_ = `P-Asserted-Identity: <sip:+44@x>\r\n${privacy}\r\nContent-Length:`;
      sink.send(text(sink, "+3225887000", `in-${unique()}`).replace("Content-Length:", private_), kamailio.udp);
      const rang = await reception.take(isInvite);
      expect(header(rang, "P-Asserted-Identity")).toBeUndefined();
      expect(headers(rang, "Privacy").join()).toContain("id");
    },
  );

  it("is cancelled by the trunk, and by nobody else", async () => {
    const reception = await browser("reception@acme.example");
    const sink = await openUdpSink(border);
    sinks.push(sink);
    const callId = `in-${unique()}`;
    sink.send(text(sink, "+3225887000", callId), kamailio.udp);
    const rang = await reception.take(isInvite);
    reception.send(reply(rang, { status: "180 Ringing", tag: "b" }));
    await sink.waitFor((message) => isReply(message, 180, "INVITE"));
    sink.send(text(sink, "+3225887000", callId, "CANCEL"), kamailio.udp);
    const cancel = await reception.take((message) => message.startsWith("CANCEL "));
    reception.send(reply(cancel, { status: "200 OK", tag: "b" }));
    reception.send(reply(rang, { status: "487 Request Terminated", tag: "b" }));
    await sink.waitFor((message) => isReply(message, 487, "INVITE"));
  });
});

describe("a call from outside that nobody is to get", () => {
  const lineOf = (callId: string): string =>
    kamailio
      .log()
      .split("\n")
      .find((line) => line.includes(callId) && !line.includes("TEST-REPORT")) ?? "";

  it.each([
    ["nobody's number", border, "+3225887999", 404, /to \+3225887999 refused: nobody's number/],
    ["no number", border, "reception", 404, /refused: reception is no number/],
    [
      "a source that is no trunk",
      "127.0.0.77",
      "+3225887000",
      403,
      /from 127\.0\.0\.77 .* no trunk of the number's owner/,
    ],
    ["nobody there", border, "+3225887001", 480, /^$/],
  ])("%s: is answered at once", async (_name, source, number, expected, line) => {
    const reception = await browser("reception@acme.example");
    const { answer, callId, ms } = await invite(source, number);
    expect(status(answer)).toBe(expected);
    expect(ms).toBeLessThan(1_000);
    expect(lineOf(callId)).toMatch(line);
    expect(reception.received.filter(isInvite)).toEqual([]);
  });

  it("is logged by the gateway too, with its reason", async () => {
    await invite("127.0.0.77", "+3225887000");
    const line = gateway.log().findLast((one) => one.msg === "a call from outside was refused");
    expect(line).toMatchObject({ source: "127.0.0.77", number: "+3225887000", status: 403 });
  });

  it("begins no line of its own in the log by a folded Call-ID, and is answered", async () => {
    const sink = await openUdpSink("127.0.0.77");
    sinks.push(sink);
    const callId = `in-${unique()}`;
    const folded = text(sink, "reception", callId).replace(/^(Call-ID: .*)\r$/m, "$1\r\n banned: 192.0.2.1\r");
    sink.send(folded, kamailio.udp);
    await sink.waitFor((message) => isReply(message, 400, "INVITE") && message.includes(callId));
    expect(kamailio.log().split("\n")).not.toContainEqual(expect.stringMatching(/^\s*banned: /));
  });

  it.each(["MESSAGE", "SUBSCRIBE", "REGISTER"])("%s from a trunk is 403", async (method) => {
    const sink = await openUdpSink(border);
    sinks.push(sink);
    sink.send(text(sink, "+3225887000", `in-${unique()}`, method), kamailio.udp);
    await sink.waitFor((message) => isReply(message, 403, method));
  });
});
