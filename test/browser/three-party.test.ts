import { readFileSync } from "node:fs";
import type { Request } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { CallRecord } from "../../src/core/calls.ts";
import type { Quality } from "../../src/core/quality.ts";
import { ApplicationService, keyId } from "../helpers/application-service.ts";
import { startBrowser, type TestBrowser, type TestPage } from "../helpers/browser.ts";
import { jssipBundle, sipjsBundle } from "../helpers/jssip-bundle.ts";
import { freshToken, operatorSecret } from "../helpers/management.ts";
import { PageServer } from "../helpers/page-server.ts";
import { freePort } from "../helpers/ports.ts";
import { header } from "../helpers/raw-sip.ts";
import { inSeconds, Scene } from "../helpers/scene.ts";
import { own } from "./site.ts";

/** Of a page to the gateway's HTTP. */
interface Sent {
  readonly path: string;
  readonly status: number | undefined;
  readonly token: string | undefined;
  readonly body: Record<string, unknown>;
}

let service: ApplicationService;
let server: PageServer;
let scene: Scene;
let browser: TestBrowser;
const pages: TestPage[] = [];
/** YAML of acme, but for who is revoked. */
let acme: string;
let more: string;

beforeAll(async () => {
  const port = await freePort();
  const issuer = `ws://127.0.0.1:${port}`;
  server = await PageServer.open();
  const origin = server.origin(own);
  const env = { GATEWAY_URL: issuer.replace("ws:", "http:"), GATEWAY_ISSUER: issuer, SITE_ORIGIN: origin };
  service = await ApplicationService.start(env);
  acme = `\
    origins: ["${origin}"]
    keys: [{ id: ${keyId}, alg: ES256, jwk: ${JSON.stringify(service.key.jwk)} }]
    permissionUrl: "${service.url}/permissions"
`;
  more = `\
store: sqlite:./postern.db
exchange: { secret: the-exchange-secret-of-tests, callbackNetworks: ["127.0.0.0/8"] }
`;
  const admin = `, operators: [{ id: ops, secret: ${operatorSecret} }]`;
  scene = await Scene.open({ listen: issuer, acme, admin, more });
  server.pass(service.url, "/", "/login", "/app-token");
  server.script("/jssip.js", await jssipBundle());
  server.script("/sip.js", await sipjsBundle());
  server.script("/quality.js", source("../../src/client/browser/quality.js"));
  server.script("/own.js", source("./pages/three-party.js"));
  server.html("/call", '<script src="/jssip.js"></script><script type="module" src="/own.js"></script>');
  server.script("/own-sipjs.js", source("./pages/three-party-sipjs.js"));
  server.html("/sipjs", '<script type="module" src="/own-sipjs.js"></script>');
  browser = await startBrowser({ secure: [origin] });
});

afterEach(async () => {
  await Promise.all(pages.splice(0).map((page) => page.close()));
});

afterAll(async () => {
  await browser?.close();
  await scene?.close();
  await service?.stop();
  await server?.close();
});

const source = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
const http = (): string => scene.gateway.gatewayUrl.replace("ws:", "http:");

/** A page of acme's with this visitor logged in, and what it sends to the gateway. */
class Visit {
  readonly page: TestPage;
  readonly user: string;
  readonly #sent: Sent[] = [];
  readonly #looks = new Set<() => void>();

  private constructor(page: TestPage, user: string) {
    [this.page, this.user] = [page, user];
    page.page.on("requestfinished", (request) => void this.#note(request));
  }

  static async open(user: string, permissions: readonly string[], { path = "/call", loggedInAs = user } = {}) {
    service.permit(user, permissions);
    const settings = { gateway: http(), server: scene.gateway.gatewayUrl, user };
    const page = await browser.open({ settings });
    pages.push(page);
    await page.page.goto(server.origin(own));
    await page.page.fill("[name=user]", loggedInAs);
    await page.page.click("button");
    await page.page.getByText(`Hello ${loggedInAs}`).waitFor();
    const visit = new Visit(page, user);
    await page.page.goto(server.origin(own) + path);
    return visit;
  }

  async #note(request: Request): Promise<void> {
    const { pathname, origin } = new URL(request.url());
    if (origin !== http() || request.method() !== "POST") return;
    const response = await request.response();
    const token = (await request.allHeaders()).authorization?.replace("Bearer ", "");
    this.#sent.push({ path: pathname, status: response?.status(), token, body: request.postDataJSON() });
    for (const look of this.#looks) look();
  }

  /** Everything so far, once something of that kind is there. */
  async sent(is: (one: Sent) => boolean): Promise<readonly Sent[]> {
    await expect.poll(() => this.#sent.some(is), { timeout: 15_000, interval: 100 }).toBe(true);
    return this.#sent.filter(is);
  }
}

/** Two pages, of which the second is called by the first. */
async function call(caller: Visit, callee: Visit): Promise<string> {
  for (const { page } of [caller, callee]) await page.told("ready");
  await caller.page.run(`phone.call("${callee.user}")`);
  await callee.page.told("accepted");
  return header(caller.page.sent("INVITE").at(-1) ?? "", "Call-ID") ?? "none";
}

const taken = (path: string) => (one: Sent) => one.path === path && one.status === 202;
const statistics = taken("/v1/stats");
const events = taken("/v1/events");
const eventsIn = (sent: readonly Sent[]): unknown[] =>
  sent.flatMap(({ body }) => body.events as { event: string }[]).map(({ event }) => event);

/** As the operator asks the management API. */
async function managed<Answer>(path: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${freshToken("ops", operatorSecret, { ist: "account" })}` };
  const response = await fetch(`${scene.gateway.adminUrl}/v1/customers/acme/${path}`, { headers });
  expect(response.status).toBe(200);
  return (await response.json()) as Answer;
}

/** As soon as each of the two is so: how it sounded is written a moment after it was told. */
async function recordsOf(callId: string, is: (one: CallRecord) => boolean): Promise<readonly CallRecord[]> {
  const ask = async () => (await managed<{ calls: CallRecord[] }>(`calls?callId=${encodeURIComponent(callId)}`)).calls;
  await expect.poll(async () => (await ask()).filter(is).length, { interval: 200 }).toBe(2);
  return ask();
}

/** What the store has been told of the call. */
async function toldOf(callId: string): Promise<Quality | undefined> {
  const { calls } = await managed<{ calls: Quality[] }>(`quality?callId=${encodeURIComponent(callId)}`);
  return calls[0];
}

const claimsOf = (token: string): { readonly jti: string } =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

const all = ["CreateConference", "SubmitConferenceEvent", "SubmitConferenceStats"];

describe("a call on data_tokens", () => {
  it("goes through Kamailio, and how it went is in the record of each who was in it", async () => {
    const [alice, bob] = [await Visit.open("alice", all), await Visit.open("bob", all)];
    const callId = await call(alice, bob);
    expect((await scene.came(callId, "INVITE")).header("X-Postern-Grant")).toContain(":alice@acme.example|");
    await alice.page.page.waitForTimeout(3_500);
    await alice.page.run("phone.hangup()");
    for (const one of [alice, bob]) await one.sent((sent) => events(sent) && eventsIn([sent]).includes("userLeft"));
    for (const one of [alice, bob]) expect((await one.sent(statistics)).length).toBeGreaterThan(0);
    expect(eventsIn(await alice.sent(events))).toEqual(expect.arrayContaining(["conferenceStarted", "userJoined"]));
    const calls = await recordsOf(callId, (one) => one.quality?.mos !== undefined);
    expect(calls.map(({ user }) => user).toSorted()).toEqual(["alice", "bob"]);
    for (const { quality } of calls) {
      expect(quality?.mos).toBeGreaterThan(3);
      expect(quality?.mos).toBeLessThan(4.5);
      for (const one of [quality?.received, quality?.sent]) {
        expect(one?.loss?.mean).toBeLessThan(0.1);
        expect(one?.jitter?.worst).toBeLessThan(0.2);
      }
    }
    expect([...alice.page.faults, ...bob.page.faults]).toEqual([]);
  });

  it("is refused to who may not, and to who is somebody else, with a sentence on the page", async () => {
    const carol = await Visit.open("carol", ["SubmitConferenceEvent", "SubmitConferenceStats"]);
    expect(await carol.page.told("refused")).toMatchObject({ status: 403, code: "permission-missing" });
    await carol.page.run('phone.call("bob")');
    expect(await carol.page.told("failed")).toMatchObject({ status: 403, code: "permission-missing" });
    const callId = header(carol.page.sent("INVITE").at(-1) ?? "", "Call-ID") ?? "none";
    expect(await scene.arrived(callId)).toEqual([]);
    const mallory = await Visit.open("ivan", all, { loggedInAs: "mallory" });
    const { sentence } = await mallory.page.told("sentence");
    expect(sentence).toContain("you are logged in as somebody else");
    expect(mallory.page.frames).toEqual([]);
  });

  it("goes on without the reports that are not permitted, and each page says which", async () => {
    const dave = await Visit.open("dave", ["CreateConference", "SubmitConferenceEvent"]);
    const erin = await Visit.open("erin", ["CreateConference", "SubmitConferenceStats"]);
    const callId = await call(dave, erin);
    const missing = (path: string) => (one: Sent) => one.path === path && one.status === 403;
    await dave.page.page.waitForTimeout(2_500);
    await dave.page.run("phone.hangup()");
    await erin.page.told("ended");
    const [refused] = await dave.sent(missing("/v1/stats"));
    expect(refused?.body).toHaveProperty("reports");
    expect((await dave.page.told("sentence")).sentence).toMatch(/SubmitConferenceStats/);
    expect(eventsIn(await dave.sent(events))).toContain("conferenceStarted");
    expect(await erin.sent(missing("/v1/events"))).toHaveLength(1);
    expect((await erin.page.told("sentence")).sentence).toMatch(/SubmitConferenceEvent/);
    expect((await erin.sent(statistics)).length).toBeGreaterThan(0);
    expect((await toldOf(callId))?.events.map(({ user }) => user)).not.toContain("erin");
  });

  it("goes on when the token is revoked: the page runs the whole process again, and reports on", async () => {
    const [frank, grace] = [await Visit.open("frank", ["*"]), await Visit.open("grace", all)];
    await call(frank, grace);
    const [first] = await frank.sent(events);
    const jti = claimsOf(first?.token ?? "").jti;
    const revoked = `    revoked: [{ jti: "${jti}", until: ${inSeconds(600)}, calls: finish }]\n`;
    scene.gateway.change({ acme: `${acme}${revoked}` });
    await frank.page.run("session.mute()");
    const refused = await frank.sent(({ status }) => status === 401);
    expect(refused.map(({ token }) => token)).toEqual([first?.token]);
    const [again] = await frank.sent((one) => events(one) && eventsIn([one]).includes("audioMuted"));
    expect(claimsOf(again?.token ?? "").jti).not.toBe(jti);
    await frank.page.run("phone.endForAll()");
    expect(await grace.page.told("ended")).toMatchObject({ by: "remote" });
    expect(await frank.page.told("ended")).toMatchObject({ by: "remote" });
    await frank.sent((one) => events(one) && eventsIn([one]).includes("conferenceEnded"));
  });

  it("is told of by a page with SIP.js too, to its last words when the page is closed", async () => {
    const [heidi, judy] = [await Visit.open("heidi", all, { path: "/sipjs" }), await Visit.open("judy", all)];
    const callId = await call(heidi, judy);
    const started = await heidi.sent((one) => events(one) && eventsIn([one]).includes("conferenceStarted"));
    expect(started[0]?.body).toMatchObject({ events: [{ conferenceID: callId, userID: "heidi@acme.example" }] });
    await heidi.sent(statistics);
    await heidi.page.page.goto("about:blank");
    const last = async () => (await toldOf(callId))?.events.findLast(({ user }) => user === "heidi")?.event;
    await expect.poll(last, { interval: 200 }).toBe("userLeft");
  });
});
