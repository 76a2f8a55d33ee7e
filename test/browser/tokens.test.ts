import { SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startBrowser, type TestBrowser, type TestPage } from "../helpers/browser.ts";
import type { TestGateway } from "../helpers/gateway.ts";
import { header } from "../helpers/raw-sip.ts";
import { inSeconds, Scene } from "../helpers/scene.ts";
import { jwtSecret, openSite, own, type Site } from "./site.ts";

const number = "+3225887123";
/** Of a subdomain that acme lists by a pattern alone. */
const sibling = "blog.acme.example";
/** Another customer's. */
const foreign = "www.globex.example";

let site: Site;
let scene: Scene;
let gateway: TestGateway;
let browser: TestBrowser;
const pages: TestPage[] = [];

beforeAll(async () => {
  site = await openSite("token", "https");
  const acme = `\
    origins: ["${site.origin()}", "${site.origin("*.acme.example")}"]
    keys: [{ id: j1, alg: HS256, secret: ${jwtSecret} }]
`;
  const globex = `    origins: ["${site.origin(foreign)}"]`;
  scene = await Scene.open({ trunk: "answer" });
  gateway = await scene.another({ listen: "wss://127.0.0.1:0", acme, globex });
  browser = await startBrowser();
});

afterEach(async () => {
  await Promise.all(pages.splice(0).map((page) => page.close()));
});

afterAll(async () => {
  await browser?.close();
  await scene?.close();
  await site?.close();
});

/** As acme's site signs it. ttl: seconds. */
const jwt = (user: string, ttl = 200, secret = jwtSecret): Promise<string> =>
  new SignJWT({ iss: "acme", sub: `${user}@acme.example` })
    .setProtectedHeader({ alg: "HS256", kid: "j1" })
    .setExpirationTime(inSeconds(ttl))
    .sign(new TextEncoder().encode(secret));

interface Visit {
  readonly user: string;
  readonly host?: string;
  /** In the URL. */
  readonly token?: string;
  /** The cookie that acme's site has set before. */
  readonly cookie?: string;
}

/** A page that connects to the gateway under acme's own host name. */
async function visit({ user, host = own, token, cookie }: Visit): Promise<TestPage> {
  const url = `wss://${own}:${new URL(gateway.gatewayUrl).port}`;
  const page = await browser.open({ settings: { url, user, token } });
  pages.push(page);
  if (token === "own") await site.logIn(page, user);
  if (cookie) {
    const lasting = "Path=/; Secure; HttpOnly; SameSite=None";
    site.page("/cookie", "", { "set-cookie": `postern_token=${cookie}; ${lasting}` });
    await page.page.goto(`${site.origin()}/cookie`);
  }
  site.page("/call");
  await page.page.goto(`${site.origin(host)}/call`);
  await page.run("phone.start()");
  return page;
}

async function registersAndCalls(page: TestPage, user: string): Promise<void> {
  expect(await page.told("registered")).toMatchObject({ status: 200 });
  await page.run(`phone.call("${number}")`);
  await page.told("accepted");
  const callId = header(page.sent("INVITE")[0] ?? "", "Call-ID");
  const invite = await scene.trunk.waitFor((message) => header(message, "Call-ID") === callId);
  expect(invite).toMatch(/^INVITE sip:\+3225887123@/);
  await page.run("phone.hangup()");
  await page.told("ended");
  expect(page.statuses("REGISTER")).toEqual([200]);
  expect(page.statuses("INVITE")).not.toContain(407);
  expect(page.frames.some(({ text }) => /authorization|eyJ/i.test(text))).toBe(false);
  const seen = scene.kamailio.saw().filter((one) => one.way === "in" && one.raw.includes(`${user}@acme.example`));
  expect(seen.filter(({ raw }) => /authorization|eyJ|cookie/i.test(raw))).toEqual([]);
  expect(page.faults).toEqual([]);
}

/** What the browser was told when the socket closed, after which Kamailio must not know of the user. */
async function turnedAway(page: TestPage, user: string): Promise<Record<string, unknown>> {
  const closed = await page.told("disconnected");
  await scene.arrived("none");
  expect(scene.kamailio.saw().filter(({ raw }) => raw.includes(`${user}@`))).toEqual([]);
  expect(page.frames.filter(({ way }) => way === "received")).toEqual([]);
  expect(page.faults).toEqual([]);
  return closed;
}

const turnedAwayOf = (customer: string): Record<string, unknown>[] =>
  gateway.log().filter((line) => line.msg === "turned away" && line.customer === customer);

const denied = { code: 4403, reason: expect.stringMatching(/^origin-denied: /) };

describe("a token in the URL of the handshake", () => {
  it("that the page's own site gave it registers and calls, and nothing is challenged", async () => {
    const page = await visit({ user: "alice", token: "own" });
    await registersAndCalls(page, "alice");
  });

  it("closes with 4401 where it has expired: get another", async () => {
    const page = await visit({ user: "late", token: await jwt("late", -10) });
    const closed = await turnedAway(page, "late");
    expect(closed).toMatchObject({ code: 4401, reason: expect.stringMatching(/^credential-expired: /) });
  });

  it("closes with 4403 where another key signed it: do not come back", async () => {
    const token = await jwt("forged", 200, "another-secret-of-somebody-else-0123");
    const closed = await turnedAway(await visit({ user: "forged", token }), "forged");
    expect(closed).toMatchObject({ code: 4403, reason: expect.stringMatching(/^credential-rejected: /) });
  });

  it("closes with 4403 on another customer's page", async () => {
    const page = await visit({ user: "stolen", host: foreign, token: await jwt("stolen") });
    expect(await turnedAway(page, "stolen")).toMatchObject(denied);
  });
});

describe("the cookie postern_token", () => {
  it("registers and calls from the origin that acme lists in full, and nothing is challenged", async () => {
    const page = await visit({ user: "carol", cookie: await jwt("carol") });
    await registersAndCalls(page, "carol");
  });

  it("is refused with 4403 from another customer's page, though the browser sends it", async () => {
    const before = turnedAwayOf("acme").length;
    const page = await visit({ user: "hijacked", host: foreign, cookie: await jwt("hijacked") });
    expect(await turnedAway(page, "hijacked")).toMatchObject(denied);
    expect(turnedAwayOf("acme").length).toBeGreaterThan(before);
  });

  it("is what was refused there: without it that page may connect, and is challenged", async () => {
    const page = await visit({ user: "plain", host: foreign });
    await page.told("connected");
    expect(await page.told("refused")).toMatchObject({ status: 401 });
  });

  it("is refused with 4403 from a subdomain that acme lists by a pattern alone", async () => {
    const page = await visit({ user: "sideways", host: sibling, cookie: await jwt("sideways") });
    expect(await turnedAway(page, "sideways")).toMatchObject(denied);
  });

  it("is what was refused there: a token in the URL is good on that page", async () => {
    const page = await visit({ user: "dave", host: sibling, token: await jwt("dave") });
    await registersAndCalls(page, "dave");
  });
});
