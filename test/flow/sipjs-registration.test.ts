import { afterAll, beforeAll, expect, it } from "vitest";
import { acmeSecret, chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { sipjsClient } from "../helpers/sipjs.ts";

let kamailio: Kamailio;
let gateway: TestGateway;
let ahead = 0;

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
  gateway = await startGateway({ upstreamUrls: [kamailio.wsUrl], clock: { now: () => Date.now() + ahead } });
});

afterAll(async () => {
  await gateway?.close();
  await kamailio?.stop();
});

it("SIP.js, which sends its last digest answer again with every refresh, stays registered", async () => {
  const client = await sipjsClient({ url: gateway.gatewayUrl, user: "sue", secret: acmeSecret, expires: 3 });
  await client.registered();
  ahead = 11_000; // beyond a nonce's life, as a refresh of minutes later is
  const answers = () =>
    client.ladder
      .filter(({ to, message }) => to === "sue" && /^CSeq: \d+ REGISTER/m.test(message))
      .map(({ message }) => message);
  await expect
    .poll(() => answers().filter((one) => one.startsWith("SIP/2.0 200 ")).length, { timeout: 10_000 })
    .toBe(2);
  expect(answers().some((one) => one.includes("stale=true"))).toBe(true);
  expect(answers().filter((one) => one.startsWith("SIP/2.0 403 "))).toEqual([]);
  await client.stop();
}, 20_000);
