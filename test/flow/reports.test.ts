import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Permission, permissions } from "../../src/core/identity.ts";
import { answered, type Call, establish } from "../helpers/dialog.ts";
import { accessToken, exchanged, withExchange } from "../helpers/issued.ts";
import { unique } from "../helpers/raw-client.ts";
import { untilStored } from "../helpers/records.ts";
import { heard, missing, taken, tell } from "../helpers/reports.ts";
import { Scene, type User } from "../helpers/scene.ts";

const jwtSecret = "a-key-of-acme-for-tokens-in-tests-48-bytes-long.";
let scene: Scene;
/** Milliseconds that the gateway is ahead. */
let ahead = 0;

// Real calls, beside whatever else the machine does.
vi.setConfig({ testTimeout: 60_000 });

beforeAll(async () => {
  scene = await Scene.open({
    clock: { now: () => Date.now() + ahead },
    acme: `    keys: [{ id: j1, alg: HS256, secret: "${jwtSecret}" }]\n`,
    more: `${withExchange}\nstore: sqlite:./postern.db`,
  });
});
afterAll(() => scene?.close());

const tokenOf = ({ address }: User, permissions?: readonly Permission[], conference?: string): string =>
  accessToken(scene.gateway, address, {
    narrowing: { ...(permissions && { permissions }), ...(conference !== undefined && { conference }) },
  });
const event = (user: User, conferenceID: string, name = "userJoined") => ({
  ...{ conferenceID, event: name, userID: user.address },
});
const byeTo = (user: User, { callId }: Call): Promise<string> => answered(user, callId, "BYE");

describe("conferenceEnded", () => {
  it("ends the call for the others too, where the token may; without the permission the call stands", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const call = await establish(alice, bob);
    const end = event(alice, call.callId, "conferenceEnded");
    const without = tokenOf(
      alice,
      permissions.filter((one) => one !== "*" && one !== "TerminateConference"),
    );
    expect(await tell(scene.gateway, "events", end, { token: without })).toEqual(missing);
    expect((await scene.arrived(call.callId, alice)).map(({ method }) => method)).not.toContain("BYE");
    const token = tokenOf(alice, ["TerminateConference"]);
    expect(await tell(scene.gateway, "events", end, { token })).toEqual(taken);
    await Promise.all([byeTo(alice, call), byeTo(bob, call)]);
    await scene.came(call.callId, "BYE");
    const { folder } = scene.gateway;
    const isOver = (found: readonly { readonly end?: number }[]) =>
      found.length === 2 && found.every((one) => one.end !== undefined);
    const records = await untilStored(folder, { callId: call.callId }, isOver);
    expect(records.map(({ reason, endedBy }) => [endedBy, reason])).toContainEqual(["gateway", "hung-up"]);
    for (const { client } of [alice, bob]) client.close();
  });

  it("ends what is told under a token that is good for that conference alone; others go on", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const call = await establish(alice, bob);
    const narrowed = tokenOf(bob, ["*"], call.callId);
    const both = [narrowed, tokenOf(bob, ["*"])];
    const joined = async () => {
      const told = both.map((token) => tell(scene.gateway, "events", event(bob, call.callId), { token }));
      return Promise.all(told);
    };
    expect(await joined()).toEqual([taken, taken]);
    const end = event(bob, call.callId, "conferenceEnded");
    expect(await tell(scene.gateway, "events", { ...end, data_token: narrowed })).toEqual(taken);
    await Promise.all([byeTo(alice, call), byeTo(bob, call)]);
    expect(await joined()).toEqual([[401, "credential-expired"], taken]);
    for (const { client } of [alice, bob]) client.close();
  });
});

describe("a call under a token that is good for it alone", () => {
  it("ends by a BYE, and the token a minute after it: what its pages tell last is taken, and in its record", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.stranger("bob")];
    const callId = `only-${unique()}`;
    const token = tokenOf(bob, ["*"], callId);
    const extra = [`Authorization: Bearer ${token}`];
    const call = await establish(bob, alice, { callId, cseq: 2, extra });
    const stats = { conferenceID: callId, userID: bob.name, stats: heard };
    expect(await tell(scene.gateway, "stats", stats, { token })).toEqual(taken);
    bob.client.send(call.fromCaller("BYE"));
    await byeTo(alice, call);
    await scene.came(callId, "BYE");
    const isOver = (found: readonly { readonly end?: number }[]) =>
      found.length === 2 && found.every(({ end }) => end !== undefined);
    const records = await untilStored(scene.gateway.folder, { callId }, isOver);
    const own = records.find(({ user }) => user === bob.name);
    expect(own?.quality?.received).toMatchObject({ reports: 1, codec: "opus", loss: { mean: 0.01 } });
    expect(await tell(scene.gateway, "events", event(bob, callId, "userLeft"), { token })).toEqual(taken);
    ahead = 61_000;
    expect(await tell(scene.gateway, "events", event(bob, callId), { token })).toEqual([401, "credential-expired"]);
    expect(await tell(scene.gateway, "events", event(bob, callId), { token: tokenOf(bob, ["*"]) })).toEqual(taken);
    for (const { client } of [alice, bob]) client.close();
  });
});

describe("a permission", () => {
  it.each([
    ["CreateConference", "events", { event: "conferenceStarted" }],
    ["TerminateConference", "events", { event: "conferenceEnded" }],
    ["SubmitConferenceEvent", "events", { event: "audioMuted" }],
    ["SubmitBridgeEvent", "events", { event: "bridgeJoined", bridgeID: "b-1" }],
    ["SubmitConferenceStats", "stats", { stats: heard }],
    [
      "SubmitBridgeStats",
      "stats",
      { conferenceID: undefined, bridgeID: "b-1", stats: [{ type: "bridge", id: "B", load: 0.5 }] },
    ],
  ] as const)("%s is needed in %s, and enough", async (permission, path, more) => {
    const alice = await scene.stranger("alice");
    const body = { conferenceID: `unknown-${unique()}`, userID: alice.address, ...more };
    const ask = (...given: Permission[]) => tell(scene.gateway, path, body, { token: tokenOf(alice, given) });
    const others = permissions.filter((one) => one !== "*" && one !== permission);
    expect([await ask(permission), await ask("*")]).toEqual([taken, taken]);
    expect([await ask(...others), await ask()]).toEqual([missing, missing]);
    alice.client.close();
  });
});

describe("what opens events and statistics", () => {
  it("is the access token of /authenticate; the JWT that it was given for is not, nor a password", async () => {
    const alice = await scene.stranger("alice");
    const now = Math.floor(Date.now() / 1000) + ahead / 1000;
    const jwt = await new SignJWT({ appID: "acme", userID: alice.name, iat: now, exp: now + 60 })
      .setProtectedHeader({ alg: "HS256", kid: "j1" })
      .sign(Buffer.from(jwtSecret));
    const body = new URLSearchParams({ grant_type: "authorization_code", client_id: `${alice.name}@acme`, code: jwt });
    const http = scene.gateway.gatewayUrl.replace(/^ws/, "http");
    const answer = await fetch(`${http}/authenticate`, { method: "POST", body });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    const told = event(alice, `unknown-${unique()}`);
    expect(await tell(scene.gateway, "events", told, { token })).toEqual(taken);
    for (const other of [jwt, alice.given.password, exchanged(alice.address).password]) {
      expect(await tell(scene.gateway, "events", told, { token: other })).toEqual([401, "credential-rejected"]);
    }
    alice.client.close();
  });

  it("is counted, and refusals are logged without what was shown", async () => {
    const before = await scene.gateway.metric('postern_reports_total{kind="event",code="accepted"}');
    const alice = await scene.stranger("alice");
    const events = [event(alice, "unknown-a"), event(alice, "unknown-b")];
    expect(await tell(scene.gateway, "events", { events }, { token: tokenOf(alice) })).toEqual(taken);
    const count = await scene.gateway.metric('postern_reports_total{kind="event",code="accepted"}');
    expect(count - before).toBe(2);
    const token = tokenOf(alice, []);
    expect(await tell(scene.gateway, "events", { events, data_token: token })).toEqual(missing);
    const lines = scene.gateway.log();
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: "refused", way: "events", customer: "acme", code: "permission-missing" }),
    );
    expect(JSON.stringify(lines)).not.toContain(token.slice(-40));
    alice.client.close();
  });
});
