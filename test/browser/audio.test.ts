import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { rtpengineCalls } from "../../scripts/rtpengine.ts";
import { startBrowser, type TestBrowser, type TestPage } from "../helpers/browser.ts";
import { mint } from "../helpers/clients.ts";
import { acmeSecret, chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { sipjsBundle } from "../helpers/jssip-bundle.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { freePort } from "../helpers/ports.ts";
import { header } from "../helpers/raw-sip.ts";
import { startRtpengine } from "../helpers/rtpengine.ts";
import { type Ear, type SoundingTrunk, startSoundingTrunk } from "../helpers/sounding-trunk.ts";
import { openSite, type Site } from "./site.ts";

const number = "sip:+3225887123@acme.example";
let rtpengine: Awaited<ReturnType<typeof startRtpengine>>;
let kamailio: Kamailio;
let gateway: TestGateway;
let trunk: SoundingTrunk;
let line: Line;
let site: Site;
let browser: TestBrowser;
const pages: TestPage[] = [];

/** What is between a page and the gateway, and can be cut. */
class Line {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut = false;

  constructor(to: string) {
    const { hostname, port } = new URL(to);
    this.#server = createServer((near) => {
      const far = dial({ host: hostname, port: Number(port) });
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(one);
        one.pipe(other);
        one.on("error", () => other.destroy()).on("close", () => this.#sockets.delete(one));
      }
      if (this.#cut) this.cut();
    });
  }

  async open(): Promise<void> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#cut = false;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

beforeAll(async () => {
  rtpengine = await startRtpengine();
  const wsPort = await freePort();
  trunk = await startSoundingTrunk({ host: "127.0.0.44", plays: 1000, listensFor: [440, 1000] });
  site = await openSite("audio");
  site.server.script("/sip.js", await sipjsBundle());
  gateway = await startGateway({
    upstreamUrls: [`ws://127.0.0.1:${wsPort}`],
    trunk: trunk.uri,
    gateway: "  limits: { goneSeconds: 16 }\n",
    acme: `    origins: ["${site.origin()}"]\n`,
  });
  kamailio = await startKamailio({ chainSecret, wsPort, defines: { RTPENGINE: rtpengine.url, MIN_SE: 2 } });
  line = new Line(gateway.gatewayUrl);
  await line.open();
  browser = await startBrowser({ secure: [site.origin()] });
});

afterEach(async () => {
  await Promise.all(pages.splice(0).map((page) => page.close()));
  // A page that is closed may have no time for its BYE, and its call would be the next test's for goneSeconds.
  await expect.poll(() => rtpengineCalls(rtpengine.url)).toEqual([]);
});

afterAll(async () => {
  await browser?.close();
  line?.close();
  await gateway?.close();
  await kamailio?.stop();
  trunk?.stop();
  await rtpengine?.stop();
  await site?.close();
});

interface Visitor {
  readonly plays?: number;
  readonly hears?: readonly number[];
  readonly ttl?: number;
  readonly url?: string;
  readonly sipjs?: true;
}

async function visit(
  user: string,
  { plays = 440, hears = [440, 1000], ttl = 300, url, sipjs }: Visitor = {},
): Promise<TestPage> {
  site.page("/audio");
  const address = `${user}@acme.example`;
  const { username, password } = mint({ secret: acmeSecret, user: address, ttl });
  const settings = { url: url ?? gateway.gatewayUrl, uri: `sip:${address}`, username, password, plays, hears };
  const page = await browser.open({ settings });
  pages.push(page);
  await page.page.goto(`${site.origin()}/audio`);
  await page.run(`${sipjs ? "soundingWithSipJs" : "sounding"}.start()`);
  await page.told(sipjs ? "connected" : "registered");
  return page;
}

type Heard = Record<string, number>;
const ears = (page: TestPage): Promise<Heard> => page.page.evaluate("({ ...ear })") as Promise<Heard>;

/** Once the page has heard so much more of it; 20 are a second. */
async function hears(page: TestPage, what: number | "silence", more = 10): Promise<void> {
  const before = (await ears(page))[what] ?? 0;
  await expect
    .poll(async () => (await ears(page))[what] ?? 0, { timeout: 15_000 })
    .toBeGreaterThanOrEqual(before + more);
}

async function calling(page: TestPage, telephone = "sounding"): Promise<Ear> {
  const calls = trunk.ears.length;
  await page.run(`${telephone}.call("${number}")`);
  await page.told("accepted");
  expect(trunk.ears).toHaveLength(calls + 1);
  return trunk.ears.at(-1)!;
}

const bye = (page: TestPage): Promise<string> => {
  const callId = header(page.sent("INVITE").at(-1) ?? "", "Call-ID");
  return trunk.waitFor((message) => message.startsWith("BYE ") && header(message, "Call-ID") === callId, 20_000);
};

describe("a page in Chromium that calls a trunk", () => {
  it("is heard there and hears it, on hold neither is; its telephone's keys arrive (RFC 4733)", async () => {
    const alice = await visit("alice");
    const ear = await calling(alice);
    await ear.hears(440);
    await hears(alice, 1000);
    expect(ear.heard(1000)).toBe(0);
    expect((await ears(alice))[440]).toBeUndefined();
    await alice.run('sounding.session.sendDTMF("5#", { transportType: "RFC2833" })');
    await ear.until("two digits", () => ear.digits.length === 2);
    expect(ear.digits.map(({ digit }) => digit)).toEqual([5, 11]);
    await alice.run("sounding.session.hold()");
    await hears(alice, "silence");
    await ear.until("silence", () => ear.frames.slice(-10).every((one) => one === 0));
    await alice.run("sounding.session.unhold()");
    await Promise.all([hears(alice, 1000), ear.hears(440)]);
    await alice.run("sounding.session.terminate()");
    await bye(alice);
    expect(alice.faults).toEqual([]);
  });

  it("by SIP.js is heard and hears too", async () => {
    const alice = await visit("alice", { sipjs: true });
    const ear = await calling(alice, "soundingWithSipJs");
    await Promise.all([hears(alice, 1000), ear.hears(440)]);
    expect((await ears(alice))[440]).toBeUndefined();
    await alice.run("soundingWithSipJs.session.bye()");
    await bye(alice);
  });

  it("loses its socket for ten seconds: the sound is unbroken, and the trunk gets a BYE when goneSeconds are over", async () => {
    const alice = await visit("alice", { url: line.url });
    const ear = await calling(alice);
    await Promise.all([hears(alice, 1000), ear.hears(440)]);
    line.cut();
    await alice.told("disconnected");
    const [frames, before] = [ear.frames.length, await ears(alice)];
    await sleep(10_000);
    const there = ear.frames.slice(frames);
    const here = await ears(alice);
    const more = (what: string) => (here[what] ?? 0) - (before[what] ?? 0);
    expect(there.length).toBeGreaterThan(450);
    expect(there.filter((one) => one !== 440).length).toBeLessThan(25);
    expect(more("1000")).toBeGreaterThan(150);
    expect(more("silence") + more("other")).toBeLessThan(10);
    line.mend();
    await alice.told("registered");
    await Promise.all([hears(alice, 1000), ear.hears(440)]);
    await bye(alice);
  });

  it("with a credential that ends under the call goes on: refreshes are not challenged", async () => {
    const alice = await visit("alice", { ttl: 2 });
    const ear = await calling(alice);
    const ends = Number(/username="(\d+):/.exec(alice.sent("INVITE").at(-1)!)?.[1]);
    await expect.poll(() => Date.now() / 1000).toBeGreaterThan(ends + 1);
    const asked = alice.statuses("INVITE").length;
    await alice.run("sounding.session.renegotiate({ useUpdate: true })");
    await expect.poll(() => alice.statuses("UPDATE")).toContain(200);
    await alice.run("sounding.session.renegotiate()");
    await expect.poll(() => alice.statuses("INVITE").slice(asked)).toContain(200);
    expect(
      [...alice.statuses("UPDATE"), ...alice.statuses("INVITE").slice(asked)].filter((code) => code > 200),
    ).toEqual([]);
    await Promise.all([hears(alice, 1000), ear.hears(440)]);
    expect(alice.heard("ended")).toEqual([]);
    await alice.run("sounding.session.terminate()");
    await bye(alice);
  });

  it.each(["reloaded", "killed"])("is %s: the trunk gets a BYE, rtpengine forgets the call", async (how) => {
    gateway.change({ gateway: "  limits: { goneSeconds: 1 }\n" });
    const alice = await visit("alice");
    const ear = await calling(alice);
    await ear.hears(440);
    if (how === "reloaded") await alice.page.reload();
    else alice.page.goto("chrome://crash").catch(() => {}); // there is no page any more that would say so
    await bye(alice);
    await expect.poll(() => rtpengineCalls(rtpengine.url)).toEqual([]);
    gateway.change({ gateway: "  limits: { goneSeconds: 16 }\n" });
    if (how === "killed") return;
    await alice.run("sounding.start()");
    await alice.told("registered");
    await (await calling(alice)).hears(440);
    await hears(alice, 1000);
    await alice.run("sounding.session.terminate()");
    await bye(alice);
  });
});

describe("two pages in Chromium", () => {
  it("hear each other and nobody himself, and rtpengine nothing", async () => {
    const alice = await visit("alice", { plays: 440, hears: [440, 700] });
    const bob = await visit("bob", { plays: 700, hears: [440, 700] });
    await alice.run('sounding.call("sip:bob@acme.example")');
    await alice.told("accepted");
    await Promise.all([hears(alice, 700), hears(bob, 440)]);
    expect((await ears(alice))[440]).toBeUndefined();
    expect((await ears(bob))[700]).toBeUndefined();
    expect(await rtpengineCalls(rtpengine.url)).toEqual([]);
    await bob.run("sounding.session.terminate()");
    await alice.told("ended");
  });
});
