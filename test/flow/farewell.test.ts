import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jssipClient } from "../helpers/clients.ts";
import { acmeSecret, chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { header, reply } from "../helpers/raw-sip.ts";
import { startTrunk, type Trunk } from "../helpers/trunk.ts";

let kamailio: Kamailio;
let gateway: TestGateway;
let trunk: Trunk;

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
  trunk = await startTrunk({ host: "127.0.0.32", scenario: "answer" });
  gateway = await startGateway({ upstreamUrls: [kamailio.wsUrl], trunk: trunk.uri });
});

afterAll(async () => {
  await gateway?.close();
  await trunk?.stop();
  await kamailio?.stop();
});

const registered = async (user: string): Promise<RawClient> => {
  const client = await RawClient.connect(gateway.gatewayUrl);
  const answered = await client.register(`${user}@acme.example`, credential(`${user}@acme.example`));
  expect(status(answered), answered).toBe(200);
  return client;
};

const invite = (from: string, to: string, callId: string) => ({
  method: "INVITE",
  uri: `sip:${to}@acme.example`,
  from: `${from}@acme.example`,
  to: `${to}@acme.example`,
  fromTag: "a",
  callId,
  cseq: 1,
});

describe("a browser that vanishes", () => {
  it("in a call: the trunk gets BYE", async () => {
    const alice = await jssipClient({ url: gateway.gatewayUrl, user: "alice", secret: acmeSecret });
    await alice.registered();
    const call = await alice.call("sip:+3225887001@acme.example");
    await call.accepted();
    const asked = await trunk.waitFor((message) => message.startsWith("INVITE sip:+3225887001@"));
    await trunk.waitFor(
      (message) => message.startsWith("ACK ") && header(message, "Call-ID") === header(asked, "Call-ID"),
    );
    // What a crashed browser does: its socket ends, and nothing is said before.
    const sockets = await gateway.metric("postern_connections");
    expect(sockets).toBeGreaterThan(0);
    alice.agent.abandon();
    await trunk.waitFor(
      (message) => message.startsWith("BYE ") && header(message, "Call-ID") === header(asked, "Call-ID"),
    );
    await alice.stop();
  });

  it("while it calls: the other side stops ringing", async () => {
    const [alice, bob] = [await registered("alice1"), await registered("bob1")];
    void alice.prove(invite("alice1", "bob1", `c-${unique()}`), credential("alice1@acme.example")).catch(() => {});
    const ringing = await bob.take((message) => message.startsWith("INVITE "));
    bob.send(reply(ringing, { status: "180 Ringing", tag: "b" }));
    alice.socket.terminate();
    await bob.take((message) => message.startsWith("CANCEL "));
    bob.close();
  });

  it("while it calls, and the answer crosses its leaving: the call is ended", async () => {
    const [alice, bob] = [await registered("alice5"), await registered("bob5")];
    void alice.prove(invite("alice5", "bob5", `c-${unique()}`), credential("alice5@acme.example")).catch(() => {});
    const ringing = await bob.take((message) => message.startsWith("INVITE "));
    bob.send(reply(ringing, { status: "180 Ringing", tag: "b" }));
    alice.socket.terminate();
    await bob.take((message) => message.startsWith("CANCEL "));
    bob.send(reply(ringing, { status: "200 OK", tag: "b", contact: "<sip:bob5@bob5.invalid;transport=ws>" }));
    await bob.take((message) => message.startsWith("ACK "));
    await bob.take((message) => message.startsWith("BYE "));
    bob.close();
  });

  it("while it rings: the caller hears so at once", async () => {
    const [alice, bob] = [await registered("alice2"), await registered("bob2")];
    const outcome = alice.prove(invite("alice2", "bob2", `c-${unique()}`), credential("alice2@acme.example"));
    const ringing = await bob.take((message) => message.startsWith("INVITE "));
    bob.send(reply(ringing, { status: "180 Ringing", tag: "b" }));
    bob.socket.terminate();
    expect(status(await outcome)).toBe(480);
    alice.close();
  });

  it("leaves no binding: a call to it finds nobody", async () => {
    const [alice, bob] = [await registered("alice3"), await registered("bob3")];
    bob.socket.terminate();
    await kamailio.waitFor(
      (seen) => seen.method === "REGISTER" && seen.raw.includes("bob3") && seen.raw.includes("expires=0"),
    );
    const answered = await alice.prove(invite("alice3", "bob3", `c-${unique()}`), credential("alice3@acme.example"));
    expect([404, 480]).toContain(status(answered));
    expect(
      kamailio.saw().filter((seen) => seen.way === "out" && seen.requestUri?.startsWith("sip:bob3@bob3.invalid")),
    ).toEqual([]);
    alice.close();
  });

  it("frees the address that it announced", async () => {
    const bob = await registered("bob4");
    const before = await gateway.metric("postern_legs");
    bob.socket.terminate();
    await expect.poll(() => gateway.metric("postern_legs")).toBe(before - 1);
  });
});
