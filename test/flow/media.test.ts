import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { rtpengineCalls } from "../../scripts/rtpengine.ts";
import type { Agent } from "../../src/client/agent.ts";
import type { Call, Outcome } from "../../src/client/call.ts";
import { jssipClient, untilHeard } from "../helpers/clients.ts";
import { acmeSecret, chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { freePort } from "../helpers/ports.ts";
import { credential, RawClient, status } from "../helpers/raw-client.ts";
import { header, isReply, recordRoutes, request, tagOf, uriOf } from "../helpers/raw-sip.ts";
import { startRtpengine } from "../helpers/rtpengine.ts";
import { User } from "../helpers/scene.ts";
import { webrtcOffer } from "../helpers/sdp-offer.ts";
import { SoundingCaller } from "../helpers/sounding-caller.ts";
import { type Ear, type SoundingTrunk, startSoundingTrunk } from "../helpers/sounding-trunk.ts";
import { openUdpSink } from "../helpers/udp-sink.ts";

const initechSecret = "the-secret-of-initech-in-tests";
const networks = ["pages/127.0.0.1", "trunks/127.0.0.2"];
let rtpengine: Awaited<ReturnType<typeof startRtpengine>>;
let kamailio: Kamailio;
let gateway: TestGateway;
/** Of acme. */
let trunk: SoundingTrunk;
/** Of initech, with acme's as its second: plays while it rings, and answers when it is told to. */
let early: SoundingTrunk;
let pickUp = Promise.withResolvers<void>();
const agents: Agent[] = [];

/** seconds: how long its calls may last. */
const initechIs = (seconds = 600): string => `\
  - id: initech
    domains: [initech.example]
    secrets: [{ id: k1, secret: ${initechSecret} }]
    numbers: ["+4420*"]
    trunk: ${early.uri}
    trunk2: ${trunk.uri}
    limits: { callSeconds: ${seconds} }
`;
const callers: SoundingCaller[] = [];

beforeAll(async () => {
  const wsPort = await freePort();
  const listensFor = [440, 1000];
  trunk = await startSoundingTrunk({ host: "127.0.0.41", plays: 1000, listensFor });
  const answers = (): Promise<void> => pickUp.promise;
  early = await startSoundingTrunk({ host: "127.0.0.42", plays: 1000, listensFor, early: true, answers });
  gateway = await startGateway({
    upstreamUrls: [`ws://127.0.0.1:${wsPort}`],
    trunk: trunk.uri,
    acme: '    inbound: { "+3225887001": reception }\n',
    more: initechIs(),
  });
  rtpengine = await startRtpengine(undefined, networks);
  const defines = {
    RTPENGINE: rtpengine.url,
    MEDIA_RETRY: 1,
    MEDIA_NETWORKS: true,
    POSTERN_ADMIN: gateway.adminUrl,
  } as const;
  kamailio = await startKamailio({ chainSecret, wsPort, defines });
});

afterEach(async () => {
  pickUp = Promise.withResolvers();
  for (const caller of callers.splice(0)) caller.close();
  await Promise.all(agents.splice(0).map((agent) => agent.stop()));
});

afterAll(async () => {
  await gateway?.close();
  trunk?.stop();
  early?.stop();
  await kamailio?.stop();
  await rtpengine?.stop();
});

/** Plays 440 Hz, listens for the trunk's 1000. */
async function visitor(
  user: string,
  more: { domain?: string; secret?: string; hears?: number; url?: string } = {},
): Promise<Agent> {
  const { agent, registered } = await jssipClient({
    ...{ url: gateway.gatewayUrl, user, secret: acmeSecret, hears: 1000 },
    ...more,
  });
  agents.push(agent);
  await registered();
  return agent;
}

const initech = { domain: "initech.example", secret: initechSecret };
const heard = (call: Call, agent: Agent, frames = 20) =>
  untilHeard(() => call.audio, call.audio.tone + frames, agent.ladder);
const taken = async (call: Call): Promise<Ear> => {
  expect(await call.accepted).toMatchObject({ ok: true });
  return trunk.ears.at(-1)!;
};

/** Whoever is called next. */
const incoming = (agent: Agent): Promise<Call> =>
  new Promise((resolve) => {
    agent.onIncoming = resolve;
  });

async function caller(more: { late?: boolean } = {}): Promise<SoundingCaller> {
  const to = kamailio.udp;
  const options = { host: "127.0.0.41", to, number: "+3225887001", plays: 1000, listensFor: [440, 1000], ...more };
  const called = await SoundingCaller.call(options);
  callers.push(called);
  return called;
}

/** rtpengine is told at once, but apart from what the ends see. */
async function untilForgotten(): Promise<void> {
  for (const until = Date.now() + 10_000; Date.now() < until; await sleep(50))
    if ((await rtpengineCalls(rtpengine.url)).length === 0) return;
  expect(await rtpengineCalls(rtpengine.url)).toEqual([]);
}

describe("a call from a page to a trunk", () => {
  it("is WebRTC to the page and plain RTP to the trunk; each hears the other, and nobody himself", async () => {
    const alice = await visitor("alice");
    const call = alice.call("sip:+3225887123@acme.example");
    const ear = await taken(call);
    await Promise.all([heard(call, alice), ear.hears(440)]);
    expect(ear.heard(1000)).toBe(0);
    expect(call.audio.received - call.audio.tone).toBeLessThan(10);
    const offer = trunk.messages().find((message) => message.startsWith("INVITE "))!;
    expect(offer).toMatch(/^m=audio \d+ RTP\/AVP 0 8 \d+\r$/m);
    expect(offer).toMatch(/^a=rtpmap:\d+ telephone-event\/8000\r$/m);
    expect(offer).not.toMatch(/^a=(ice|candidate|fingerprint|setup|crypto|rtcp-mux)|opus/m);
    expect(offer).toMatch(/^c=IN IP4 127\.0\.0\.2\r$/m);
    expect(
      candidates(
        alice.ladder.map(({ message }) => message),
        "SIP/2.0 200 ",
      ).join(),
    ).toMatch(/^127\.0\.0\.1 \d+$/);
    expect(await rtpengineCalls(rtpengine.url)).toHaveLength(1);
    call.hangUp();
    await call.ended;
    await untilForgotten();
  });

  it("hold by UPDATE is heard, and so is its end; by re-INVITE: test/browser/audio", async () => {
    const alice = await visitor("alice");
    const call = alice.call("sip:+3225887123@acme.example");
    const ear = await taken(call);
    const sound = trunk.sounds.at(-1)!;
    await Promise.all([heard(call, alice), ear.hears(440)]);
    call.session.hold({ useUpdate: true });
    const isHeld = (): boolean =>
      ear.frames.slice(-10).every((one) => one === 0) && sound.other?.direction === "sendonly";
    await ear.until("silence", isHeld);
    const [before, frames] = [call.audio.tone, ear.frames.length];
    await ear.until("more silence", () => ear.frames.length > frames + 20);
    expect(call.audio.tone).toBeLessThan(before + 5);
    call.session.unhold({ useUpdate: true });
    await Promise.all([heard(call, alice), ear.hears(440)]);
    expect(sound.other?.direction).toBe("sendrecv");
    expect(trunk.messages().at(-1)).toMatch(/^UPDATE /);
  });

  it("DTMF by INFO passes", async () => {
    const alice = await visitor("alice");
    const call = alice.call("sip:+3225887123@acme.example");
    await taken(call);
    call.session.sendDTMF("5");
    const info = await trunk.waitFor((message) => message.startsWith("INFO "));
    expect(info).toMatch(/\r\n\r\nSignal=5\r\nDuration=\d+/);
  });

  it("a page that has opus alone is understood: rtpengine translates", async () => {
    const alice = await visitor("alice");
    const call = alice.call("sip:+3225887123@acme.example");
    call.session.on("sdp", (event) => {
      if (event.originator === "local") event.sdp = opusAlone(event.sdp);
    });
    const ear = await taken(call);
    await Promise.all([heard(call, alice), ear.hears(440)]);
  });

  it("hears what the trunk plays while it rings", async () => {
    const alice = await visitor("alice", initech);
    const call = alice.call("sip:+44205550123@initech.example");
    await heard(call, alice);
    expect(await Promise.race([call.accepted, "ringing"])).toBe("ringing");
    pickUp.resolve();
    await call.accepted;
    await early.ears.at(-1)!.hears(440);
    await heard(call, alice);
  });

  it("that rings keeps its sound, who else ever says BYE to it in the trunk's name", async () => {
    const alice = await visitor("alice", initech);
    const stranger = await openUdpSink("127.0.0.66");
    const rings = early.messages().filter((message) => message.startsWith("INVITE ")).length;
    const call = alice.call("sip:+44205550123@initech.example");
    await heard(call, alice);
    const invite = early.messages().filter((message) => message.startsWith("INVITE "))[rings]!;
    const [contact, from] = [uriOf(header(invite, "Contact")), header(invite, "From")];
    const bye = request({
      ...{ method: "BYE", uri: contact, from: "+44205550123@initech.example", fromTag: "whatever" },
      ...{ to: uriOf(from).slice("sip:".length), toTag: tagOf(from), callId: header(invite, "Call-ID")!, cseq: 1 },
      ...{ viaHost: `${stranger.host}:${stranger.port}`, viaTransport: "UDP", routes: recordRoutes(invite) },
    });
    stranger.send(bye, kamailio.udp);
    await stranger.waitFor((text) => isReply(text, 481, "BYE"));
    await stranger.close();
    pickUp.resolve();
    expect(await call.accepted).toMatchObject({ ok: true });
    await Promise.all([heard(call, alice), early.ears.at(-1)!.hears(440)]);
  });

  it("has sound where the page hides its addresses (mDNS), and offers the trunk no picture", async () => {
    const alice = await visitor("alice");
    const call = alice.call("sip:+3225887123@acme.example");
    call.session.on("sdp", (event) => {
      if (event.originator === "local") event.sdp = hidden(event.sdp) + video;
    });
    const ear = await taken(call);
    await Promise.all([heard(call, alice), ear.hears(440)]);
    const offer = trunk.messages().findLast((message) => message.startsWith("INVITE "))!;
    expect(offer).toMatch(/^m=video 0 /m);
    expect(offer.split("m=video")[0]).toMatch(/^a=sendrecv\r$/m);
    expect(offer.split("m=video")[0]).toMatch(/^c=IN IP4 127\.0\.0\.2\r$/m);
  });

  it("may offer anew in a PRACK: the trunk gets plain RTP there too", async () => {
    const client = await RawClient.connect(gateway.gatewayUrl);
    const address = "carol@initech.example";
    const carol = new User(client, address, credential(address, { secret: initechSecret }));
    const parts = carol.parts("INVITE", "sip:+44205550123@initech.example", { body: webrtcOffer });
    const final = carol.client.prove(parts, carol.given);
    const progress = await client.take((message) => isReply(message, 183, "INVITE"));
    const within = { toTag: tagOf(header(progress, "To")), routes: recordRoutes(progress).reverse() };
    const prack = { ...parts, ...within, method: "PRACK", uri: uriOf(header(progress, "Contact")), cseq: 7 };
    expect(status(await client.ask({ ...prack, extra: ["RAck: 1 2 INVITE"] }))).toBe(200);
    const got = await early.waitFor((message) => message.startsWith("PRACK "));
    expect(got).toMatch(/^m=audio \d+ RTP\/AVP /m);
    expect(got).not.toMatch(/^a=(fingerprint|ice)/m);
    pickUp.reject(new Error("486 Busy Here"));
    expect(status(await final)).toBe(486);
    client.close();
  });

  it("goes to the second trunk with sound when the first, which has played already, is unavailable", async () => {
    const alice = await visitor("alice", initech);
    const call = alice.call("sip:+44205550123@initech.example");
    await heard(call, alice);
    const before = trunk.ears.length;
    const passed = (): Promise<number> => gateway.metric("postern_trunk_passed_total");
    expect(await passed()).toBe(0);
    pickUp.reject(new Error("503 Service Unavailable"));
    const ear = await taken(call);
    expect(await passed()).toBe(1);
    expect(trunk.ears).toHaveLength(before + 1);
    await Promise.all([heard(call, alice), ear.hears(440)]);
  });

  it("is forgotten by rtpengine when it was given up, refused, or has lasted as long as it may", async () => {
    const alice = await visitor("alice", initech);
    const givenUp = alice.call("sip:+44205550123@initech.example");
    await early.waitFor((message) => message.startsWith("INVITE "));
    await heard(givenUp, alice, 1);
    givenUp.hangUp();
    await givenUp.ended;
    await untilForgotten();
    const refused = alice.call("sip:+44205550123@initech.example");
    await heard(refused, alice, 1);
    pickUp.reject(new Error("486 Busy Here"));
    expect(await refused.accepted).toMatchObject({ ok: false, status: 486 });
    await untilForgotten();
    pickUp = Promise.withResolvers();
    pickUp.resolve();
    gateway.change({ more: initechIs(1) });
    const long = alice.call("sip:+44205550123@initech.example");
    expect(await long.accepted).toMatchObject({ ok: true });
    await long.ended;
    await untilForgotten();
    gateway.change({ more: initechIs() });
  });
});

describe("a call from a trunk", () => {
  it("is offered to the page as WebRTC; each hears the other, and on hold the page alone hears", async () => {
    const desk = await visitor("reception");
    const rings = incoming(desk);
    const outside = await caller();
    const call = await rings;
    call.answer();
    expect(await outside.answer()).toMatch(/^m=audio \d+ RTP\/AVP 0 8 101\r$/m);
    await Promise.all([heard(call, desk), outside.ear.hears(440)]);
    expect(outside.ear.heard(1000)).toBe(0);
    await outside.offers("sendonly");
    expect(outside.sound.other?.direction).toBe("recvonly");
    await heard(call, desk);
    await outside.offers("sendrecv");
    await Promise.all([heard(call, desk), outside.ear.hears(440)]);
    await outside.hangUp();
    await call.ended;
    await untilForgotten();
  });

  it("that offers late has sound too", async () => {
    const desk = await visitor("reception");
    const rings = incoming(desk);
    const outside = await caller({ late: true });
    const call = await rings;
    call.answer();
    await outside.answer();
    await Promise.all([heard(call, desk), outside.ear.hears(440)]);
    await outside.hangUp();
    await call.ended;
  });

  it("rings at two telephones; the one that answers has the sound, whichever it is", async () => {
    const [one, two] = [await visitor("reception"), await visitor("reception")];
    for (const answering of [one, two]) {
      const [rings, other] = answering === one ? [incoming(one), incoming(two)] : [incoming(two), incoming(one)];
      const outside = await caller();
      const call = await rings;
      const quiet = await other;
      call.answer();
      await quiet.ended;
      await outside.ear.hears(440);
      await heard(call, answering);
      await outside.hangUp();
      await call.ended;
    }
    await untilForgotten();
  });
});

describe("a call between two pages", () => {
  it("has its sound directly: rtpengine hears nothing of it", async () => {
    const [alice, desk] = [await visitor("alice", { hears: 440 }), await visitor("reception", { hears: 440 })];
    const rings = incoming(desk);
    const out = alice.call("sip:reception@acme.example");
    const call = await rings;
    call.answer();
    await heard(call, desk);
    await heard(out, alice);
    expect(await rtpengineCalls(rtpengine.url)).toEqual([]);
  });
});

describe("a call between two pages where MEDIA_BETWEEN_LEGS is defined", () => {
  it("has its sound through rtpengine, encrypted on both sides, and they see no address of each other", async () => {
    const wsPort = await freePort();
    const other = await startGateway({ upstreamUrls: [`ws://127.0.0.1:${wsPort}`] });
    const defines = { RTPENGINE: rtpengine.url, MEDIA_BETWEEN_LEGS: true } as const;
    const relaying = await startKamailio({ chainSecret, wsPort, defines });
    const [alice, desk] = await Promise.all(
      ["alice", "desk"].map((user) => visitor(user, { hears: 440, url: other.gatewayUrl })),
    );
    const rings = incoming(desk!);
    const out = alice!.call("sip:desk@acme.example");
    const call = await rings;
    call.answer();
    await heard(call, desk!);
    await heard(out, alice!);
    expect(await rtpengineCalls(rtpengine.url)).toHaveLength(1);
    const [sent, got] = [alice!, desk!].map(({ ladder }) => candidates(ladder.map(({ message }) => message)));
    expect(got).not.toEqual([]);
    for (const one of got!) expect(sent).not.toContain(one);
    out.hangUp();
    await out.ended;
    await untilForgotten();
    await Promise.all(agents.splice(0).map((agent) => agent.stop()));
    await other.close();
    await relaying.stop();
  });
});

describe("rtpengine that takes no calls", () => {
  const refusedWith = async (alice: Agent): Promise<Outcome> => alice.call("sip:+3225887123@acme.example").accepted;

  it.each(["killed", "hung", "full"])(
    "%s: calls are 503 before the trunk rings, counted, and taken again when it is back",
    async (how) => {
      const alice = await visitor("alice");
      const desk = await visitor("reception");
      let rang = false;
      desk.onIncoming = () => {
        rang = true;
      };
      const before = trunk.messages().length;
      const counted = await gateway.metric('postern_upstream_refused_total{for="media"}');
      if (how === "hung") process.kill(rtpengine.pid, "SIGSTOP");
      else await rtpengine.kill();
      if (how === "full") rtpengine = await startRtpengine(rtpengine, networks, ["--max-sessions=0"]);
      for (const _ of [1, 2]) {
        const since = Date.now();
        expect(await refusedWith(alice)).toMatchObject({ ok: false, status: 503, code: "upstream-unavailable" });
        expect(Date.now() - since).toBeLessThan(5_000);
      }
      const outside = await caller();
      expect(await outside.answer()).toMatch(/^SIP\/2\.0 503 [\s\S]*\r\nRetry-After: 5\r\n/);
      expect(await outside.answer()).not.toContain("X-Postern-");
      expect(rang).toBe(false);
      expect(trunk.messages()).toHaveLength(before);
      expect(await gateway.metric('postern_upstream_refused_total{for="media"}')).toBe(counted + 2);
      if (how === "full") await rtpengine.kill();
      if (how === "hung") process.kill(rtpengine.pid, "SIGCONT");
      else rtpengine = await startRtpengine(rtpengine, networks);
      await back(alice);
    },
  );

  /** Within MEDIA_RETRY seconds. */
  async function back(alice: Agent): Promise<void> {
    for (const until = Date.now() + 10_000; Date.now() < until; await sleep(200)) {
      const call = alice.call("sip:+3225887123@acme.example");
      if (!(await call.accepted).ok) continue;
      await heard(call, alice);
      return;
    }
    throw new Error("no call was taken again");
  }
});

/** Addresses and ports in the latest message of that kind. */
const candidates = (messages: readonly string[], kind = "INVITE "): string[] =>
  [
    ...(messages.findLast((message) => message.startsWith(kind) && message.includes("m=audio")) ?? "").matchAll(
      /^a=candidate:.* (\S+ \d+) typ /gm,
    ),
  ].map(([, at = ""]) => at);

/** As a browser writes it that was not allowed to tell. */
const hidden = (sdp: string): string =>
  sdp
    .replace(/^(a=candidate:.* udp \d+) \S+ /gm, "$1 1f4712db-ea17-4bcf-a596-105139dfd8bf.local ")
    .replace(/^c=IN IP4 .*\r$/gm, "c=IN IP4 0.0.0.0\r")
    .replace(/^m=audio \d+/m, "m=audio 9");
const video = `m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:96 VP8/90000\r\na=mid:1\r\n`;

const opusAlone = (sdp: string): string =>
  sdp.replace(/^(m=audio \d+ \S+) .*$/m, "$1 111").replace(/^a=(rtpmap|fmtp|rtcp-fb):(?!111 ).*\r\n/gm, "");
