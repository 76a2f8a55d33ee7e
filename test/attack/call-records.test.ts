import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CallRecord } from "../../src/core/calls.ts";
import { answered, establish, exchange, ring } from "../helpers/dialog.ts";
import { acmeSecret } from "../helpers/gateway.ts";
import { freshToken } from "../helpers/management.ts";
import { code, credential, status } from "../helpers/raw-client.ts";
import { reply } from "../helpers/raw-sip.ts";
import { storedCalls, untilStored } from "../helpers/records.ts";
import { inSeconds, Scene, signed } from "../helpers/scene.ts";
import { onStore } from "../helpers/stored.ts";

const apiSecret = "the-api-secret-of-acme-in-tests";
let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open({
    gateway: "  limits: { failuresPerMinute: 0, messagesPerSecond: 0 }\n",
    acme: `    apiKeys: [{ id: "46", secret: ${apiSecret} }]\n`,
    more: "store: sqlite:./postern.db\nrecords: { file: calls.jsonl }\n",
  });
});
afterAll(() => scene?.close());

const over = (all: readonly CallRecord[]): boolean => all.length > 0 && all.every(({ end }) => end !== undefined);
const methods = async (callId: string): Promise<(string | undefined)[]> =>
  (await scene.arrived(callId)).map(({ method }) => method);

describe("a visitor who uses the Call-ID and tags of another customer's call", () => {
  it("writes a record of its own customer, and neither answers nor ends the other", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const call = await establish(alice, bob);
    const [eve, other] = [await scene.user("eve", "globex.example"), await scene.user("other", "globex.example")];
    const same = { callId: call.callId, fromTag: call.fromTag };
    const forged = await ring(eve, other, same);
    other.client.send(reply(forged.invite, { status: "486 Busy Here", tag: call.toTag }));
    expect(status(await forged.final)).toBe(486);
    const bye = await eve.prove("BYE", `sip:${bob.address}`, { ...same, toTag: call.toTag, cseq: 900 });
    expect([status(bye), code(bye)]).toEqual([481, "dialog-unknown"]);
    const globex = { customer: "globex", callId: call.callId };
    expect(await untilStored(scene.gateway.folder, globex, over)).toMatchObject([{ status: 486 }, { status: 486 }]);
    const standing = await storedCalls(scene.gateway.folder, { customer: "acme", callId: call.callId });
    expect(standing.map(({ end, answer }) => [end, answer !== undefined])).toEqual([
      [undefined, true],
      [undefined, true],
    ]);
    expect((await methods(call.callId)).filter((method) => method === "BYE")).toEqual([]);

    const twin = exchange(alice, call.fromCaller("BYE"));
    await answered(bob, call.callId, "BYE");
    expect(status(await twin)).toBe(200);
    const ended = await untilStored(scene.gateway.folder, { customer: "acme", callId: call.callId }, over);
    expect(ended.map(({ endedBy, user }) => [endedBy, user]).toSorted()).toEqual([
      ["client", alice.name],
      ["far", bob.name],
    ]);
  });
});

describe("a BYE that Kamailio does not pass on", () => {
  it("ends no record by itself; one that arrives does", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const call = await establish(alice, bob);
    const short = call.fromCaller("BYE").replace("Max-Forwards: 70", "Max-Forwards: 0");
    expect(status(await exchange(alice, short))).toBe(483);
    expect(await methods(call.callId)).toContain("BYE");
    // The gateway says it once more by itself; until that is answered nothing has ended.
    const ofAlice = { callId: call.callId, user: alice.name };
    const stands = await untilStored(scene.gateway.folder, ofAlice, (all) => all.length === 1);
    expect(stands.map(({ end }) => end)).toEqual([undefined]);
    await answered(bob, call.callId, "BYE");
    const ended = await untilStored(scene.gateway.folder, { callId: call.callId }, over);
    expect(ended.map(({ endedBy }) => endedBy).toSorted()).toEqual(["client", "far"]);

    const [carol, dave] = [await scene.user("carol"), await scene.user("dave")];
    const twin = await establish(carol, dave);
    const bye = exchange(carol, twin.fromCaller("BYE"));
    await answered(dave, twin.callId, "BYE");
    expect(status(await bye)).toBe(200);
    expect(await untilStored(scene.gateway.folder, { callId: twin.callId }, over)).toHaveLength(2);
  });
});

describe("a visitor who is refused again and again", () => {
  it("fills neither the records of its customer nor those of others; calls that are placed are all there", async () => {
    const eve = await scene.user("eve", "globex.example");
    const [front, alice] = [await scene.user("front", "globex.example"), await scene.user("alice")];
    const before = await scene.gateway.metric("postern_call_records_lost_total");
    for (let at = 0; at < 130; at++) {
      const refused = await eve.prove("INVITE", "sip:+19005550123@globex.example");
      expect([status(refused), code(refused)]).toEqual([403, "destination-denied"]);
    }
    const theirs = alice.parts("INVITE", "sip:+19005550123@acme.example");
    await alice.client.prove(theirs, alice.given);
    const placed = await ring(front, eve);
    eve.client.send(reply(placed.invite, { status: "486 Busy Here", tag: "rings" }));
    expect(status(await placed.final)).toBe(486);
    const isThere = (all: readonly CallRecord[]): boolean => over(all) && all.length === 2;
    await untilStored(scene.gateway.folder, { callId: placed.callId }, isThere);
    expect(await untilStored(scene.gateway.folder, { callId: theirs.callId }, over)).toHaveLength(1);
    const kept = await storedCalls(scene.gateway.folder, { user: eve.name });
    expect(kept.filter(({ status }) => status === 403).length).toBeLessThanOrEqual(100);
    expect((await scene.gateway.metric("postern_call_records_lost_total")) - before).toBeGreaterThanOrEqual(30);
  });
});

describe("a stranger", () => {
  it("makes no record, by a wrong secret or another's domain; who is proved and too late makes one", async () => {
    const stranger = await scene.stranger("mallory");
    const asked: string[] = [];
    const wrong = [
      credential(stranger.address, { secret: `${acmeSecret}-not` }),
      credential("mallory@nobody.example", { secret: acmeSecret }),
      signed(`${inSeconds(-60)}:${stranger.address}`, `${acmeSecret}-not`),
    ];
    for (const given of wrong) {
      const parts = stranger.parts("INVITE", "sip:bob@acme.example");
      asked.push(parts.callId);
      const refused = await stranger.client.prove(parts, given);
      expect([status(refused), code(refused)]).toEqual([403, "credential-rejected"]);
    }
    const late = stranger.parts("INVITE", "sip:bob@acme.example");
    expect(code(await stranger.client.prove(late, signed(`${inSeconds(-60)}:${stranger.address}`)))).toBe(
      "credential-expired",
    );
    await untilStored(scene.gateway.folder, { callId: late.callId }, over);
    for (const callId of asked) expect(await storedCalls(scene.gateway.folder, { callId })).toEqual([]);
    expect(await methods(late.callId)).toEqual([]);
  });
});

describe("what a visitor writes", () => {
  it("is of bounded length, and one line wherever it is shown", async () => {
    const alice = await scene.user("alice");
    const callId = `${"\\\"'<>-;".repeat(30)}${alice.name}`.replaceAll(/[;<>"\\]/g, "!");
    const users = ["a%0d%0ab%1b%5b2J", "x".repeat(200), `+${"9".repeat(200)}`, "'; DROP TABLE calls; --%00"];
    for (const user of users) {
      const parts = alice.parts("INVITE", `sip:${user.replaceAll(" ", "%20")}@acme.example`, { callId });
      const refused = await alice.client.prove({ ...parts, to: alice.address }, alice.given);
      expect([user.slice(0, 20), status(refused)]).toEqual([user.slice(0, 20), 403]);
    }
    const kept = await untilStored(scene.gateway.folder, { callId }, (all) => all.length === users.length);
    for (const { peer = "", number = "" } of kept) expect(peer.length + number.length).toBeLessThanOrEqual(128);
    const { stdout } = await onStore(scene.gateway.folder, ["calls", "--call-id", callId]);
    expect(stdout.split("\n")).toHaveLength(users.length + 1);
    expect(stdout).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f]/);
    const lines = readFileSync(join(scene.gateway.folder, "calls.jsonl"), "latin1").trimEnd().split("\n");
    expect(() => lines.map((line) => JSON.parse(line) as unknown)).not.toThrow();
  });
});

describe("a customer's key that asks for others' calls", () => {
  const get = async (path: string): Promise<{ status: number; calls: readonly CallRecord[] }> => {
    const authorization = `Bearer ${freshToken("46", apiSecret)}`;
    const response = await fetch(scene.gateway.adminUrl + path, { headers: { authorization } });
    const { calls = [] } = (await response.json()) as { calls?: CallRecord[] };
    return { status: response.status, calls };
  };
  const own = "/v1/customers/me/calls";

  it.each([
    ["another customer's", "/v1/customers/globex/calls", 404],
    ["nobody's, which looks the same", "/v1/customers/nobody/calls", 404],
    ["everybody's", "/v1/calls", 403],
    ["another's by the query", `${own}?customer=globex`, 400],
    ["another's by a second of the same name", `${own}?user=alice&user=bob`, 400],
    ["another's by the id to go on from", `${own}?after=%27%20OR%201%3D1`, 400],
    ["all at once", `${own}?limit=100000`, 400],
  ])("gets none: %s", async (_, path, refused) => {
    expect(await get(path)).toEqual({ status: refused, calls: [] });
  });

  it.each(["' OR '1'='1", "%", "x' UNION SELECT record FROM calls --", "\u0000"])("gets none by %j", async (text) => {
    for (const name of ["user", "callId"]) {
      const { calls } = await get(`${own}?${name}=${encodeURIComponent(text)}`);
      expect(calls).toEqual([]);
    }
  });

  it("twin: gets its own, and no other", async () => {
    const { status: said, calls } = await get(`${own}?limit=500`);
    expect(said).toBe(200);
    expect(new Set(calls.map(({ customer }) => customer))).toEqual(new Set(["acme"]));
  });
});
