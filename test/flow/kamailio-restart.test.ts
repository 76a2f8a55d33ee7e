import { afterEach, describe, expect, it } from "vitest";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { type Call, callOf, chainSecret, Legs, withinCall } from "../helpers/legs.ts";
import { header, isReply, reply } from "../helpers/raw-sip.ts";

let kamailio: Kamailio;
const legs = new Legs(() => kamailio);
afterEach(async () => {
  await legs.close();
  await kamailio.stop();
});

/** As after a power cut: nothing was written on the way out. */
async function killAndRestart(): Promise<void> {
  const { dir, wsPort, udp } = kamailio;
  await kamailio.kill();
  kamailio = await startKamailio({ chainSecret, dir, wsPort, udpPort: udp.port });
}

describe("Kamailio after kill -9", () => {
  it("finds a registered user on a new connection that announces the old address", async () => {
    kamailio = await startKamailio({ chainSecret });
    const bob = await legs.registered("bob", 46_001);
    await killAndRestart();
    await bob.close();
    const again = await legs.open("bob", 46_001);
    const alice = await legs.open("alice", 46_002);
    alice.send(callOf("alice", "bob").invite);
    await again.waitFor((message) => message.startsWith("INVITE sip:bob@bob.invalid"));
  });

  it("goes on with a call to the trunk, as the same caller", async () => {
    kamailio = await startKamailio({ chainSecret });
    const trunk = await legs.trunk("answer");
    const { call, ok } = await answered(trunk.uri);
    await trunk.waitFor((message) => message.startsWith("ACK "));
    await killAndRestart();
    const again = await legs.open("alice", 46_003);
    again.send(withinCall(call, ok, "BYE"));
    await again.waitFor((message) => isReply(message, 200, "BYE"));
    const bye = await trunk.waitFor((message) => message.startsWith("BYE "));
    expect(header(bye, "From")).toBe("<sip:+3225887000@127.0.0.9>;tag=caller");
    expect(bye).not.toContain("alice@acme.example");
  });

  it("lets the trunk end its call", async () => {
    kamailio = await startKamailio({ chainSecret });
    const trunk = await legs.trunk("answer-and-hangup", { hold: 2_000 });
    await answered(trunk.uri);
    await trunk.waitFor((message) => message.startsWith("ACK "));
    await killAndRestart();
    const again = await legs.open("alice", 46_003);
    const bye = await again.waitFor((message) => message.startsWith("BYE "));
    expect(header(bye, "To")).toBe("<sip:alice@acme.example>;tag=caller");
    again.send(reply(bye, { status: "200 OK" }));
    await trunk.waitFor((message) => isReply(message, 200, "BYE"));
  });
});

async function answered(trunk: string): Promise<{ readonly call: Call; readonly ok: string }> {
  const alice = await legs.open("alice", 46_003);
  const call = callOf("alice", "+1900", { trunk, caller: "+3225887000" });
  alice.send(call.invite);
  const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
  alice.send(withinCall(call, ok, "ACK"));
  return { call, ok };
}
