import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { jssipClient, type TestClient } from "../helpers/clients.ts";
import { acmeSecret, chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { header, headers } from "../helpers/raw-sip.ts";
import { sipjsClient } from "../helpers/sipjs.ts";
import { startTrunk, type Trunk } from "../helpers/trunk.ts";

let kamailio: Kamailio;
let gateway: TestGateway;
let trunk: Trunk;
const clients: TestClient[] = [];

const acme = `\
    callFrom: ["voxrtc@voxbone.example"]
    passHeaders: [X-Voxbone-Context]
`;

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
  trunk = await startTrunk({ host: "127.0.0.31", scenario: "answer" });
  gateway = await startGateway({ upstreamUrls: [kamailio.wsUrl], trunk: trunk.uri, acme });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.stop()));
});

afterAll(async () => {
  await gateway?.close();
  await trunk?.stop();
  await kamailio?.stop();
});

type Make = typeof jssipClient | typeof sipjsClient;
let visitors = 0;

async function visitor(make: Make, options: { register?: boolean; uri?: string } = {}) {
  const user = `visitor${visitors++}`;
  const client = await make({ url: gateway.gatewayUrl, user, secret: acmeSecret, ...options });
  clients.push(client);
  if (options.register !== false) await client.registered();
  return { user, client };
}

describe("a call between two users", () => {
  const pairs: [string, Make, Make][] = [
    ["JsSIP calls JsSIP", jssipClient, jssipClient],
    ["JsSIP calls SIP.js", jssipClient, sipjsClient],
    ["SIP.js calls JsSIP", sipjsClient, jssipClient],
  ];
  it.each(pairs)("%s, both hear each other, the caller hangs up", async (_, one, other) => {
    const alice = await visitor(one);
    const bob = await visitor(other);
    const outgoing = await alice.client.call(`sip:${bob.user}@acme.example`);
    const incoming = await bob.client.incoming();
    incoming.answer();
    await outgoing.accepted();
    await Promise.all([outgoing.heard(), incoming.heard()]);
    outgoing.hangUp();
    await Promise.all([outgoing.ended(), incoming.ended()]);
    const bye = await kamailio.waitFor((seen) => seen.method === "BYE" && seen.raw.includes(`sip:${alice.user}@`));
    expect(bye.headers("X-Postern-Grant")).toHaveLength(1);
  });

  it("the callee hangs up", async () => {
    const alice = await visitor(jssipClient);
    const bob = await visitor(jssipClient);
    const outgoing = await alice.client.call(`sip:${bob.user}@acme.example`);
    const incoming = await bob.client.incoming();
    incoming.answer();
    await outgoing.heard(1);
    incoming.hangUp();
    await Promise.all([outgoing.ended(), incoming.ended()]);
  });

  it("the caller gives up before an answer", async () => {
    const alice = await visitor(jssipClient);
    const bob = await visitor(jssipClient);
    const outgoing = await alice.client.call(`sip:${bob.user}@acme.example`);
    const incoming = await bob.client.incoming();
    outgoing.hangUp();
    await incoming.ended();
    expect((await outgoing.outcome()).ok).toBe(false);
  });

  it("the callee declines", async () => {
    const alice = await visitor(jssipClient);
    const bob = await visitor(jssipClient);
    const outgoing = await alice.client.call(`sip:${bob.user}@acme.example`);
    (await bob.client.incoming()).hangUp();
    const outcome = await outgoing.outcome();
    expect(outcome.ok).toBe(false);
    expect(outcome.status).toBeGreaterThanOrEqual(480);
  });

  const revocations: [string, Make, Make, "caller" | "callee"][] = [
    ["JsSIP calls", jssipClient, jssipClient, "caller"],
    ["JsSIP is called", jssipClient, jssipClient, "callee"],
    ["SIP.js calls", sipjsClient, jssipClient, "caller"],
  ];
  it.each(revocations)(
    "%s and is revoked: it takes the gateway's BYE for the other's",
    async (_, one, other, revoked) => {
      // SIP.js waits for its un-REGISTER though its socket is closed.
      const alice = await visitor(one, { register: one !== sipjsClient });
      const bob = await visitor(other);
      const outgoing = await alice.client.call(`sip:${bob.user}@acme.example`);
      const incoming = await bob.client.incoming();
      incoming.answer();
      await Promise.all([outgoing.heard(), incoming.heard()]);
      const taken = revoked === "caller" ? alice : bob;
      const until = Math.floor(Date.now() / 1000) + 600;
      gateway.change({ acme: `${acme}    revoked: [{ user: ${taken.user}, until: ${until} }]` });
      await Promise.all([outgoing.ended(), incoming.ended()]);
      const bye = taken.client.ladder.find(({ message }) => message.startsWith("BYE "));
      expect(header(bye?.message ?? "", "Postern-Code")).toBe("credential-revoked");
      gateway.change({ acme });
    },
  );

  it("nobody is there: the caller hears so from Kamailio", async () => {
    const alice = await visitor(jssipClient);
    const outcome = await (await alice.client.call("sip:nobody@acme.example")).outcome();
    expect([404, 480]).toContain(outcome.status);
  });
});

describe("a call to the customer's trunk", () => {
  it("arrives with the caller id in From and P-Asserted-Identity and nothing of ours", async () => {
    const alice = await visitor(jssipClient);
    const call = await alice.client.call("sip:+3225887123@acme.example");
    await call.accepted();
    const invite = await trunk.waitFor((message) => message.startsWith("INVITE sip:+3225887123@"));
    expect(header(invite, "From")).toContain("sip:+3225887000@");
    expect(headers(invite, "P-Asserted-Identity")).toHaveLength(1);
    expect(header(invite, "P-Asserted-Identity")).toContain("sip:+3225887000@");
    expect(invite).not.toMatch(/postern|authorization/i);
    call.hangUp();
    await trunk.waitFor(
      (message) => message.startsWith("BYE ") && header(message, "Call-ID") === header(invite, "Call-ID"),
    );
  });

  it("comes from a page that never registers, calls from another address and carries context", async () => {
    const page = await visitor(jssipClient, { register: false, uri: "sip:voxrtc@voxbone.example" });
    const context = ["X-Voxbone-Context: shop=7", "X-Voxbone-Pop: BE"];
    const call = await page.client.call("sip:3225887124@voxout.postern.example", context);
    await call.accepted();
    const invite = await trunk.waitFor((message) => message.startsWith("INVITE sip:3225887124@"));
    expect(header(invite, "X-Voxbone-Context")).toBe("shop=7");
    expect(header(invite, "X-Voxbone-Pop")).toBeUndefined();
    call.hangUp();
    await call.ended();
  });

  it("is refused where the number is nobody's, with a code and a sentence, and never reaches the trunk", async () => {
    const alice = await visitor(jssipClient);
    const outcome = await (await alice.client.call("sip:+19005550123@acme.example")).outcome();
    expect(outcome).toMatchObject({ ok: false, status: 403, code: "destination-denied" });
    expect(kamailio.saw().some((seen) => seen.raw.includes("19005550123"))).toBe(false);
  });
});
