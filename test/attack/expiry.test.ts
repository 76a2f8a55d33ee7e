import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answered, cancelOf, establish, responseTo, ring } from "../helpers/dialog.ts";
import type { GatewaySettings, TestGateway } from "../helpers/gateway.ts";
import { accessToken, exchanged, withExchange } from "../helpers/issued.ts";
import { answer, code, credential, status, unique } from "../helpers/raw-client.ts";
import { header } from "../helpers/raw-sip.ts";
import { Scene, User } from "../helpers/scene.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open();
});
afterAll(() => scene.close());

/** A gateway with a clock of its own, right until it is moved on. */
async function gatewayWithClock(
  settings: Partial<GatewaySettings> = {},
): Promise<{ gateway: TestGateway; pass: (seconds: number) => void }> {
  let ahead = 0;
  const gateway = await scene.another({ ...settings, clock: { now: () => Date.now() + ahead } });
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

  it("gets nothing new, whether a call of its own stands or not; what belongs to that goes on", async () => {
    const { gateway, pass } = await gatewayWithClock();
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
    const [idle, busy] = [await shortLived(gateway, "bob", 60), await shortLived(gateway, "bob", 60)];
    const call = await establish(alice, busy);
    const ringing = await ring(carol, busy);
    pass(61);
    for (const user of [idle, busy]) {
      for (const method of ["MESSAGE", "INVITE"]) {
        const callId = `new-${unique()}`;
        expect(status(await alice.prove(method, `sip:${user.address}`, { callId }))).toBe(480);
        const seen = await scene.arrived(callId);
        expect(seen.map((one) => one.method ?? one.status)).toEqual([method, 480]);
        const came = user.client.received.filter((text) => text.includes(callId) && !text.startsWith("ACK "));
        expect(came).toEqual([]);
      }
    }
    carol.client.send(cancelOf(ringing.sent));
    await answered(busy, ringing.callId, "CANCEL");
    const inside = call.fromCaller("INFO");
    alice.client.send(inside);
    await answered(busy, call.callId, "INFO");
    expect(status(await responseTo(alice, inside))).toBe(200);
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

describe("the customer's clockSkew", () => {
  const skewed = { acme: "    clockSkew: 600\n", more: withExchange };

  it("adds nothing to what the gateway gave: at the handshake, as Bearer, exchanged", async () => {
    const { gateway, pass } = await gatewayWithClock(skewed);
    const alice = await scene.stranger("alice", "acme.example", gateway);
    const shown = accessToken(gateway, alice.address, { ttl: 100 });
    const client = await scene.connect({ path: `/?access_token=${shown}` }, gateway);
    const byHandshake = new User(client, alice.address, alice.given);
    const options = (extra: readonly string[] = []) => alice.parts("OPTIONS", `sip:${alice.domain}`, { extra });
    const ways = {
      handshake: () => byHandshake.client.ask(options()),
      bearer: () => alice.client.ask(options([`Authorization: Bearer ${shown}`])),
      exchanged: () => bob.prove("OPTIONS", `sip:${bob.domain}`),
    };
    const bob = await scene.stranger("bob", "acme.example", gateway);
    bob.given = exchanged(bob.address, { ttl: 100 });
    for (const ask of Object.values(ways)) expect(status(await ask())).toBe(200);
    const long = await scene.connect(
      { path: `/?access_token=${accessToken(gateway, alice.address, { ttl: 400 })}` },
      gateway,
    );
    expect((await long.closed).reason).toMatch(/^credential-ttl/);
    pass(102);
    expect(status(await ways.handshake())).toBe(407);
    expect(code(await ways.bearer())).toBe("credential-expired");
    expect(code(await ways.exchanged())).toBe("credential-expired");
  });

  it("is the customer's servlet's: what that gave is good so much longer", async () => {
    const { gateway, pass } = await gatewayWithClock(skewed);
    const alice = await shortLived(gateway, "alice", 60);
    pass(600);
    expect(status(await alice.prove("OPTIONS", `sip:${alice.domain}`))).toBe(200);
    pass(70);
    expect(code(await alice.prove("OPTIONS", `sip:${alice.domain}`))).toBe("credential-expired");
  });
});
