import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chainSecret, type TestGateway } from "../helpers/gateway.ts";
import { freePort } from "../helpers/ports.ts";
import { credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { header, reply } from "../helpers/raw-sip.ts";
import { Scene, User } from "../helpers/scene.ts";
import { grant, openUpstream } from "../helpers/upstream-client.ts";

let scene: Scene;
let second: TestGateway;
beforeAll(async () => {
  scene = await Scene.open();
  second = await scene.another({});
});
afterAll(() => scene.close());

/** Registered from a port of their own choice. */
async function registered(name: string, gateway: TestGateway, localPort: number, copied?: User): Promise<User> {
  const address = `${name}${unique().replace("-", ".")}@acme.example`;
  const client = await RawClient.connect(gateway.gatewayUrl, { ws: { localPort } });
  const user = new User(client, address, credential(address));
  const parts = copied ? { contact: copied.contact, viaHost: `${copied.name}.invalid` } : {};
  expect(status(await client.register(address, user.given, parts))).toBe(200);
  return user;
}

const portAtKamailio = async (user: User): Promise<number> => {
  const seen = await scene.kamailio.waitFor((one) => one.method === "REGISTER" && one.raw.includes(user.address));
  return seen.port;
};

const messages = (user: User): string[] => user.client.received.filter((text) => text.startsWith("MESSAGE "));

/** A message of somebody else's to this user, who answers it. */
async function reaches(user: User): Promise<void> {
  const sender = await scene.user("alice");
  const callId = `to-${unique()}`;
  const sent = sender.prove("MESSAGE", `sip:${user.address}`, { callId });
  const got = await user.client.take((text) => header(text, "Call-ID") === callId);
  user.client.send(reply(got, { status: "200 OK" }));
  expect(status(await sent)).toBe(200);
}

describe("an address whose gateway has lost its connection", () => {
  /** A leg of this gateway under the address: how the upgrade was answered. */
  async function announced(gateway: string, port: number): Promise<number> {
    const headers = {
      ...grant({ secret: chainSecret, user: "bob", domain: "acme.example" }),
      "X-Postern-Gateway": gateway,
    };
    const announce = { host: "203.0.113.9", port };
    const opened = await openUpstream({ url: scene.kamailio.wsUrl, headers, announce });
    if (!opened.ok) return opened.status;
    await opened.client.close();
    return 101;
  }

  it("is kept for it, though nothing is registered under it: a call may have it, and the leg comes back", async () => {
    expect(await announced("one", 40_001)).toBe(101);
    const closed = Date.now();
    while (Date.now() - closed < 1_000) expect(await announced("two", 40_001)).toBe(409);
    expect(await announced("one", 40_001)).toBe(101);
    expect(await announced("two", 40_002)).toBe(101);
  });
});

describe("the same port at two gateways before one Kamailio", () => {
  it("gives nobody the calls of who had it first, nor hides them; both are reached", async () => {
    const port = await freePort();
    const bob = await registered("bob", scene.gateway, port);
    expect(await portAtKamailio(bob)).toBe(port);
    await reaches(bob);
    const mallory = await registered("mallory", second, port, bob);
    expect(await portAtKamailio(mallory)).not.toBe(port);
    await reaches(bob);
    expect(messages(mallory)).toEqual([]);
    const carol = await registered("carol", second, await freePort());
    await reaches(carol);
    for (const { client } of [bob, mallory, carol]) client.close();
  });

  it("is no hindrance to the second once its leg is gone and nothing is bound under it", async () => {
    const port = await freePort();
    const bob = await registered("bob", scene.gateway, port);
    bob.client.close();
    await bob.client.closed;
    await scene.kamailio.waitFor(
      ({ method, raw }) => method === "REGISTER" && /^Contact: \*|expires=0/im.test(raw) && raw.includes(bob.address),
    );
    const again = await registered("carol", second, port);
    await reaches(again);
    again.client.close();
  });
});
