import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { code, credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { header } from "../helpers/raw-sip.ts";

let kamailio: Kamailio;
let gateway: TestGateway;

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
  gateway = await startGateway({ upstreamUrls: [kamailio.wsUrl] });
});

afterAll(async () => {
  await gateway?.close();
  await kamailio?.stop();
});

describe("a credential becomes a grant", () => {
  it("registers, with one grant, one token and nothing of the credential at Kamailio", async () => {
    const client = await RawClient.connect(gateway.gatewayUrl);
    const callId = `reg-${unique()}`;
    const answered = await client.register("alice@acme.example", credential("alice@acme.example"), { callId });
    expect(status(answered), answered).toBe(200);
    const seen = await kamailio.waitFor((one) => one.method === "REGISTER" && one.header("Call-ID") === callId);
    expect(seen.headers("X-Postern-Grant")).toHaveLength(1);
    expect(seen.headers("X-Postern-Token")).toHaveLength(1);
    expect(seen.raw).not.toMatch(/authorization/i);
    expect(seen.raw.split("\r\n")[1]).toMatch(
      /^X-Postern-Grant: \d+:alice@acme\.example\|trunk=\|trunk2=\|caller=\|max=14400\|customer=acme$/,
    );
    client.close();
  });

  it("refuses a wrong password, and Kamailio sees nothing", async () => {
    const client = await RawClient.connect(gateway.gatewayUrl);
    const callId = `reg-${unique()}`;
    const wrong = { ...credential("alice@acme.example"), password: "bm90IHRoaXM=" };
    const answered = await client.register("alice@acme.example", wrong, { callId });
    expect([status(answered), code(answered)]).toEqual([403, "credential-rejected"]);
    expect(header(answered, "Warning")).toMatch(/^399 postern "/);
    expect(kamailio.saw().filter((one) => one.header("Call-ID") === callId)).toEqual([]);
    client.close();
  });
});
