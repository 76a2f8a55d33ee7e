import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { jssipClient, type TestClient } from "../helpers/clients.ts";
import { acmeSecret, chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { startRtpengine } from "../helpers/rtpengine.ts";
import { type SoundingTrunk, startSoundingTrunk } from "../helpers/sounding-trunk.ts";

let rtpengine: Awaited<ReturnType<typeof startRtpengine>>;
let kamailio: Kamailio;
let gateway: TestGateway;
let trunk: SoundingTrunk;
const clients: TestClient[] = [];

beforeAll(async () => {
  rtpengine = await startRtpengine();
  kamailio = await startKamailio({ chainSecret, defines: { RTPENGINE: rtpengine.url } });
  trunk = await startSoundingTrunk({ host: "127.0.0.41", plays: 1000, listensFor: [440, 1000] });
  gateway = await startGateway({ upstreamUrls: [kamailio.wsUrl], trunk: trunk.uri });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.stop()));
});

afterAll(async () => {
  await gateway?.close();
  trunk?.stop();
  await kamailio?.stop();
  await rtpengine?.stop();
});

async function visitor(user: string) {
  const client = await jssipClient({ url: gateway.gatewayUrl, user, secret: acmeSecret, hears: 1000 });
  clients.push(client);
  await client.registered();
  return client;
}

describe("a call to a trunk", () => {
  it("each hears the other, and nobody himself", async () => {
    const alice = await visitor("alice");
    const call = await alice.call("sip:+3225887123@acme.example");
    await call.heard();
    const ear = trunk.ears.at(-1)!;
    await ear.hears(440);
    expect(ear.heard(1000)).toBe(0);
    expect(call.audio().received - call.audio().tone).toBeLessThan(5);
    call.hangUp();
    await call.ended();
  });
});
