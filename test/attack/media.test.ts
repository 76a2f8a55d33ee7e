import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { rtpengineCalls } from "../../scripts/rtpengine.ts";
import { encode } from "../../scripts/trunk/g711.ts";
import { RtpSocket } from "../../scripts/trunk/rtp.ts";
import { jssipClient, type TestClient, untilHeard } from "../helpers/clients.ts";
import { acmeSecret, chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { freePort } from "../helpers/ports.ts";
import { credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { header, isReply, reply } from "../helpers/raw-sip.ts";
import { startRtpengine } from "../helpers/rtpengine.ts";
import { User } from "../helpers/scene.ts";
import { webrtcOffer as good } from "../helpers/sdp-offer.ts";
import { SoundingCaller } from "../helpers/sounding-caller.ts";
import { type SoundingTrunk, startSoundingTrunk, tone } from "../helpers/sounding-trunk.ts";
import { openUdpSink } from "../helpers/udp-sink.ts";

const border = "127.0.0.43";
let rtpengine: Awaited<ReturnType<typeof startRtpengine>>;
let trunk: SoundingTrunk;
/** Whether the trunk plays nothing. */
let mute = false;
let safe: Side;
const closers: (() => unknown)[] = [];

interface Side {
  readonly kamailio: Kamailio;
  readonly gateway: TestGateway;
}

/** learning: what MEDIA_LEARNING is set to; by default it is not set. */
async function side(learning?: string): Promise<Side> {
  const wsPort = await freePort();
  const gateway = await startGateway({
    upstreamUrls: [`ws://127.0.0.1:${wsPort}`],
    trunk: trunk.uri,
    acme: '    inbound: { "+3225887001": reception }\n',
  });
  const defines = {
    RTPENGINE: rtpengine.url,
    POSTERN_ADMIN: gateway.adminUrl,
    ...(learning && { MEDIA_LEARNING: learning }),
  };
  return { gateway, kamailio: await startKamailio({ chainSecret, wsPort, defines }) };
}

async function end({ gateway, kamailio }: Side): Promise<void> {
  await gateway.close();
  await kamailio.stop();
}

beforeAll(async () => {
  rtpengine = await startRtpengine();
  const answers = async (): Promise<void> => {
    if (mute) trunk.sounds.at(-1)!.source = () => undefined;
  };
  trunk = await startSoundingTrunk({ host: border, plays: 1000, listensFor: [440, 1000], answers });
  safe = await side();
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

afterAll(async () => {
  if (safe) await end(safe);
  trunk?.stop();
  await rtpengine?.stop();
});

async function page({ gateway }: Side, user: string, hears = 1000): Promise<TestClient> {
  const client = await jssipClient({ url: gateway.gatewayUrl, user, secret: acmeSecret, hears });
  closers.push(client.stop);
  await client.registered();
  return client;
}

async function raw(user: string): Promise<User> {
  const client = await RawClient.connect(safe.gateway.gatewayUrl);
  closers.push(() => client.close());
  const address = `${user}@acme.example`;
  const given = credential(address, { secret: acmeSecret });
  expect(status(await client.register(address, given))).toBe(200);
  return new User(client, address, given);
}

/** A stranger who sends his own sound, and RTCP's port too, to where a trunk's is wanted: before the trunk has sent any. */
async function stranger(): Promise<{ received(): number; at(port: number): void }> {
  const socket = await RtpSocket.open("127.0.0.66");
  let received = 0;
  socket.onPacket = () => received++;
  const source = tone(700);
  let timer: NodeJS.Timeout | undefined;
  let timestamp = 0;
  const at = (port: number): void => {
    clearInterval(timer);
    timer = setInterval(() => {
      timestamp += 160;
      // As if he had guessed it: what has one of its own is another stream to the page's browser, and not played.
      socket.ssrc = trunk.sounds.at(-1)?.ssrc ?? socket.ssrc;
      const packet = { payloadType: 0, marker: false, timestamp, payload: encode("PCMU", source()) };
      for (const to of [port, port + 1]) socket.send({ host: "127.0.0.1", port: to }, packet);
    }, 20);
    timer.unref();
  };
  closers.push(() => {
    clearInterval(timer);
    socket.close();
  });
  return { received: () => received, at };
}

const portIn = (message: string): number => Number(/^m=audio (\d+)/m.exec(message)?.[1]);

/** A call, with a stranger at the trunk's port as soon as the trunk is offered it. */
async function bled(where: Side, hears: number) {
  const alice = await page(where, "alice", hears);
  const robber = await stranger();
  const before = trunk.messages().length;
  const offered = trunk.waitFor(
    (message) => message.startsWith("INVITE ") && trunk.messages().indexOf(message) >= before,
  );
  const calling = alice.call("sip:+3225887123@acme.example");
  robber.at(portIn(await offered));
  const call = await calling;
  await call.accepted();
  return { alice, robber, call, ear: trunk.ears.at(-1)! };
}

describe("a stranger at a port of rtpengine (RTP Bleed)", () => {
  it("gets no sound and brings none in, though he was the first to send there; nor at the page's port", async () => {
    const { alice, robber, call, ear } = await bled(safe, 1000);
    await call.heard(50);
    await ear.hears(440);
    const answer = alice.ladder.map(({ message }) => message).find((message) => isReply(message, 200, "INVITE"))!;
    robber.at(portIn(answer));
    await call.heard(call.audio().tone + 25);
    expect(robber.received()).toBe(0);
    expect(call.audio().received - call.audio().tone).toBeLessThan(10);
  });

  it("twin: gets it where the endpoint is learnt from whoever sends first", async () => {
    const unsafe = await side("immediate");
    closers.push(() => end(unsafe));
    // Else who is first after the answer is left to luck.
    mute = true;
    closers.push(() => {
      mute = false;
    });
    const { alice, robber, call } = await bled(unsafe, 700);
    await untilHeard(() => call.audio(), 20, alice.ladder);
    await untilHeard(() => ({ sent: 0, received: 0, tone: robber.received() }), 20, alice.ladder);
  });
});

describe("another who knows Call-ID and tag of a call", () => {
  it("calls under them, and the first call's sound stays where it was", async () => {
    const alice = await page(safe, "alice");
    const call = await alice.call("sip:+3225887123@acme.example");
    await call.heard();
    const ear = trunk.ears.at(-1)!;
    const invite = alice.ladder.map(({ message }) => message).findLast((message) => message.startsWith("INVITE "))!;
    const fromTag = /;tag=(\S+)/.exec(header(invite, "From") ?? "")![1]!;
    const mallory = await raw("mallory");
    const callId = header(invite, "Call-ID")!;
    mallory.prove("INVITE", "sip:+3225887666@acme.example", { callId, fromTag, body: good }).catch(() => {}); // nobody answers
    await trunk.waitFor((message) => message.startsWith("INVITE sip:+3225887666@"));
    expect(await rtpengineCalls(rtpengine.url)).toHaveLength(2);
    await call.heard(call.audio().tone + 20);
    await ear.hears(440);
  });
});

const plain = (host: string, port: number): string =>
  `v=0\r\no=- 1 1 IN IP4 ${host}\r\ns=-\r\nc=IN IP4 ${host}\r\nt=0 0\r\nm=audio ${port} RTP/AVP 0\r\n`;

describe("an offer of a page", () => {
  const cases: [string, string, number, RegExp][] = [
    ["none at all", "", 488, /the offer is missing/],
    ["no SDP", "hello\r\n", 400, /no SDP/],
    [
      "plain RTP behind a byte of 0",
      `${good}a=x\0\r\nm=audio 5000 RTP/AVP 0\r\nc=IN IP4 127.0.0.66\r\n`,
      400,
      /a byte of 0/,
    ],
    ["no end of lines", good + "a=x\r\n".repeat(600), 488, /more than 500 lines/],
    ["no audio", good.replace(/m=audio[\s\S]*/, ""), 488, /no audio/],
    ["audio on port 0", good.replace("m=audio 9", "m=audio 0"), 488, /no audio/],
    ["plain RTP", plain("127.0.0.66", 5000), 488, /WebRTC/],
    ["a line of plain RTP beside", `${good}m=video 5000 RTP/AVP 96\r\n`, 488, /WebRTC/],
    ["keys in the SDP", `${good}a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n`, 488, /WebRTC/],
    ["no fingerprint", good.replace(/a=fingerprint.*\r\n/, ""), 488, /a=fingerprint/],
    ["we should knock at its door", good.replace("actpass", "passive"), 488, /a=setup/],
    ["no ICE", good.replace(/a=ice-ufrag.*\r\n/, ""), 488, /a=ice-ufrag/],
    [
      "no codec in common",
      good.replace("111 0", "111").replace("opus/48000/2", "ISAC/16000"),
      488,
      /no codec in common/,
    ],
    ["what rtpengine cannot read", good.replace("IN IP4 0.0.0.0", "IN IP4 nowhere"), 488, /no sound can be agreed on/],
  ];
  it.each(cases)("%s: refused with a sentence, and the trunk hears nothing", async (_, body, expected, sentence) => {
    const alice = await raw("alice");
    const before = trunk.messages().length;
    const calls = await rtpengineCalls(rtpengine.url);
    const answered = await alice.prove("INVITE", "sip:+3225887123@acme.example", body ? { body } : {});
    expect(status(answered), answered).toBe(expected);
    expect(header(answered, "Warning")).toMatch(/^399 postern "/);
    expect(header(answered, "Warning")).toMatch(sentence);
    expect(trunk.messages()).toHaveLength(before);
    // Calls of before may end meanwhile.
    expect((await rtpengineCalls(rtpengine.url)).filter((call) => !calls.includes(call))).toEqual([]);
  });

  it("another type: 415", async () => {
    const alice = await raw("alice");
    const other = (text: string): string => text.replace("application/sdp", "multipart/mixed;boundary=x");
    const answered = await alice.prove("INVITE", "sip:+3225887123@acme.example", { body: good }, {}, other);
    expect(status(answered)).toBe(415);
  });

  it("with a victim's address as its own and among its candidates has nobody knock there", async () => {
    const victim = await openUdpSink("127.0.0.66");
    closers.push(() => victim.close());
    const alice = await raw("alice");
    const its = good.replace("audio 9 ", `audio ${victim.port} `).replace("IP4 0.0.0.0", `IP4 ${victim.host}`);
    const body = `${its}a=candidate:1 1 udp 2130706431 ${victim.host} ${victim.port} typ host\r\n`;
    const parts = alice.parts("INVITE", "sip:+3225887123@acme.example", { body });
    const ok = await alice.client.prove(parts, alice.given);
    expect(status(ok), ok).toBe(200);
    await sleep(500);
    expect(victim.received()).toEqual([]);
    expect(status(await alice.client.ask({ ...parts, ...inside(ok), method: "BYE", cseq: 8, body: "" }))).toBe(200);
  });

  it("twin: a good one rings, one within the call that is not is 488, and the call goes on", async () => {
    const alice = await raw("alice");
    const parts = alice.parts("INVITE", "sip:+3225887123@acme.example", { body: good });
    const ok = await alice.client.prove(parts, alice.given);
    expect(status(ok), ok).toBe(200);
    // Its page knows no address of its own yet, which is no hold.
    expect(trunk.messages().findLast((message) => message.startsWith("INVITE "))).toContain("\r\na=sendrecv\r\n");
    const before = trunk.messages().length;
    const within = { ...parts, ...inside(ok), cseq: 7, body: plain("127.0.0.66", 5000) };
    const answered = await alice.client.ask(within);
    expect(status(answered), answered).toBe(488);
    expect(header(answered, "Warning")).toMatch(/WebRTC/);
    expect(
      trunk
        .messages()
        .slice(before)
        .filter((message) => message.startsWith("INVITE ")),
    ).toEqual([]);
    expect(status(await alice.client.ask({ ...parts, ...inside(ok), method: "BYE", cseq: 8, body: "" }))).toBe(200);
  });
});

const inside = (ok: string) => ({
  uri: /<([^>]*)>/.exec(header(ok, "Contact") ?? "")![1]!,
  toTag: /;tag=(\S+)/.exec(header(ok, "To") ?? "")![1]!,
  routes: ok
    .split("\r\n")
    .filter((line) => line.startsWith("Record-Route: "))
    .map((line) => line.slice(14))
    .reverse(),
});

describe("an answer of a trunk that offered late", () => {
  it("that rtpengine cannot read shows the page none of the trunk's addresses", async () => {
    const desk = await raw("reception");
    const sdp = plain("127.0.0.66", 5000).replaceAll("IN IP4 127.0.0.66", "IN IP4 nowhere");
    const options = { host: border, to: safe.kamailio.udp, number: "+3225887001", plays: 1000, listensFor: [440] };
    const outside = await SoundingCaller.call({ ...options, late: true, sdp });
    closers.push(() => outside.close());
    const invite = await desk.client.take((message) => message.startsWith("INVITE "));
    const offer = { status: "200 OK", tag: unique(), contact: desk.contact, body: good };
    desk.client.send(reply(invite, offer));
    expect(portIn(await outside.answer())).toBeGreaterThan(0);
    const ack = await desk.client.take((message) => message.startsWith("ACK "));
    expect(ack).toMatch(/\r\nContent-Length: 0\r\n/);
    expect(ack).not.toMatch(/nowhere|Content-Type/);
    const ending = outside.hangUp();
    const bye = await desk.client.take((message) => message.startsWith("BYE "));
    desk.client.send(reply(bye, { status: "200 OK" }));
    await ending;
  });
});

describe("an answer of a page", () => {
  const mixed = (text: string): string => text.replace("application/sdp", "multipart/mixed;boundary=x");
  it.each<[string, (text: string) => string, (sdp: string) => string]>([
    ["in plain RTP", (text) => text, (sdp) => sdp],
    [
      "in plain RTP, among other parts",
      mixed,
      (sdp) => `--x\r\nContent-Type: application/sdp\r\n\r\n${sdp}\r\n--x--\r\n`,
    ],
  ])("%s sends nobody any sound, and the trunk sees none of it", async (_, typed, wrapped) => {
    const desk = await raw("reception");
    const victim = await openUdpSink("127.0.0.66");
    closers.push(() => victim.close());
    const options = { host: border, to: safe.kamailio.udp, number: "+3225887001", plays: 1000, listensFor: [440] };
    const outside = await SoundingCaller.call(options);
    closers.push(() => outside.close());
    const invite = await desk.client.take((message) => message.startsWith("INVITE "));
    const body = wrapped(plain(victim.host, victim.port));
    desk.client.send(typed(reply(invite, { status: "200 OK", tag: unique(), contact: desk.contact, body })));
    expect(await outside.answer()).toMatch(/^SIP\/2\.0 200 [\s\S]*\r\nContent-Length: 0\r\n/);
    expect(portIn(invite)).toBeGreaterThan(0);
    const robber = await stranger();
    robber.at(portIn(invite) - 2);
    await sleep(300);
    expect(victim.received()).toEqual([]);
    const ending = outside.hangUp();
    const bye = await desk.client.take((message) => message.startsWith("BYE "));
    desk.client.send(reply(bye, { status: "200 OK" }));
    await ending;
  });

  it("that rtpengine cannot be asked about any more shows the trunk none of the page's addresses", async () => {
    const desk = await raw("reception");
    const outside = await SoundingCaller.call({
      host: border,
      to: safe.kamailio.udp,
      number: "+3225887001",
      plays: 1000,
      listensFor: [440],
    });
    closers.push(() => outside.close());
    const invite = await desk.client.take((message) => message.startsWith("INVITE "));
    process.kill(rtpengine.pid, "SIGSTOP");
    try {
      desk.client.send(
        reply(invite, {
          status: "200 OK",
          tag: unique(),
          contact: desk.contact,
          body: good.replace("actpass", "active"),
        }),
      );
      expect(await outside.answer()).toMatch(/^SIP\/2\.0 200 [\s\S]*\r\nContent-Length: 0\r\n/);
    } finally {
      process.kill(rtpengine.pid, "SIGCONT");
    }
    const ending = outside.hangUp();
    const bye = await desk.client.take((message) => message.startsWith("BYE "));
    desk.client.send(reply(bye, { status: "200 OK" }));
    await ending;
  });
});
