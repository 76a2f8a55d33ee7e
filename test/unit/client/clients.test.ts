import { createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ClientOptions, jssipClient, mint, type TestClient } from "../../helpers/clients.ts";
import { password, type Relay, startRelay } from "../../helpers/relay.ts";
import { sipjsClient } from "../../helpers/sipjs.ts";

let relay: Relay;
const clients: TestClient[] = [];

const makers = { JsSIP: jssipClient, "SIP.js": sipjsClient };

async function client(
  kind: keyof typeof makers,
  user: string,
  options: Partial<ClientOptions> = {},
): Promise<TestClient> {
  const credentials = { username: `2000000000:${user}`, password };
  const made = await makers[kind]({ url: relay.url, user, credentials, ...options });
  clients.push(made);
  return made;
}

beforeEach(async () => {
  relay = await startRelay();
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((one) => one.stop()));
  relay.stop();
});

describe("the tests' own clients", () => {
  it.each([
    ["JsSIP", "SIP.js"],
    ["SIP.js", "JsSIP"],
  ] as const)("%s calls %s, and both hear the tone over loopback alone", async (caller, callee) => {
    const [alice, bob] = await Promise.all([client(caller, "alice"), client(callee, "bob")]);
    await Promise.all([alice.registered(), bob.registered()]);
    const ringing = bob.incoming();
    const outgoing = await alice.call("sip:bob@acme.example");
    const incoming = await ringing;
    incoming.answer();
    await Promise.all([outgoing.accepted(), incoming.accepted()]);
    await Promise.all([outgoing.heard(), incoming.heard()]);
    outgoing.hangUp();
    await Promise.all([outgoing.ended(), incoming.ended()]);
    const candidates = relay.bodies.join("").match(/^a=candidate:.*$/gm) ?? [];
    expect(candidates.length).toBeGreaterThan(1);
    expect(candidates.filter((line) => !/ udp \d+ (127\.0\.0\.1|::1) /.test(line))).toEqual([]);
  });

  it.each(["JsSIP", "SIP.js"] as const)("%s tells status and code of a refusal, and shows Origin", async (kind) => {
    const options = { origin: "https://www.acme.example", credentials: { username: "1:alice", password: "wrong" } };
    const alice = await client(kind, "alice", options);
    expect(await alice.registration()).toMatchObject({ ok: false, status: 403, code: "credential-rejected" });
    await expect(alice.registered()).rejects.toThrow(/registration failed: 403 credential-rejected.*REGISTER/s);
    expect(relay.upgrades).toEqual([{ origin: "https://www.acme.example", protocol: "sip" }]);
    expect(JSON.stringify(alice.ladder)).toContain("Authorization: ***");
  });

  it.each(["JsSIP", "SIP.js"] as const)("%s tells of a refused call", async (kind) => {
    const alice = await client(kind, "alice", { register: false });
    const call = await alice.call("sip:nobody@acme.example");
    expect(await call.outcome()).toMatchObject({ ok: false, status: 404, code: "destination-denied" });
  });

  it("mint as Kamailio and coturn do", () => {
    const minted = mint({ secret: "s", user: "alice@acme.example", ttl: 60, now: 1_000 });
    const expected = createHmac("sha1", "s").update("1060:alice@acme.example").digest("base64");
    expect(minted).toEqual({ username: "1060:alice@acme.example", password: expected, ttl: 60 });
  });
});
