import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Credentials } from "../../src/client/agent.ts";
import { type ClientOptions, jssipClient, mint } from "../helpers/clients.ts";
import { acmeSecret, chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startDirectKamailio, startKamailio } from "../helpers/kamailio.ts";
import { credential, RawClient, unique } from "../helpers/raw-client.ts";
import { sipjsClient } from "../helpers/sipjs.ts";
import { startTrunk, type Trunk } from "../helpers/trunk.ts";

const jwtSecret = "the-jwt-secret-of-acme-in-tests-0123";
const exchangeSecret = "the-exchange-secret-of-tests";
const target = "+3225887123";

let kamailio: Kamailio;
let gateway: TestGateway;
let trunk: Trunk;

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
  trunk = await startTrunk({ host: "127.0.0.9", scenario: "answer" });
  gateway = await startGateway({
    upstreamUrls: [kamailio.wsUrl],
    trunk: trunk.uri,
    acme: `    keys: [{ id: j1, alg: HS256, secret: ${jwtSecret} }]`,
    more: `exchange: { secret: ${exchangeSecret} }`,
  });
});

afterAll(async () => {
  await gateway?.close();
  await kamailio?.stop();
  await trunk?.stop();
});

const now = (): number => Math.floor(Date.now() / 1000);
const http = (): string => gateway.gatewayUrl.replace(/^ws/, "http");

/** As callstats.io published it. */
const jwt = (user: string, ttl = 300, key = jwtSecret): Promise<string> =>
  new SignJWT({ appID: "acme", userID: user, keyID: "j1" })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setIssuedAt(now())
    .setNotBefore(now() - 300)
    .setExpirationTime(now() + ttl)
    .sign(new TextEncoder().encode(key));

async function exchanged(
  user: string,
  more: { direct?: boolean } = {},
): Promise<{ username: string; password: string }> {
  const { username, password } = mint({ secret: acmeSecret, user: `${user}@acme.example` });
  const answer = await fetch(`${http()}/v1/exchange`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username, password, ...more }),
  });
  expect(answer.status).toBe(200);
  return (await answer.json()) as { username: string; password: string };
}

async function accessToken(user: string): Promise<string> {
  const code = await jwt(user);
  const body = new URLSearchParams({ grant_type: "authorization_code", code, client_id: `${user}@acme` });
  const answer = await fetch(`${http()}/authenticate`, { method: "POST", body });
  expect(answer.status).toBe(200);
  const { access_token, token_type } = (await answer.json()) as Record<string, string>;
  expect(token_type).toBe("bearer");
  return access_token!;
}

/** Good for nothing: where it is not asked for, something else spoke for the request. */
const none: Credentials = { username: "nobody", password: "nothing" };

type Shown = Pick<ClientOptions, "url" | "credentials"> & { readonly credentials: Credentials };

/** What was sent before has come to Kamailio, if it ever does: somebody else's request has. */
async function fence(): Promise<void> {
  const [user, callId] = [`fence${unique()}`, `fence-${unique()}`];
  const client = await RawClient.connect(gateway.gatewayUrl);
  await client.register(`${user}@acme.example`, credential(`${user}@acme.example`), { callId });
  await kamailio.waitFor((one) => one.header("Call-ID") === callId);
  client.close();
}

interface Way {
  readonly name: string;
  readonly good: (user: string) => Promise<Shown>;
  /** One thing about it wrong. */
  readonly bad: (user: string) => Promise<Shown>;
  /** What the client hears of it. */
  readonly refusal: { readonly status: number | null; readonly code: string | null; readonly sentence: RegExp };
  readonly challenged: boolean;
}

const here = (credentials: Credentials): Shown => ({ url: gateway.gatewayUrl, credentials });
const withToken = (token: string): Shown => ({
  url: `${gateway.gatewayUrl}/?access_token=${token}`,
  credentials: none,
});

/** Another customer's user in the place of the one it was given to. */
const moved = ({ username, password }: { username: string; password: string }, user: string) => ({
  username: username.replace(/:[^@]+@/, `:${user}@`),
  password,
});

const ways: readonly Way[] = [
  {
    name: "an exchanged credential",
    good: async (user) => here(await exchanged(user)),
    bad: async (user) => here(moved(await exchanged("mallory"), user)),
    refusal: { status: 403, code: "credential-rejected", sentence: /not right/ },
    challenged: true,
  },
  {
    name: "a JWT as callstats.io published it, in authorization_jwt",
    good: async (user) => here({ token: await jwt(user) }),
    bad: async (user) => here({ token: await jwt(user, 300, "another-secret-of-somebody-else-0123") }),
    refusal: { status: 407, code: "credential-rejected", sentence: /not right/ },
    challenged: false,
  },
  {
    name: "a JWT in the URL of the handshake",
    good: async (user) => withToken(await jwt(user, 120)),
    bad: async (user) => withToken(await jwt(user, -10)),
    refusal: { status: null, code: null, sentence: /4401: credential-expired/ },
    challenged: false,
  },
  {
    name: "the access_token of /authenticate",
    good: async (user) => here({ token: await accessToken(user) }),
    bad: async (user) => here({ token: `${(await accessToken(user)).slice(0, -4)}AAAA` }),
    refusal: { status: 407, code: "credential-rejected", sentence: /not right/ },
    challenged: false,
  },
];

describe.each(ways)("$name", ({ good, bad, refusal, challenged, name }) => {
  const caller = `caller${ways.findIndex((way) => way.name === name)}`;

  it("calls a number through Kamailio, heard by the trunk", async () => {
    const client = await jssipClient({ user: caller, register: false, ...(await good(caller)) });
    const call = await client.call(target);
    await call.accepted();
    const seen = await kamailio.waitFor((one) => one.method === "INVITE" && one.raw.includes(`sip:${caller}@`));
    expect(seen.header("X-Postern-Grant")).toMatch(new RegExp(`^\\d+:${caller}@acme\\.example\\|trunk=sip:`));
    expect(seen.raw).not.toMatch(/authorization|eyJ|bearer/i);
    call.hangUp();
    await call.ended();
    await client.stop();
    const lines = client.ladder.map(({ message }) => message.split("\r\n", 1)[0]);
    expect(lines.some((line) => line === "SIP/2.0 407 Proxy Authentication Required")).toBe(challenged);
    const legs = kamailio.saw().filter((one) => one.way === "in" && one.raw.includes(`sip:${caller}@`));
    expect(legs.some((one) => /authorization|eyJ|bearer/i.test(one.raw))).toBe(false);
  });

  it("registers", async () => {
    const client = await jssipClient({ user: caller, ...(await good(caller)) });
    await client.registered();
    await client.stop();
  });

  it("with one thing wrong is refused, and Kamailio sees nothing", async () => {
    const user = `${caller}.wrong`;
    const client = await jssipClient({ user, register: false, ...(await bad(user)) });
    const outcome = await client.call(target).then(
      (call) => call.outcome(),
      (error: Error) => ({ ok: false, status: null, code: null, sentence: error.message }),
    );
    expect(outcome).toMatchObject({ ok: false, ...refusal, sentence: expect.stringMatching(refusal.sentence) });
    await client.stop();
    await fence();
    expect(kamailio.saw().filter((one) => one.raw.includes(user))).toEqual([]);
  });
});

describe("SIP.js with a JWT in header fields of its own", () => {
  it("registers and calls; its ACK and BYE carry none, and none is at Kamailio", async () => {
    const token = await jwt("sipjs");
    const client = await sipjsClient({ url: gateway.gatewayUrl, user: "sipjs", credentials: { token } });
    await client.registered();
    const call = await client.call(`sip:${target}@acme.example`);
    await call.accepted();
    call.hangUp();
    await call.ended();
    const bye = await kamailio.waitFor((one) => one.method === "BYE" && one.raw.includes("sip:sipjs@"));
    await client.stop();
    const sent = client.ladder.filter(({ from }) => from === "sipjs").map(({ message }) => message);
    const carrying = sent.filter((message) => /^Authorization:/m.test(message)).map((one) => one.split(" ")[0]);
    expect(carrying).toEqual(expect.arrayContaining(["REGISTER", "INVITE"]));
    expect(carrying).not.toContain("ACK");
    expect(carrying).not.toContain("BYE");
    expect(bye.header("X-Postern-Grant")).toMatch(/^\d+:sipjs@acme\.example\|/);
    const seen = kamailio.saw().filter((one) => one.way === "in" && one.raw.includes("sip:sipjs@"));
    expect(seen.map(({ method }) => method)).toEqual(expect.arrayContaining(["REGISTER", "INVITE", "ACK", "BYE"]));
    expect(seen.filter((one) => /authorization|bearer/i.test(one.raw))).toEqual([]);
  });

  it("is refused with a wrong one, unseen by Kamailio", async () => {
    const token = await jwt("sipjs.wrong", 300, "another-secret-of-somebody-else-0123");
    const client = await sipjsClient({ url: gateway.gatewayUrl, user: "sipjs.wrong", credentials: { token } });
    expect(await client.registration()).toMatchObject({ ok: false, status: 401, code: "credential-rejected" });
    await client.stop();
    await fence();
    expect(kamailio.saw().filter((one) => one.raw.includes("sipjs.wrong"))).toEqual([]);
  });
});

describe("a direct credential of the exchange, straight on a second Kamailio", () => {
  let direct: Kamailio;
  beforeAll(async () => {
    direct = await startDirectKamailio({ exchangeSecret });
  });
  afterAll(() => direct?.stop());

  it("calls between two visitors, both hear each other; the gateway itself takes it not", async () => {
    const [alice, bob] = await Promise.all(["alice", "bob"].map((user) => exchanged(user, { direct: true })));
    expect(alice!.username).toMatch(/^\d+:alice@acme\.example$/);
    const callee = await jssipClient({ url: direct.wsUrl, user: "bob", credentials: bob! });
    const caller = await jssipClient({ url: direct.wsUrl, user: "alice", credentials: alice! });
    await Promise.all([callee.registered(), caller.registered()]);
    const outgoing = await caller.call("sip:bob@acme.example");
    const incoming = await callee.incoming();
    incoming.answer();
    await outgoing.accepted();
    await Promise.all([outgoing.heard(), incoming.heard()]);
    outgoing.hangUp();
    await Promise.all([outgoing.ended(), incoming.ended()]);
    await Promise.all([caller.stop(), callee.stop()]);
    const here = await jssipClient({ url: gateway.gatewayUrl, user: "alice", credentials: alice! });
    expect(await here.registration()).toMatchObject({ ok: false, status: 403, code: "credential-rejected" });
    await here.stop();
  });

  it("is refused there where it is the gateway's, another user's, or altered", async () => {
    const handle = await exchanged("carol");
    const plain = await exchanged("carol", { direct: true });
    for (const credentials of [handle, moved(plain, "dave"), { ...plain, password: handle.password }]) {
      const user = credentials.username.includes("dave") ? "dave" : "carol";
      const client = await jssipClient({ url: direct.wsUrl, user, credentials });
      expect(await client.registration()).toMatchObject({ ok: false, status: 403 });
      await client.stop();
    }
    const good = await jssipClient({ url: direct.wsUrl, user: "carol", credentials: plain });
    await good.registered();
    await good.stop();
  });
});
