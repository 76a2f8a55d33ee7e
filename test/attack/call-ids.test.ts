import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answered, ring } from "../helpers/dialog.ts";
import { code, status, unique } from "../helpers/raw-client.ts";
import { header, recordRoutes, reply, request, tagOf, uriOf } from "../helpers/raw-sip.ts";
import { Scene, User } from "../helpers/scene.ts";

const number = "sip:+3225887001@acme.example";
let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open({ trunk: "answer", acme: "    limits: { callSeconds: 2 }\n" });
});
afterAll(() => scene.close());

const identifiers = () => ({ callId: `same-${unique()}`, fromTag: `t${unique()}` });
const methods = async (callId: string): Promise<string[]> =>
  (await scene.arrived(callId)).flatMap(({ method }) => method ?? []);

/** A call to the trunk that was answered and acknowledged. */
async function toTrunk(caller: User, ids: { readonly callId: string; readonly fromTag: string }, cseq: number) {
  const parts = caller.parts("INVITE", number, { ...ids, cseq });
  const ok = await caller.client.prove(parts, caller.given);
  expect(status(ok), ok).toBe(200);
  const inside = { toTag: tagOf(header(ok, "To")), routes: recordRoutes(ok).reverse(), cseq: cseq + 1 };
  caller.client.send(request({ ...parts, ...inside, method: "ACK", uri: uriOf(header(ok, "Contact")) }));
}

const endedAtTrunk = (callId: string): boolean =>
  scene.trunk.messages().some((message) => message.startsWith("BYE ") && header(message, "Call-ID") === callId);

describe("a second call under the Call-ID and From tag of one that rings", () => {
  it("is refused on the same connection: it would be counted as one; with its own it rings", async () => {
    const [alice, bob, carol] = [await scene.user("alice"), await scene.user("bob"), await scene.user("carol")];
    const ids = identifiers();
    const first = await ring(alice, bob, ids);
    for (const to of [carol.address, bob.address, "+3225887001@acme.example"]) {
      const refused = await alice.prove("INVITE", `sip:${to}`, { ...ids, cseq: 20 });
      expect([status(refused), code(refused)]).toEqual([400, "message-malformed"]);
    }
    expect(await methods(ids.callId)).toEqual(["INVITE"]);
    const calls = await scene.gateway.metric("postern_calls");
    const twin = await ring(alice, carol, { ...ids, fromTag: `t${unique()}` });
    expect(await scene.gateway.metric("postern_calls")).toBe(calls + 2);
    for (const { callee, invite, final } of [first, twin]) {
      callee.client.send(reply(invite, { status: "486 Busy Here", tag: "rings" }));
      expect(status(await final)).toBe(486);
    }
  });

  it("is refused to who was called, under the tag of its own", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const ringing = await ring(alice, bob);
    const again = { callId: ringing.callId, fromTag: "rings" };
    const refused = await bob.prove("INVITE", `sip:${alice.address}`, again);
    expect([status(refused), code(refused)]).toEqual([400, "message-malformed"]);
    ringing.callee.client.send(reply(ringing.invite, { status: "486 Busy Here", tag: "rings" }));
    expect(status(await ringing.final)).toBe(486);
  });

  it("is the same one tried again where the first was refused (RFC 3261 8.1.3.5)", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const ids = identifiers();
    const first = await ring(alice, bob, ids);
    bob.client.send(reply(first.invite, { status: "422 Session Interval Too Small", tag: "rings" }));
    expect(status(await first.final)).toBe(422);
    const second = await ring(alice, bob, { ...ids, cseq: 30 });
    bob.client.send(reply(second.invite, { status: "486 Busy Here", tag: "rings" }));
    expect(status(await second.final)).toBe(486);
  });

  it.each<[string, (alice: User) => Promise<User>]>([
    ["the same user", async ({ address, given }) => new User(await scene.connect(), address, given)],
    ["another user", () => scene.user("carol")],
  ])("on another connection ends when its own seconds are over: %s", async (_, other) => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const ids = identifiers();
    const parts = alice.parts("INVITE", `sip:${bob.address}`, ids);
    const final = alice.client.prove(parts, alice.given);
    const invite = await bob.client.take((text) => text.startsWith("INVITE ") && text.includes(ids.callId));
    const second = await other(alice);
    await toTrunk(second, ids, 50);
    bob.client.send(reply(invite, { status: "486 Busy Here", tag: "busy" }));
    expect(status(await final)).toBe(486);
    await answered(second, ids.callId, "BYE");
    await expect.poll(() => endedAtTrunk(ids.callId), { timeout: 10_000 }).toBe(true);
  });

  it("twin: so does a call that shares nothing", async () => {
    const alice = await scene.user("alice");
    const ids = identifiers();
    await toTrunk(alice, ids, 50);
    await answered(alice, ids.callId, "BYE");
    await expect.poll(() => endedAtTrunk(ids.callId), { timeout: 10_000 }).toBe(true);
  });
});
