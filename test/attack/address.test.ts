import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { establish, exchange } from "../helpers/dialog.ts";
import { globexSecret, type TestGateway } from "../helpers/gateway.ts";
import { freePort } from "../helpers/ports.ts";
import { beginningWith, proxyV1 } from "../helpers/proxy.ts";
import { code, credential, RawClient, type RawClientOptions, status, unique } from "../helpers/raw-client.ts";
import { header, headers, reply } from "../helpers/raw-sip.ts";
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

const portAtKamailio = async (user: User): Promise<number> => {
  const seen = await scene.kamailio.waitFor((one) => one.method === "REGISTER" && one.raw.includes(user.address));
  return seen.port;
};

describe("a user whose name differs in case alone", () => {
  it("gets none of the other's calls, nor sees its binding; each is found by its own name", async () => {
    const bob = await scene.user("bob");
    const address = bob.address.replace("bob", "BOB");
    const other = new User(await scene.connect(), address, credential(address));
    expect(header(await other.client.register(address, other.given), "Contact")).not.toContain("bob");
    const alice = await scene.user("alice");
    for (const called of [bob, other]) {
      const callId = `case-${unique()}`;
      const answered = alice.prove("MESSAGE", `sip:${called.address}`, { callId });
      const message = await called.client.take((text) => text.startsWith("MESSAGE "));
      expect(header(message, "Call-ID")).toBe(callId);
      called.client.send(reply(message, { status: "200 OK" }));
      expect(status(await answered)).toBe(200);
      expect(toOthers(callId, called)).toEqual([]);
    }
  });

  /** What Kamailio sent with this Call-ID to anybody else. */
  const toOthers = (callId: string, { name }: User): string[] =>
    scene.kamailio
      .saw()
      .filter((seen) => seen.way === "out" && seen.method === "MESSAGE" && seen.header("Call-ID") === callId)
      .map(({ raw }) => raw)
      .filter((raw) => !raw.startsWith(`MESSAGE sip:${name}@`));
});

describe("the address that a leg announces", () => {
  it.each(["acme.example", "globex.example"])(
    "brings nobody's calls to whoever comes from it next: a user of %s after bob",
    async (domain) => {
      const localPort = await freePort();
      const bob = await userFrom(localPort, "bob");
      expect(await portAtKamailio(bob)).toBe(localPort);
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
      expect(delivered.map(({ port }) => port)).not.toContain(await portAtKamailio(mallory));
      expect(mallory.client.received.filter((text) => header(text, "Call-ID") === callId)).toEqual([]);
      mallory.client.close();
    },
  );

  it.each([
    ["rising", 1, 50],
    ["falling", 100, 1],
  ])("is free for the next when its user has left, who registered under %s CSeq numbers", async (_, first, second) => {
    const localPort = await freePort();
    const alice = await userFrom(localPort, "alice");
    const callId = `reg-${unique()}`;
    for (const [cseq, name] of [[first, "one"] as const, [second, "two"] as const]) {
      const contact = `<sip:${name}@${alice.name}.invalid;transport=ws>`;
      const parts = { callId, cseq, contact, viaHost: `${alice.name}.invalid`, extra: ["Expires: 600"] };
      expect(status(await alice.client.register(alice.address, alice.given, parts))).toBe(200);
    }
    alice.client.reset();
    await alice.client.closed;
    // Until alice's leg has taken its leave the next one has another port.
    const next = async (): Promise<number> => {
      const bob = await userFrom(localPort, "bob");
      const port = await portAtKamailio(bob);
      bob.client.reset();
      await bob.client.closed;
      return port;
    };
    await expect.poll(next).toBe(localPort);
    const again = await scene.connect();
    const left = await again.register(alice.address, alice.given);
    expect(headers(left, "Contact").join()).not.toMatch(/sip:(?:one|two)@/);
  });

  it("is another for each leg, and a Contact that copies another user's gets nothing of theirs", async () => {
    const bob = await scene.user("bob");
    const mallory = await scene.stranger("mallory");
    const copied = { contact: bob.contact, viaHost: `${bob.name}.invalid` };
    expect(status(await mallory.client.register(mallory.address, mallory.given, copied))).toBe(200);
    expect(await portAtKamailio(mallory)).not.toBe(await portAtKamailio(bob));
    const alice = await scene.user("alice");
    const answer = alice.prove("MESSAGE", `sip:${bob.address}`);
    const got = await bob.client.take((text) => text.startsWith("MESSAGE "));
    bob.client.send(reply(got, { status: "200 OK" }));
    expect(status(await answer)).toBe(200);
    expect(mallory.client.received.filter((text) => text.startsWith("MESSAGE "))).toEqual([]);
  });
});

describe("an address that a proxy says of two", () => {
  const trusting = '  trustedProxies: ["127.0.0.0/8"]\n';
  const forwarded = (value: string): RawClientOptions => ({ ws: { headers: { "X-Forwarded-For": value } } });
  // Addresses of its own for each test: a leg of the one before may still take its leave.
  const proxied = (address: string): RawClientOptions => ({ ws: beginningWith(proxyV1(address, 41_000)) });
  let byHeader: TestGateway;
  let byLine: TestGateway;
  let parking: TestGateway;
  beforeAll(async () => {
    byHeader = await scene.another({ gateway: trusting });
    byLine = await scene.another({ gateway: `${trusting}  proxyProtocol: on` });
    parking = await scene.another({ gateway: `${trusting}  proxyProtocol: on\n  limits: { goneSeconds: 30 }` });
  });

  async function registered(name: string, domain: string, options: RawClientOptions, at: TestGateway): Promise<User> {
    const address = `${name}${unique().replace("-", ".")}@${domain}`;
    const secret = domain === "globex.example" ? { secret: globexSecret } : {};
    const user = new User(await scene.connect(options, at), address, credential(address, secret));
    expect(status(await user.client.register(address, user.given))).toBe(200);
    return user;
  }

  const messages = (user: User): string[] => user.client.received.filter((text) => text.startsWith("MESSAGE "));

  it.each<[string, string, RawClientOptions, () => TestGateway]>([
    ["X-Forwarded-For without a port", "acme.example", forwarded("203.0.113.41"), () => byHeader],
    ["X-Forwarded-For without a port", "globex.example", forwarded("203.0.113.42"), () => byHeader],
    ["X-Forwarded-For with a port", "globex.example", forwarded("203.0.113.43:41000"), () => byHeader],
    ["PROXY, the same port for both", "acme.example", proxied("203.0.113.44"), () => byLine],
    ["PROXY, the same port for both", "globex.example", proxied("203.0.113.45"), () => byLine],
  ])("by %s: calls to bob come to bob alone while he is there (mallory of %s)", async (_, domain, options, at) => {
    const bob = await registered("bob", "acme.example", options, at());
    const mallory = await registered("mallory", domain, options, at());
    expect(await portAtKamailio(mallory)).not.toBe(await portAtKamailio(bob));
    const alice = await scene.user("alice");
    const twin = alice.prove("MESSAGE", `sip:${bob.address}`);
    const got = await bob.client.take((text) => text.startsWith("MESSAGE "));
    bob.client.send(reply(got, { status: "200 OK" }));
    expect(status(await twin)).toBe(200);
    expect(messages(mallory)).toEqual([]);
    bob.client.close();
    mallory.client.close();
  });

  it("belongs to a parked leg as long as that is parked: nobody gets its calls in its place", async () => {
    const bob = await registered("bob", "acme.example", proxied("203.0.113.46"), parking);
    const port = await portAtKamailio(bob);
    expect(port).toBe(41_000);
    bob.client.reset();
    await bob.client.closed;
    const mallory = await registered("mallory", "globex.example", proxied("203.0.113.46"), parking);
    expect(await portAtKamailio(mallory)).not.toBe(port);
    const alice = await scene.user("alice");
    const callId = `parked-${unique()}`;
    expect(status(await alice.prove("MESSAGE", `sip:${bob.address}`, { callId }))).toBe(480);
    const sent = await scene.kamailio.waitFor((seen) => seen.way === "out" && seen.header("Call-ID") === callId);
    expect(sent.port).toBe(port);
    expect(messages(mallory)).toEqual([]);
    mallory.client.close();
  });

  it.each(["acme.example", "globex.example"])(
    "has its parked leg's call to itself: a user of %s who knows all of it gets nothing, the caller ends it",
    async (domain) => {
      const bob = await registered(
        "bob",
        "acme.example",
        proxied(domain === "acme.example" ? "203.0.113.47" : "203.0.113.48"),
        parking,
      );
      const call = await establish(await scene.user("alice"), bob);
      const port = await portAtKamailio(bob);
      bob.client.reset();
      await bob.client.closed;
      const same = domain === "acme.example" ? "203.0.113.47" : "203.0.113.48";
      const mallory = await registered("mallory", domain, proxied(same), parking);
      for (const method of ["BYE", "INVITE", "INFO", "UPDATE"]) {
        const refused = await exchange(mallory, call.fromCallee(method));
        expect([status(refused), code(refused)]).toEqual([481, "dialog-unknown"]);
      }
      const copied = { contact: bob.contact, viaHost: `${bob.name}.invalid` };
      expect(status(await mallory.client.register(mallory.address, mallory.given, copied))).toBe(200);
      const seen = await scene.arrived(call.callId, mallory);
      expect(seen.flatMap(({ method }) => method ?? [])).toEqual(["INVITE", "ACK"]);
      // What the caller says goes to the parked leg, which answers that nobody is there.
      expect(status(await exchange(call.caller, call.fromCaller("INFO")))).toBe(480);
      const sent = await scene.kamailio.waitFor(
        (one) => one.way === "out" && one.method === "INFO" && one.header("Call-ID") === call.callId,
      );
      expect(sent.port).toBe(port);
      expect(mallory.client.received.filter((text) => header(text, "Call-ID") === call.callId)).toEqual([]);
      mallory.client.close();
    },
  );
});
