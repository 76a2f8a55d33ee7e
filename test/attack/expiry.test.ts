import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answered, establish, responseTo, ring } from "../helpers/dialog.ts";
import type { TestGateway } from "../helpers/gateway.ts";
import { answer, code, credential, status, unique } from "../helpers/raw-client.ts";
import { header, reply } from "../helpers/raw-sip.ts";
import { Scene, type User } from "../helpers/scene.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open();
});
afterAll(() => scene.close());

/** A gateway with a clock of its own, right until it is moved on. */
async function gatewayWithClock(): Promise<{ gateway: TestGateway; pass: (seconds: number) => void }> {
  let ahead = 0;
  const gateway = await scene.another({ clock: { now: () => Date.now() + ahead } });
  return {
    gateway,
    pass: (seconds) => {
      ahead += seconds * 1000;
    },
  };
}

/** A user whose credential ends in so many seconds. */
async function shortLived(gateway: TestGateway, name: string, ttl: number): Promise<User> {
  const user = await scene.stranger(name, "acme.example", gateway);
  user.given = credential(user.address, { ttl });
  expect(status(await user.client.register(user.address, user.given))).toBe(200);
  return user;
}

describe("a nonce", () => {
  it("that has expired is challenged with stale=true, the next one is good", async () => {
    const { gateway, pass } = await gatewayWithClock();
    const user = await scene.stranger("alice", "acme.example", gateway);
    const parts = user.parts("REGISTER", `sip:${user.domain}`, { to: user.address });
    const challenge = await user.client.ask(parts);
    pass(301);
    const proof = (to: string): string => answer(to, "REGISTER", parts.uri, user.given);
    const stale = await user.client.ask({ ...parts, cseq: 2, extra: [proof(challenge)] });
    expect(status(stale)).toBe(401);
    expect(header(stale, "WWW-Authenticate")).toMatch(/stale=true/);
    expect(await scene.arrived(parts.callId)).toEqual([]);
    expect(status(await user.client.ask({ ...parts, cseq: 3, extra: [proof(stale)] }))).toBe(200);
    await scene.came(parts.callId, "REGISTER");
  });
});

describe("a credential that ends while its connection stands", () => {
  it("opens nothing new; a newer one does", async () => {
    const { gateway, pass } = await gatewayWithClock();
    const alice = await shortLived(gateway, "alice", 60);
    const callId = `message-${unique()}`;
    const uri = `sip:${alice.domain}`;
    expect(status(await alice.prove("OPTIONS", uri))).toBe(200);
    pass(61);
    const refused = await alice.prove("OPTIONS", uri, { callId });
    expect([status(refused), code(refused)]).toEqual([403, "credential-expired"]);
    alice.given = credential(alice.address, { ttl: 600 });
    expect(status(await alice.prove("OPTIONS", uri))).toBe(200);
    expect(await scene.arrived(callId, alice)).toEqual([]);
  });

  it("cuts no call: INFO and BYE of both sides go on in it", async () => {
    const { gateway, pass } = await gatewayWithClock();
    const alice = await shortLived(gateway, "alice", 60);
    const bob = await shortLived(gateway, "bob", 60);
    const call = await establish(alice, bob);
    pass(61);
    const byCaller = call.fromCaller("INFO");
    alice.client.send(byCaller);
    await answered(bob, call.callId, "INFO");
    expect(status(await responseTo(alice, byCaller))).toBe(200);
    const byCallee = call.fromCallee("INFO");
    bob.client.send(byCallee);
    await answered(alice, call.callId, "INFO");
    expect(status(await responseTo(bob, byCallee))).toBe(200);
    const bye = call.fromCaller("BYE");
    alice.client.send(bye);
    await answered(bob, call.callId, "BYE");
    expect(status(await responseTo(alice, bye))).toBe(200);
  });

  it("leaves a connection that counts as not accepted: requests of invented dialogs are challenged, not believed", async () => {
    const { gateway, pass } = await gatewayWithClock();
    const alice = await shortLived(gateway, "alice", 60);
    const invented = alice.parts("INFO", "sip:bob@bob.invalid", { toTag: "invented" });
    expect(status(await alice.client.ask(invented))).toBe(481);
    pass(61);
    const challenged = await alice.client.ask({ ...invented, cseq: 2 });
    expect(status(challenged)).toBe(407);
    expect(await scene.arrived(invented.callId)).toEqual([]);
  });

  it("gets no new calls while none of its own stands", async () => {
    const { gateway, pass } = await gatewayWithClock();
    const alice = await scene.user("alice");
    const bob = await shortLived(gateway, "bob", 60);
    const ringing = await ring(alice, bob);
    bob.client.send(reply(ringing.invite, { status: "486 Busy Here", tag: "rings" }));
    expect(status(await ringing.final)).toBe(486);
    pass(61);
    // What was just refused may still see its ACK; after that nothing of bob's is under way.
    pass(33);
    const callId = `message-${unique()}`;
    expect(status(await alice.prove("MESSAGE", `sip:${bob.address}`, { callId }))).toBe(480);
    const seen = await scene.arrived(callId);
    expect(seen.map((one) => one.method ?? one.status)).toEqual(["MESSAGE", 480]);
    expect(bob.client.received.join()).not.toContain(callId);
  });

  it("binds no longer than it lives", async () => {
    const { gateway } = await gatewayWithClock();
    const alice = await scene.stranger("alice", "acme.example", gateway);
    alice.given = credential(alice.address, { ttl: 100 });
    const { callId, contact } = { callId: `reg-${unique()}`, contact: `${alice.contact};expires=3600` };
    const parts = { callId, contact, extra: ["Expires: 3600"] };
    const answer = await alice.client.register(alice.address, alice.given, parts);
    expect(status(answer), answer).toBe(200);
    const seen = await scene.came(callId, "REGISTER");
    expect(Number(seen.header("Expires"))).toBeLessThan(100);
    expect(Number(/;expires=(\d+)$/.exec(seen.header("Contact") ?? "")?.[1])).toBeLessThan(100);
    const twin = `reg-${unique()}`;
    await alice.client.register(alice.address, alice.given, { callId: twin, extra: ["Expires: 40"] });
    expect((await scene.came(twin, "REGISTER")).header("Expires")).toBe("40");
  });
});
