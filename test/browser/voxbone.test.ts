import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type OpenOptions, startBrowser, type TestBrowser, type TestPage } from "../helpers/browser.ts";
import { ConfigFolder } from "../helpers/config-file.ts";
import { acmeSecret, type TestGateway } from "../helpers/gateway.ts";
import { header, headers } from "../helpers/raw-sip.ts";
import { Scene } from "../helpers/scene.ts";
import { openSite, own, type Site } from "./site.ts";

const number = "3225887000";
const exchangeLine = "exchange: { secret: the-exchange-secret-of-tests }";

let site: Site;
let scene: Scene;
let browser: TestBrowser;
const pages: TestPage[] = [];

/** How far the gateway's clock is ahead, milliseconds. */
let ahead = 0;
const clock = { now: () => Date.now() + ahead };

const acme = (origin: string): string => `\
    origins: ["${origin}"]
    callFrom: ["voxrtc@voxbone.com"]
    passHeaders: ["X-Voxbone-Context"]
`;

beforeAll(async () => {
  site = await openSite("voxbone");
  const globex = `    origins: ["${site.origin("www.globex.example")}"]`;
  scene = await Scene.open({ trunk: "answer", acme: acme(site.origin()), globex, more: exchangeLine, clock });
  browser = await startBrowser({ secure: [own, "www.globex.example", "www.mallory.example"].map(site.origin) });
});

afterEach(async () => {
  ahead = 0;
  await Promise.all(pages.splice(0).map((page) => page.close()));
});

afterAll(async () => {
  await browser?.close();
  await scene?.close();
  await site?.close();
});

interface Config {
  readonly key: string;
  readonly expires: number;
  readonly username: string;
}

/** As the published servlet makes it. expires: Unix seconds. */
function config(username: string, expires: number, secret = acmeSecret): Config {
  return { key: createHmac("sha1", secret).update(`${expires}:${username}`).digest("base64"), expires, username };
}

const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

/** The same with a `+` in its key: the latest such expiry. */
function configWithPlus(username: string): Config {
  for (let expires = inSeconds(1000); ; expires--) {
    const made = config(username, expires);
    if (made.key.includes("+")) return made;
  }
}

const http = (gateway: TestGateway): string => gateway.gatewayUrl.replace(/^ws/, "http");

interface Visit extends OpenOptions {
  readonly host?: string;
  /** Instead of the servlet's script. */
  readonly given?: Config;
}

/** A page that has begun as the library says: `voxbone.WebRTC.init(voxrtc_config)`. */
async function visit({ host = own, given, settings, ...rest }: Visit = {}): Promise<TestPage> {
  const page = await browser.open({ ...rest, settings: { gateway: http(scene.gateway), ...settings } });
  pages.push(page);
  if (!given) await site.logIn(page, "alice");
  const inline = `<script>var voxrtc_config = ${JSON.stringify(given)}</script>`;
  site.page("/call", given ? inline : '<script src="/voxrtc_config.js"></script>');
  await page.page.goto(`${site.origin(host)}/call`);
  await page.run("voxbone.WebRTC.init(voxrtc_config)");
  return page;
}

async function call(page: TestPage): Promise<void> {
  await page.told("connected");
  await page.run(`voxbone.WebRTC.call("${number}")`);
}

/** Call-ID of the page's last request of this method. */
const callIdOf = (page: TestPage, method = "INVITE"): string =>
  header(page.sent(method).at(-1) ?? "", "Call-ID") ?? "none";

/** Whose credential the page's last request showed. */
const shownBy = (page: TestPage, method = "INVITE"): string =>
  /username="([^"]*)"/.exec(page.sent(method).at(-1) ?? "")?.[1] ?? "";

const dataOf = async (page: TestPage): Promise<Record<string, unknown>> =>
  (await page.told("data")).data as Record<string, unknown>;

const atTrunk = (method: string, callId: string): Promise<string> =>
  scene.trunk.waitFor((message) => message.startsWith(`${method} `) && header(message, "Call-ID") === callId);

/** Calls that Kamailio has seen, a later one's included. */
async function callsAtKamailio(): Promise<number> {
  await scene.arrived("none");
  return scene.kamailio.saw().filter(({ way, method }) => way === "in" && method === "INVITE").length;
}

async function answered(page: TestPage): Promise<string> {
  await call(page);
  await page.told("accepted");
  return callIdOf(page);
}

async function hungUp(page: TestPage, callId: string): Promise<void> {
  await page.run("voxbone.WebRTC.hangup()");
  await page.told("ended");
  await atTrunk("BYE", callId);
  expect(page.faults).toEqual([]);
}

describe("a page written for Voxbone's library", () => {
  it("calls a number with its servlet's voxrtc_config, and hangs up", async () => {
    const page = await visit();
    await call(page);
    await page.told("progress");
    await page.told("accepted");
    const callId = callIdOf(page);
    const invite = await atTrunk("INVITE", callId);
    expect(invite).toMatch(/^INVITE sip:3225887000@/);
    expect(header(invite, "From")).toContain("sip:+3225887000@");
    expect(headers(invite, "P-Asserted-Identity")).toHaveLength(1);
    expect(header(invite, "P-Asserted-Identity")).toContain("sip:+3225887000@");
    expect(header(invite, "X-Voxbone-Context")).toBe("order=4711");
    expect(header(invite, "X-Voxbone-Pop")).toBeUndefined();
    expect(invite).not.toMatch(/x-postern|authorization|voxrtc/i);
    await hungUp(page, callId);
  });

  it("calls from sip:voxrtc@voxbone.com, never registers, and is the servlet's visitor to Kamailio", async () => {
    const page = await visit();
    const callId = await answered(page);
    expect(header(page.sent("INVITE").at(-1) ?? "", "From")).toContain("<sip:voxrtc@voxbone.com>");
    const invite = await scene.came(callId, "INVITE");
    expect(invite.header("X-Postern-Grant")).toContain(":alice@acme.example|");
    await hungUp(page, callId);
    expect(page.sent("REGISTER")).toEqual([]);
  });

  it("gets everything that any generation of the library reads", async () => {
    const data = await dataOf(await visit());
    const here = scene.gateway.gatewayUrl;
    expect(data).toMatchObject({ ws: here, wss: here, pingServers: {}, stunServers: [], turnServers: [], log: [] });
    expect(data.username).toMatch(/^\d{10}:alice@acme\.example;/);
  });

  it("calls with a key whose + arrives as it is", async () => {
    const given = configWithPlus("alice@acme.example");
    const page = await visit({ given, settings: { raw: true } });
    await hungUp(page, await answered(page));
  });

  it("calls with a customer's id as the username, as the published servlets mint it", async () => {
    const page = await visit({ given: config("acme", inSeconds(300)) });
    const callId = await answered(page);
    const invite = await scene.came(callId, "INVITE");
    expect(invite.header("X-Postern-Grant")).toContain(":acme@acme.example|");
    await hungUp(page, callId);
  });
});

describe("the config that docs/exchange.md gives for such a page", () => {
  it("is one, with all that the page needs", () => {
    const docs = readFileSync(new URL("../../docs/exchange.md", import.meta.url), "utf8");
    const yaml = /```yaml\n([^`]+)```/.exec(docs)?.[1] ?? "";
    const folder = new ConfigFolder();
    folder.certificate("gateway");
    const secrets = ["POSTERN_CHAIN_SECRET", "POSTERN_EXCHANGE_SECRET", "ACME_SECRET"];
    const { gateway, exchange, customers } = folder.config(
      yaml,
      Object.fromEntries(secrets.map((name) => [name, `${name.toLowerCase()}-of-the-tests`])),
    );
    folder.remove();
    expect([gateway.domains, exchange?.algorithm]).toEqual([["voxout.voxbone.com"], "sha1"]);
    expect(customers[0]).toMatchObject({ callFrom: ["voxrtc@voxbone.com"], passHeaders: ["X-Voxbone-Context"] });
  });
});

describe("registration with a createToken credential", () => {
  const registering = (user: string) => ({ configuration: { uri: `sip:${user}@acme.example`, register: true } });

  it("is a user's right", async () => {
    const page = await visit({ given: config("bob@acme.example", inSeconds(300)), settings: registering("bob") });
    expect(await page.told("registered")).toMatchObject({ status: 200 });
  });

  it("is refused to what a customer's id was exchanged for, and Kamailio sees nothing of it", async () => {
    const page = await visit({ given: config("acme", inSeconds(300)), settings: registering("acme") });
    expect(await page.told("unregistered")).toMatchObject({ status: 403, code: "method-denied" });
    expect(await scene.arrived(callIdOf(page, "REGISTER"))).toEqual([]);
  });
});

describe("renewal", () => {
  /** Milliseconds that pass for the page and the gateway alike. */
  async function pass(page: TestPage, ms: number): Promise<void> {
    ahead += ms;
    await page.page.clock.fastForward(ms);
  }

  const long = () => config("alice@acme.example", inSeconds(3000));

  it("at 75 % of its life the running page gets another credential, which counts when the first has ended", async () => {
    const page = await visit({ given: long(), ownClock: true });
    const first = await dataOf(page);
    await hungUp(page, await answered(page));
    expect(shownBy(page)).toBe(first.username);
    await pass(page, 226_000);
    const second = await dataOf(page);
    expect(second.username).not.toBe(first.username);
    await pass(page, 80_000);
    await page.run(`voxbone.WebRTC.call("${number}")`);
    await page.told("accepted");
    expect(shownBy(page)).toBe(second.username);
    await hungUp(page, callIdOf(page));
  });

  it("a page that does not renew is refused when its credential has ended", async () => {
    const page = await visit({ given: long() });
    await hungUp(page, await answered(page));
    ahead += 306_000;
    await page.run(`voxbone.WebRTC.call("${number}")`);
    expect(await page.told("failed")).toMatchObject({ status: 403, code: "credential-expired" });
    expect(await scene.arrived(callIdOf(page))).toEqual([]);
    expect(page.faults).toEqual([]);
  });
});

describe("a refusal of createToken", () => {
  const good = () => config("alice@acme.example", inSeconds(300));
  const expired = () => config("alice@acme.example", inSeconds(-1));
  const forged = () => config("alice@acme.example", inSeconds(300), "not-the-secret-of-acme");

  interface Case {
    readonly name: string;
    readonly visit: () => Visit;
    readonly code: string;
  }
  const cases: readonly Case[] = [
    {
      name: "another customer's page",
      visit: () => ({ host: "www.globex.example", given: good() }),
      code: "origin-denied",
    },
    { name: "nobody's page", visit: () => ({ host: "www.mallory.example", given: good() }), code: "origin-denied" },
    { name: "an expired config", visit: () => ({ given: expired() }), code: "credential-expired" },
    { name: "a wrong key", visit: () => ({ given: forged() }), code: "credential-rejected" },
  ];

  it.each(cases)("is told to the page: $name", async ({ visit: asked, code }) => {
    const page = await visit(asked());
    const data = await dataOf(page);
    expect(data).toMatchObject({ code, password: "" });
    expect((await page.told("denied")).message).toBe(data.error);
    expect(page.faults).toEqual([]);
  });

  it.each(cases)("is survived by a page that does not look: $name, and no call of it reaches Kamailio", async (one) => {
    const before = await callsAtKamailio();
    const page = await visit({ ...one.visit(), settings: { heedless: true } });
    await dataOf(page);
    await page.run(`voxbone.WebRTC.call("${number}")`);
    await page.told("failed");
    expect(page.faults).toEqual([]);
    expect(await callsAtKamailio()).toBe(before);
  });

  it("the socket of nobody's page is closed with 4403", async () => {
    const page = await visit({ host: "www.mallory.example", given: good(), settings: { heedless: true } });
    expect(await page.told("disconnected")).toMatchObject({ code: 4403 });
  });
});
