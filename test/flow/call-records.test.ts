import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CallRecord } from "../../src/core/calls.ts";
import { answered, cancelOf, establish, exchange, ring } from "../helpers/dialog.ts";
import { acmeSecret, startGateway } from "../helpers/gateway.ts";
import { accessToken, gatewayKeys } from "../helpers/issued.ts";
import { freshToken } from "../helpers/management.ts";
import { credential, status } from "../helpers/raw-client.ts";
import { header, recordRoutes, reply, request, tagOf, uriOf } from "../helpers/raw-sip.ts";
import { HookServer, untilFiled, untilStored } from "../helpers/records.ts";
import { inSeconds, Scene, signed, type User } from "../helpers/scene.ts";
import { onStore } from "../helpers/stored.ts";
import { temporaryDir } from "../helpers/temporary.ts";

const hookSecret = "the-secret-of-the-webhook-in-tests";
const operatorSecret = "the-secret-of-the-operator-in-tests";
const exchangeSecret = "the-exchange-secret-of-records";
const apiSecret = "the-api-secret-of-acme-in-tests";
let scene: Scene;
let hook: HookServer;
let hanging: HookServer;

beforeAll(async () => {
  [hook, hanging] = [await HookServer.open(), await HookServer.open()];
  hanging.hangs = true;
  const webhook = (of: HookServer, secret: string) => `    webhook: { url: "${of.url}", secret: ${secret} }\n`;
  scene = await Scene.open({
    trunk: "answer",
    admin: `, operators: [{ id: ops, secret: ${operatorSecret} }]`,
    acme: `${webhook(hook, hookSecret)}    apiKeys: [{ id: "46", secret: ${apiSecret} }]\n`,
    globex: `${webhook(hanging, "another-secret-of-a-webhook")}    limits: { callSeconds: 2 }\n`,
    more: [
      "store: sqlite:./postern.db",
      "records: { file: calls.jsonl }",
      `exchange: { secret: ${exchangeSecret}, callbackNetworks: ["127.0.0.0/8"] }`,
    ].join("\n"),
  });
});
afterAll(async () => {
  await scene?.close();
  hook?.close();
  hanging?.close();
});

const recordOf = (callId: string, direction?: CallRecord["direction"]): Promise<CallRecord> =>
  hook.record((record) => record.callId === callId && (direction ?? record.direction) === record.direction);

/** To the trunk, answered and acknowledged. hangUp: the caller's BYE. */
async function toTrunk(caller: User) {
  const parts = caller.parts("INVITE", "sip:+3225887001@acme.example");
  const ok = await caller.client.prove(parts, caller.given);
  expect(status(ok), ok).toBe(200);
  const inside = {
    toTag: tagOf(header(ok, "To")),
    routes: recordRoutes(ok).reverse(),
    uri: uriOf(header(ok, "Contact")),
  };
  caller.client.send(request({ ...parts, ...inside, method: "ACK", cseq: 2 }));
  const hangUp = () => exchange(caller, request({ ...parts, ...inside, method: "BYE", cseq: 3 }));
  return { callId: parts.callId, hangUp };
}

/** What a page measured on its audio, as it tells it. */
async function tells(user: User, conferenceID: string, figures: object): Promise<void> {
  const codec = { type: "codec", id: "c", mimeType: "audio/opus" };
  const heard = { type: "inbound-rtp", id: "i", kind: "audio", ssrc: 7, codecId: "c", ...figures };
  const keys = gatewayKeys({ exchange: exchangeSecret });
  const response = await fetch(`${scene.gateway.gatewayUrl.replace("ws", "http")}/v1/stats`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${accessToken(scene.gateway, user.address, { keys })}`,
    },
    body: JSON.stringify({ conferenceID, userID: user.name, stats: [codec, heard] }),
  });
  expect(response.status, await response.text()).toBe(202);
}

describe("the record of a call", () => {
  it("to the trunk, ended by the page: number, trunk, times, and the same in store and file", async () => {
    const alice = await scene.user("alice");
    const began = Date.now();
    const { callId, hangUp } = await toTrunk(alice);
    const [standing] = await untilStored(scene.gateway.folder, { callId }, ([one]) => one?.answer !== undefined);
    expect(standing).not.toHaveProperty("end");
    expect(status(await hangUp())).toBe(200);
    const record = await recordOf(callId);
    expect(record).toMatchObject({
      ...{ callId, customer: "acme", user: alice.name, domain: "acme.example", provedBy: "k1", status: 200 },
      ...{ direction: "to-number", number: "+3225887001", trunk: scene.trunk.uri, endedBy: "client" },
    });
    const { start, ringing = 0, answer = 0, end = 0, seconds } = record;
    const times = [began, start, ringing, answer, end, Date.now()];
    expect(times).toEqual(times.toSorted((one, other) => one - other));
    expect(seconds).toBe((end - answer) / 1000);
    const [stored] = await untilStored(scene.gateway.folder, { callId }, ([one]) => one?.end !== undefined);
    expect(stored).toEqual(record);
    const isIt = (one: CallRecord): boolean => one.callId === callId;
    const filed = await untilFiled(join(scene.gateway.folder, "calls.jsonl"), (all) => all.some(isIt));
    expect(filed.filter(isIt)).toEqual([record]);
  });

  it("between two users, ended by who was called: one of each", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const call = await establish(alice, bob);
    const bye = exchange(bob, call.fromCallee("BYE"));
    await answered(alice, call.callId, "BYE");
    expect(status(await bye)).toBe(200);
    expect(await recordOf(call.callId, "to-user")).toMatchObject({
      ...{ user: alice.name, peer: bob.address, endedBy: "far", status: 200 },
    });
    expect(await recordOf(call.callId, "in")).toMatchObject({ user: bob.name, peer: alice.address, endedBy: "client" });
  });

  it("has how it sounded, as each told it before its end, in store, file and webhook", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const call = await establish(alice, bob);
    await tells(alice, call.callId, { packetsReceived: 990, packetsLost: 10, jitter: 0.004 });
    await tells(bob, call.callId, { packetsReceived: 800, packetsLost: 200, jitter: 0.02 });
    const bye = exchange(alice, call.fromCaller("BYE"));
    await answered(bob, call.callId, "BYE");
    expect(status(await bye)).toBe(200);
    const [placed, taken] = [await recordOf(call.callId, "to-user"), await recordOf(call.callId, "in")];
    expect(placed.quality).toMatchObject({ received: { packets: 1_000, lost: 10, jitter: { mean: 0.004 } } });
    expect(taken.quality).toMatchObject({ received: { packets: 1_000, lost: 200, codec: "opus" } });
    expect(placed.quality?.mos).toBeGreaterThan(taken.quality?.mos ?? 5);
    const isIt = (one: CallRecord): boolean => one.callId === call.callId;
    const path = join(scene.gateway.folder, "calls.jsonl");
    const filed = await untilFiled(path, (all) => all.filter(isIt).length === 2);
    expect(filed.filter(isIt).map(({ quality }) => quality)).toEqual(
      expect.arrayContaining([placed.quality, taken.quality]),
    );
    const isOver = (all: readonly CallRecord[]): boolean => all.every(({ end }) => end !== undefined);
    const stored = await untilStored(scene.gateway.folder, { callId: call.callId }, isOver);
    expect(stored.find(({ direction }) => direction === "in")).toEqual(taken);
    const metric = 'postern_call_loss_ratio_count{customer="acme"}';
    expect(await scene.gateway.metric(metric)).toBe(2);
  });

  it("that is busy has its status", async () => {
    const ringing = await ring(await scene.user("alice"), await scene.user("bob"));
    ringing.callee.client.send(reply(ringing.invite, { status: "486 Busy Here", tag: "rings" }));
    expect(status(await ringing.final)).toBe(486);
    expect(await recordOf(ringing.callId, "to-user")).toMatchObject({ endedBy: "far", status: 486 });
    expect(await recordOf(ringing.callId, "in")).toMatchObject({ endedBy: "client", status: 486 });
  });

  it("that is cancelled was ended by the page", async () => {
    const ringing = await ring(await scene.user("alice"), await scene.user("bob"));
    ringing.caller.client.send(cancelOf(ringing.sent));
    await answered(ringing.callee, ringing.callId, "CANCEL");
    ringing.callee.client.send(reply(ringing.invite, { status: "487 Request Terminated", tag: "rings" }));
    expect(status(await ringing.final)).toBe(487);
    expect(await recordOf(ringing.callId, "to-user")).toMatchObject({ endedBy: "client", status: 487 });
    expect(await recordOf(ringing.callId, "in")).toMatchObject({ endedBy: "far", status: 487 });
  });

  it("whose browser is gone was ended by the gateway, and by a BYE for who is left", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const call = await establish(alice, bob);
    alice.client.socket.terminate();
    await answered(bob, call.callId, "BYE");
    expect(await recordOf(call.callId, "to-user")).toMatchObject({ endedBy: "gateway", reason: "socket-lost" });
    expect(await recordOf(call.callId, "in")).toMatchObject({ endedBy: "far" });
  });

  it("that lasts longer than it may says so on both sides", async () => {
    const [front, back] = [await scene.user("front", "globex.example"), await scene.user("back", "globex.example")];
    const { callId } = await establish(front, back);
    // Both first: Kamailio's dialog module says no second BYE where the first was answered before it came to that.
    const isBye = (text: string): boolean => text.startsWith("BYE ") && header(text, "Call-ID") === callId;
    const byes = await Promise.all([front, back].map(({ client }) => client.take(isBye)));
    for (const [at, { client }] of [front, back].entries()) client.send(reply(byes[at]!, { status: "200 OK" }));
    const isOver = (all: readonly CallRecord[]): boolean =>
      all.length === 2 && all.every(({ end }) => end !== undefined);
    const tooLong = { endedBy: "gateway", reason: "call-seconds" };
    expect(await untilStored(scene.gateway.folder, { callId }, isOver)).toMatchObject([tooLong, tooLong]);
  });
});

describe("calls that stand when the gateway stops", () => {
  it("are ended by it, and recorded before it is gone", async () => {
    const folder = temporaryDir("records");
    const path = join(folder, "calls.jsonl");
    const more = `records: { file: "${path}" }`;
    const gateway = await startGateway({ upstreamUrls: [scene.kamailio.wsUrl], more });
    const [alice, bob] = [
      await scene.user("alice", "acme.example", gateway),
      await scene.user("bob", "acme.example", gateway),
    ];
    const { callId } = await establish(alice, bob);
    await gateway.close();
    const ended = await untilFiled(path, (all) => all.length === 2);
    expect(ended.map((record) => [record.callId, record.status, record.end !== undefined])).toEqual([
      [callId, 200, true],
      [callId, 200, true],
    ]);
    // The BYE of the one that is ended first may reach the other.
    expect(ended.map(({ reason }) => reason)).toContain("draining");
    rmSync(folder, { recursive: true });
  });
});

describe("a refused INVITE", () => {
  it("after the proof is a record with its code; a wrong secret makes none", async () => {
    const alice = await scene.user("alice");
    const stranger = await scene.stranger("mallory");
    stranger.given = credential(stranger.address, { secret: `${acmeSecret}-not` });
    const unproved = stranger.parts("INVITE", "sip:+3225887001@acme.example");
    expect(status(await stranger.client.prove(unproved, stranger.given))).toBe(403);
    const denied = alice.parts("INVITE", "sip:+4930123@acme.example");
    expect(status(await alice.client.prove(denied, alice.given))).toBe(403);
    expect(await recordOf(denied.callId)).toMatchObject({
      ...{ user: alice.name, direction: "to-number", number: "+4930123", provedBy: "k1" },
      ...{ endedBy: "gateway", reason: "destination-denied", status: 403 },
    });
    expect(hook.records().filter(({ callId }) => callId === unproved.callId)).toEqual([]);
  });

  it("under a credential that has ended is the customer's, and nobody's in particular", async () => {
    const late = await scene.stranger("late");
    late.given = signed(`${inSeconds(-60)}:${late.address}`);
    const parts = late.parts("INVITE", "sip:+3225887001@acme.example");
    expect(status(await late.client.prove(parts, late.given))).toBe(403);
    const record = await recordOf(parts.callId);
    expect(record).toMatchObject({ customer: "acme", reason: "credential-expired", status: 403 });
    expect(record).not.toHaveProperty("user");
  });
});

describe("the webhook", () => {
  it("is signed as docs/calls.md checks it", async () => {
    const snippet = /```js\n(.*?)```/s.exec(readFileSync("docs/calls.md", "utf8"))?.[1] ?? "";
    const file = join(scene.gateway.folder, "verify.mjs");
    writeFileSync(file, snippet);
    const { isPosterns } = (await import(pathToFileURL(file).href)) as {
      isPosterns(body: string, header: string, secret: string): boolean;
    };
    expect(hook.deliveries.length).toBeGreaterThan(0);
    const { body, signature } = hook.deliveries.at(-1)!;
    expect(isPosterns(body, signature, hookSecret)).toBe(true);
    expect(isPosterns(`${body} `, signature, hookSecret)).toBe(false);
    expect(isPosterns(body, signature, `${hookSecret}-not`)).toBe(false);
    expect(isPosterns(body, signature.replace(/t=(\d)/, "t=0"), hookSecret)).toBe(false);
    expect(isPosterns(body, "", hookSecret)).toBe(false);
  });

  it("that answers 500 is asked again, while another customer's takes nothing at all", async () => {
    const [mallory, alice] = [await scene.user("front", "globex.example"), await scene.user("alice")];
    const lost = mallory.parts("INVITE", "sip:+3225887001@globex.example");
    await mallory.client.prove(lost, mallory.given);
    const refused = alice.parts("INVITE", "sip:+4930123@acme.example");
    hook.answers.push(500, 301);
    await alice.client.prove(refused, alice.given);
    await recordOf(refused.callId);
    const told = hook.deliveries.filter(({ calls }) => calls.some(({ callId }) => callId === refused.callId));
    expect(told.map((one) => one.status)).toEqual([500, 301, 204]);
    expect(new Set(told.flatMap(({ calls }) => calls.map(({ id }) => id))).size).toBe(1);
    const warned = scene.gateway.log().filter(({ msg }) => msg === "a webhook fails");
    expect(warned).toContainEqual(expect.objectContaining({ customer: "acme", reason: "it answered 500" }));
    expect(await scene.gateway.metric("postern_webhook_failures_total")).toBeGreaterThanOrEqual(2);
  });
});

describe("GET /v1/calls", () => {
  const get = (path: string, token: string): Promise<Response> =>
    fetch(`${scene.gateway.adminUrl}${path}`, { headers: { authorization: `Bearer ${token}` } });
  const operator = () => freshToken("ops", operatorSecret, { ist: "account" });
  const acme = () => freshToken("46", apiSecret);

  it("gives an operator everybody's and a customer its own, page by page", async () => {
    const all = (await (await get("/v1/calls?limit=500", operator())).json()) as { calls: CallRecord[] };
    expect(new Set(all.calls.map(({ customer }) => customer))).toEqual(new Set(["acme", "globex"]));
    const own: CallRecord[] = [];
    for (let after = ""; ; ) {
      const page = await get(`/v1/customers/me/calls?limit=3${after}`, acme());
      const { calls, next } = (await page.json()) as { calls: CallRecord[]; next: string | null };
      own.push(...calls);
      if (next === null) break;
      after = `&after=${next}`;
    }
    expect(own).toEqual(all.calls.filter(({ customer }) => customer === "acme"));
    expect((await get("/v1/calls", acme())).status).toBe(403);
  });

  it("is told by `postern calls` too, one line for each", async () => {
    const all = (await (await get("/v1/calls?customer=acme&limit=2", operator())).json()) as { calls: CallRecord[] };
    const { folder } = scene.gateway;
    const asJson = await onStore(folder, ["calls", "--customer", "acme", "--limit", "2", "--json"]);
    expect(asJson.data).toEqual(all);
    const { stdout, stderr, exit } = await onStore(folder, ["calls", "--customer", "acme", "--limit", "2"]);
    expect([exit, stdout.trimEnd().split("\n").length]).toEqual([0, 2]);
    expect(stderr).toContain(`--after ${all.calls[1]?.id}`);
    expect(stdout.split("\t")[0]).toBe(new Date(all.calls[0]?.start ?? 0).toISOString());
    const refused = await onStore(folder, ["calls", "--since", "soon", "--limit", "0"]);
    expect(refused.exit).toBe(2);
    expect(refused.stderr).toMatch(/--since is no instant.*--limit must be 1 to 500/s);
  });
});
