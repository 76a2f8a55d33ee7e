import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Narrowing } from "../../src/core/identity.ts";
import { answered, type Call, establish } from "../helpers/dialog.ts";
import { acmeSecret } from "../helpers/gateway.ts";
import { accessToken, exchanged, gatewayKeys, withExchange } from "../helpers/issued.ts";
import { managementToken } from "../helpers/management.ts";
import { code, status, unique } from "../helpers/raw-client.ts";
import { heard, mismatch, missing, taken, tell } from "../helpers/reports.ts";
import { Scene, type User } from "../helpers/scene.ts";

const page = "https://www.acme.example";
const jwtSecret = "a-key-of-acme-for-tokens-in-tests-48-bytes-long.";
const acme = `\
    origins: ["${page}"]
    originReports: true
    keys: [{ id: j1, alg: HS256, secret: "${jwtSecret}" }]`;
let scene: Scene;

vi.setConfig({ testTimeout: 60_000 });

beforeAll(async () => {
  scene = await Scene.open({ acme, more: withExchange });
});
afterAll(() => scene?.close());

const tokenOf = ({ address }: Pick<User, "address">, narrowing: Narrowing = {}): string =>
  accessToken(scene.gateway, address, { narrowing });
const event = ({ address }: Pick<User, "address">, conferenceID: string, name = "userJoined") => ({
  ...{ conferenceID, event: name, userID: address },
});
const stats = ({ address }: Pick<User, "address">, conferenceID: string) => ({
  ...{ conferenceID, userID: address, stats: heard },
});
const byes = async ({ callId, caller }: Call): Promise<number> =>
  (await scene.arrived(callId, caller)).filter(({ method }) => method === "BYE").length;

/** Its callee ends it, as may be, and both hear it. */
async function twin({ caller, callee, callId }: Call): Promise<void> {
  const token = tokenOf(callee, { permissions: ["TerminateConference"] });
  expect(await tell(scene.gateway, "events", event(callee, callId, "conferenceEnded"), { token })).toEqual(taken);
  await Promise.all([answered(caller, callId, "BYE"), answered(callee, callId, "BYE")]);
  await scene.came(callId, "BYE");
  for (const { client } of [caller, callee]) client.close();
}

describe("somebody else's call", () => {
  it("is neither told of nor ended by who is not in it, whatever they may", async () => {
    const [alice, bob, mallory] = [await scene.user("alice"), await scene.user("bob"), await scene.user("mallory")];
    const eve = await scene.user("eve", "globex.example");
    const call = await establish(alice, bob);
    for (const stranger of [mallory, eve]) {
      const token = tokenOf(stranger, { permissions: ["*"] });
      for (const name of ["userJoined", "conferenceEnded"]) {
        expect(await tell(scene.gateway, "events", event(stranger, call.callId, name), { token })).toEqual(mismatch);
      }
      expect(await tell(scene.gateway, "stats", stats(stranger, call.callId), { token })).toEqual(mismatch);
      expect(await tell(scene.gateway, "events", event(alice, call.callId), { token })).toEqual(mismatch);
    }
    expect(await byes(call)).toBe(0);
    await twin(call);
    for (const { client } of [mallory, eve]) client.close();
  });

  it("is not joined by a call of one's own under its Call-ID", async () => {
    const [alice, bob, mallory] = [await scene.user("alice"), await scene.user("bob"), await scene.user("mallory")];
    const carol = await scene.user("carol");
    const call = await establish(alice, bob);
    const { callId } = call;
    const own = await establish(mallory, carol, { callId, fromTag: `m${unique()}` });
    for (const intruder of [mallory, carol]) {
      const token = tokenOf(intruder);
      expect(await tell(scene.gateway, "events", event(intruder, callId, "conferenceEnded"), { token })).toEqual(
        mismatch,
      );
    }
    expect(await byes(call)).toBe(0);
    await twin(call);
    mallory.client.send(own.fromCaller("BYE"));
    await answered(carol, callId, "BYE");
    for (const { client } of [mallory, carol]) client.close();
  });

  it("is not ended before it begins, so that its token is good no more", async () => {
    const [alice, mallory] = [await scene.stranger("alice"), await scene.stranger("mallory")];
    const room = `room-${unique()}`;
    const token = tokenOf(alice, { permissions: ["*"], conference: room });
    const end = event(mallory, room, "conferenceEnded");
    expect(await tell(scene.gateway, "events", end, { token: tokenOf(mallory) })).toEqual(taken);
    expect(await tell(scene.gateway, "events", event(alice, room), { token })).toEqual(taken);
    expect(await tell(scene.gateway, "events", event(alice, room, "conferenceEnded"), { token })).toEqual(taken);
    expect(await tell(scene.gateway, "events", event(alice, room), { token })).toEqual([401, "credential-expired"]);
    for (const { client } of [alice, mallory]) client.close();
  });

  it("is its application's, where that names it, and not whose who calls under its name first", async () => {
    const [bob, carol, mallory] = [await scene.user("bob"), await scene.user("carol"), await scene.user("mallory")];
    const alice = await scene.stranger("alice");
    const callId = `room-${unique()}`;
    const token = tokenOf(alice, { permissions: ["*"], conference: callId });
    const end = event(mallory, callId, "conferenceEnded");
    await establish(mallory, carol, { callId });
    expect(await tell(scene.gateway, "events", end, { token: tokenOf(mallory) })).toEqual(taken);
    await Promise.all([answered(mallory, callId, "BYE"), answered(carol, callId, "BYE")]);
    const call = await establish(alice, bob, { callId, cseq: 2, extra: [`Authorization: Bearer ${token}`] });
    expect(await tell(scene.gateway, "events", end, { token: tokenOf(mallory) })).toEqual(mismatch);
    expect(await tell(scene.gateway, "events", event(alice, callId), { token })).toEqual(taken);
    await twin(call);
    expect(await tell(scene.gateway, "events", event(alice, callId), { token })).toEqual([401, "credential-expired"]);
    for (const { client } of [carol, mallory]) client.close();
  });

  it("stays another customer's where a token names it as its own conference", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const eve = await scene.user("eve", "globex.example");
    const call = await establish(alice, bob);
    const end = event(eve, call.callId, "conferenceEnded");
    const named = tokenOf(eve, { permissions: ["*"], conference: call.callId });
    expect(await tell(scene.gateway, "events", end, { token: named })).toEqual(mismatch);
    expect(await byes(call)).toBe(0);
    const watcher = await scene.user("watcher");
    const theirs = tokenOf(watcher, { permissions: ["TerminateConference"], conference: call.callId });
    expect(
      await tell(scene.gateway, "events", event(watcher, call.callId, "conferenceEnded"), { token: theirs }),
    ).toEqual(taken);
    await Promise.all([answered(alice, call.callId, "BYE"), answered(bob, call.callId, "BYE")]);
    for (const { client } of [alice, bob, eve, watcher]) client.close();
  });
});

describe("a token that is none", () => {
  it("opens nothing: forged, widened, unsigned, another's, of another kind, or in the URL", async () => {
    const alice = await scene.stranger("alice");
    const told = event(alice, `unknown-${unique()}`);
    const good = tokenOf(alice, { permissions: ["SubmitBridgeEvent"] });
    const [header = "", claims = "", signature = ""] = good.split(".");
    const read = JSON.parse(Buffer.from(claims, "base64url").toString()) as { narrowing: object };
    const wide = Buffer.from(JSON.stringify({ ...read, narrowing: { permissions: ["*"] } })).toString("base64url");
    const none = Buffer.from(JSON.stringify({ alg: "none", typ: "postern-access+jwt" })).toString("base64url");
    const now = Math.floor(Date.now() / 1000);
    const foreign = gatewayKeys({ exchange: "another-exchange-secret" });
    const jwt = { appID: "acme", userID: alice.name, exp: now + 60, permissions: ["*"] };
    const tokens = {
      widened: `${header}.${wide}.${signature}`,
      unsigned: `${header}.${wide}.`,
      "without algorithm": `${none}.${wide}.`,
      "of another gateway": accessToken(scene.gateway, alice.address, { keys: foreign }),
      "a customer's JWT": managementToken(jwt, jwtSecret),
      "a JWT under a customer's other secret": managementToken(jwt, acmeSecret),
      "an exchanged credential": exchanged(alice.address).username,
      "a username": alice.given.username,
    };
    for (const [what, token] of Object.entries(tokens)) {
      expect(await tell(scene.gateway, "events", told, { token }), what).toEqual([401, "credential-rejected"]);
      expect(await tell(scene.gateway, "events", { ...told, data_token: token }), what).toEqual([
        401,
        "credential-rejected",
      ]);
    }
    const over = accessToken(scene.gateway, alice.address, { now: now - 600 });
    expect(await tell(scene.gateway, "events", told, { token: over })).toEqual([401, "credential-expired"]);
    const http = scene.gateway.gatewayUrl.replace(/^ws/, "http");
    const inUrl = await fetch(`${http}/v1/events?access_token=${tokenOf(alice)}&data_token=${tokenOf(alice)}`, {
      ...{ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(told) },
    });
    expect(inUrl.status).toBe(401);
    expect(await tell(scene.gateway, "events", told, { token: good })).toEqual(missing);
    expect(await tell(scene.gateway, "events", told, { token: tokenOf(alice) })).toEqual(taken);
    alice.client.close();
  });

  it("is at once one whose user is revoked", async () => {
    const [alice, bob] = [await scene.stranger("alice"), await scene.stranger("bob")];
    const [mine, twins] = [tokenOf(alice), tokenOf(bob)];
    const told = (user: User) => event(user, `unknown-${unique()}`);
    expect(await tell(scene.gateway, "events", told(alice), { token: mine })).toEqual(taken);
    scene.gateway.change({ acme: `${acme}\n    revoked: [{ user: ${alice.name}, until: 2100-01-01 }]` });
    expect(await tell(scene.gateway, "events", told(alice), { token: mine })).toEqual([401, "credential-revoked"]);
    expect(await tell(scene.gateway, "events", told(bob), { token: twins })).toEqual(taken);
    scene.gateway.change({ acme });
    for (const { client } of [alice, bob]) client.close();
  });
});

describe("an origin alone", () => {
  const by = { appID: "acme" };
  const from = (origin: string, type = "application/json") => ({ headers: { origin, "content-type": type } });

  it("opens events and statistics to the customer's pages, and ends no call of theirs", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const call = await establish(alice, bob);
    const told = { ...by, ...event(alice, call.callId) };
    expect(await tell(scene.gateway, "events", told, from(page))).toEqual(taken);
    expect(await tell(scene.gateway, "stats", { ...by, ...stats(alice, call.callId) }, from(page))).toEqual(taken);
    const end = { ...by, ...event(alice, call.callId, "conferenceEnded") };
    expect(await tell(scene.gateway, "events", end, from(page))).toEqual(missing);
    for (const origin of ["https://evil.example", "null", "https://www.acme.example.evil.example", `${page}:8443`]) {
      // As a page sends it that no browser asks about first.
      expect(await tell(scene.gateway, "events", told, from(origin, "text/plain")), origin).toEqual([
        403,
        "origin-denied",
      ]);
    }
    for (const appID of ["globex", "nobody", "", "ACME", "acme.example"]) {
      expect(await tell(scene.gateway, "events", { ...told, appID }, from(page)), appID).toEqual([
        403,
        "origin-denied",
      ]);
    }
    expect(await tell(scene.gateway, "events", told)).toEqual([403, "origin-denied"]);
    expect(await byes(call)).toBe(0);
    await twin(call);
  });

  it("opens nothing on SIP: a page of that origin is challenged like any other", async () => {
    const client = await scene.connect({ origin: page });
    const user = await scene.stranger("alice");
    const parts = user.parts("REGISTER", "sip:acme.example", { to: user.address, extra: ["Expires: 60"] });
    const bare = await client.ask({ ...parts, contact: user.contact });
    expect(status(bare)).toBe(401);
    const bearer = ["Authorization: Bearer acme", `Authorization: Bearer ${page}`];
    for (const [at, line] of bearer.entries()) {
      const asked = { ...parts, cseq: 10 + at, contact: user.contact, extra: [...(parts.extra ?? []), line] };
      const refused = await client.ask(asked);
      expect([status(refused), code(refused)]).toEqual([401, expect.stringMatching(/^credential-/)]);
    }
    expect((await scene.arrived(parts.callId)).length).toBe(0);
    expect(status(await client.register(user.address, user.given))).toBe(200);
  });
});

describe("wrong tokens in number", () => {
  it("are refused unproved after a while, and keep nobody from calling", async () => {
    const gateway = await scene.another({ acme, more: withExchange, gateway: "  limits: { failuresPerMinute: 5 }" });
    const carol = { address: "carol@acme.example" };
    const wrong = accessToken(gateway, carol.address, { keys: gatewayKeys({ exchange: "another-exchange-secret" }) });
    const right = accessToken(gateway, carol.address);
    const told = event(carol, "nobody-s");
    expect(await tell(gateway, "events", told, { token: right })).toEqual(taken);
    for (let at = 0; at < 5; at++)
      expect(await tell(gateway, "events", told, { token: wrong })).toEqual([401, "credential-rejected"]);
    for (const token of [wrong, right])
      expect(await tell(gateway, "stats", stats(carol, "nobody-s"), { token })).toEqual([429, "rate-limited"]);
    const user = await scene.user("alice", "acme.example", gateway);
    user.client.close();
  });
});

describe("a flood of events", () => {
  it("is refused above what a call and a customer may have, and others go on", async () => {
    const [mallory, alice] = [await scene.stranger("mallory"), await scene.stranger("alice")];
    const token = tokenOf(mallory);
    const answers: (readonly [number, string | undefined])[] = [];
    for (let at = 0; at < 15; at++) {
      const events = Array.from({ length: 100 }, (_, each) => event(mallory, `made-up-${at}-${each}`));
      answers.push(await tell(scene.gateway, "events", { events }, { token }));
    }
    expect(answers.filter(([is]) => is === 202).length).toBeLessThanOrEqual(11);
    expect(answers.at(-1)).toEqual([429, "rate-limited"]);
    const globex = { address: "alice@globex.example" };
    expect(await tell(scene.gateway, "events", event(globex, "their-own"), { token: tokenOf(globex) })).toEqual(taken);
    expect(await tell(scene.gateway, "stats", stats(alice, "its-own"), { token: tokenOf(alice) })).toEqual(taken);
    const huge = { ...event(mallory, "made-up"), detail: { a: "x".repeat(70_000) } };
    expect(await tell(scene.gateway, "events", huge, { token })).toEqual([413, "message-too-big"]);
    const deep = { ...event(mallory, "made-up"), detail: JSON.parse("[".repeat(9) + "]".repeat(9)) as object };
    expect(await tell(scene.gateway, "events", deep, { token })).toEqual([400, "message-malformed"]);
    for (const { client } of [mallory, alice]) client.close();
  });
});
