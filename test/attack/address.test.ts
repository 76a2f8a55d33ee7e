import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { globexSecret } from "../helpers/gateway.ts";
import { freePort } from "../helpers/ports.ts";
import { credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { header, reply } from "../helpers/raw-sip.ts";
import { Scene, User } from "../helpers/scene.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open();
});
afterAll(() => scene.close());

/** Registered from this very port. */
async function userFrom(localPort: number, name: string, domain = "acme.example"): Promise<User> {
  const address = `${name}${unique().replace("-", ".")}@${domain}`;
  const secret = domain === "globex.example" ? { secret: globexSecret } : {};
  const client = await RawClient.connect(scene.gateway.gatewayUrl, { ws: { localAddress: "127.0.0.1", localPort } });
  const user = new User(client, address, credential(address, secret));
  const answer = await client.register(address, user.given);
  expect(status(answer), answer).toBe(200);
  return user;
}

const portAtKamailio = (user: User): number | undefined =>
  scene.kamailio.saw().findLast((seen) => seen.method === "REGISTER" && seen.raw.includes(user.address))?.port;

describe("the address that a leg announces", () => {
  it.each(["acme.example", "globex.example"])(
    "brings nobody's calls to whoever comes from it next: a user of %s after bob",
    async (domain) => {
      const localPort = await freePort();
      const bob = await userFrom(localPort, "bob");
      expect(portAtKamailio(bob)).toBe(localPort);
      const alice = await scene.user("alice");
      const twin = alice.prove("MESSAGE", `sip:${bob.address}`);
      const got = await bob.client.take((text) => text.startsWith("MESSAGE "));
      bob.client.send(reply(got, { status: "200 OK" }));
      expect(status(await twin)).toBe(200);

      bob.client.reset();
      await bob.client.closed;
      const mallory = await userFrom(localPort, "mallory", domain);
      const callId = `orphan-${unique()}`;
      expect(status(await alice.prove("MESSAGE", `sip:${bob.address}`, { callId }))).toBe(480);
      const delivered = scene.kamailio
        .saw()
        .filter((seen) => seen.way === "out" && seen.method === "MESSAGE" && seen.header("Call-ID") === callId);
      expect(delivered.map(({ port }) => port)).not.toContain(portAtKamailio(mallory));
      expect(mallory.client.received.filter((text) => header(text, "Call-ID") === callId)).toEqual([]);
      mallory.client.close();
    },
  );

  it("is another for each leg, and a Contact that copies another user's gets nothing of theirs", async () => {
    const bob = await scene.user("bob");
    const mallory = await scene.stranger("mallory");
    const copied = { contact: bob.contact, viaHost: `${bob.name}.invalid` };
    expect(status(await mallory.client.register(mallory.address, mallory.given, copied))).toBe(200);
    expect(portAtKamailio(mallory)).not.toBe(portAtKamailio(bob));
    const alice = await scene.user("alice");
    const answer = alice.prove("MESSAGE", `sip:${bob.address}`);
    const got = await bob.client.take((text) => text.startsWith("MESSAGE "));
    bob.client.send(reply(got, { status: "200 OK" }));
    expect(status(await answer)).toBe(200);
    expect(mallory.client.received.filter((text) => text.startsWith("MESSAGE "))).toEqual([]);
  });
});
