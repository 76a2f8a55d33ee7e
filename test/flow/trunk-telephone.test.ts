import { afterAll, beforeAll, expect, it } from "vitest";
import { share } from "../../src/client/tone.ts";
import { startTelephone, type Telephone } from "../helpers/baresip.ts";
import { jssipClient } from "../helpers/clients.ts";
import { acmeSecret, chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { freePort } from "../helpers/ports.ts";
import { startRtpengine } from "../helpers/rtpengine.ts";

/** A page's client, Postern, Kamailio with rtpengine, and a telephone that is none of ours. */
let telephone: Telephone;
let rtpengine: Awaited<ReturnType<typeof startRtpengine>>;
let kamailio: Kamailio;
let gateway: TestGateway;

beforeAll(async () => {
  const wsPort = await freePort();
  telephone = await startTelephone({ number: "025887001", plays: 1000 });
  gateway = await startGateway({
    upstreamUrls: [`ws://127.0.0.1:${wsPort}`],
    trunk: telephone.uri,
    acme: '    trunkFormat: { "+32": "0", "+": "00" }\n',
  });
  rtpengine = await startRtpengine();
  const defines = { RTPENGINE: rtpengine.url, TRUNK_PING_SECONDS: 1 };
  kamailio = await startKamailio({ chainSecret, wsPort, defines });
});
afterAll(async () => {
  await gateway?.close();
  await telephone?.stop();
  await kamailio?.stop();
  await rtpengine?.stop();
});

it("a telephone behind the trunk is called by its national number; both hear each other; it answers OPTIONS, and hangs up with the page", async () => {
  const client = await jssipClient({ url: gateway.gatewayUrl, user: "alice", secret: acmeSecret, hears: 1000 });
  await client.registered();
  const call = await client.call("sip:+3225887001@acme.example");
  await call.accepted();
  await call.heard(30);
  const hears = (): number => share(telephone.heard().slice(-4_000), 8_000, 440);
  await expect.poll(hears, { timeout: 15_000 }).toBeGreaterThan(0.8);
  expect(share(telephone.heard().slice(-4_000), 8_000, 1000)).toBeLessThan(0.05);
  expect(telephone.said()).toMatch(/^INVITE sip:025887001@127\.0\.0\.1:/m);
  await expect.poll(() => telephone.said(), { timeout: 15_000 }).toMatch(/^OPTIONS sip:127\.0\.0\.1:/m);
  call.hangUp();
  await call.ended();
  await expect.poll(() => telephone.said()).toMatch(/^BYE sip:/m);
  expect(telephone.said()).not.toMatch(/^x-postern/im);
  await client.stop();
});
