import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { credential, RawClient, status, unique } from "../helpers/raw-client.ts";

let kamailio: Kamailio;
let gateway: TestGateway;
const callId = `reg-${unique()}`;

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
  gateway = await startGateway({ upstreamUrls: [kamailio.wsUrl], admin: ", hosts: [Postern.Internal.example]" });
  const client = await RawClient.connect(gateway.gatewayUrl);
  const answered = await client.register("alice@acme.example", credential("alice@acme.example"), { callId });
  expect(status(answered)).toBe(200);
});

afterAll(async () => {
  await gateway?.close();
  await kamailio?.stop();
});

const ask = (path: string, headers: Record<string, string>): Promise<number> =>
  new Promise((resolve, reject) => {
    const asked = request(gateway.adminUrl, { path, headers }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode ?? 0));
    });
    asked.once("error", reject).end();
  });

const ladder = `/v1/ladder?callId=${callId}`;

describe("the admin port, asked by a page in an operator's browser", () => {
  it.each<[string, string, Record<string, string>]>([
    ["a name of the page's own that leads here", ladder, { Host: "evil.example:8089" }],
    ["the same, for who owns a number", "/v1/inbound?source=127.0.0.1&number=1", { Host: "evil.example" }],
    ["the same, the path spelled otherwise", ladder.replace("/v1/", "/%76%31/"), { Host: "evil.example" }],
    ["the same, with the whole address in it", `http://evil.example${ladder}`, { Host: "evil.example" }],
    ...["/metrics", "/livez", "/readyz", "/openapi.json", "/nowhere"].map(
      (path): [string, string, Record<string, string>] => [
        `the same, for ${path}`,
        path,
        { Host: "evil.example:8089" },
      ],
    ),
    ["a name that only begins like ours", "/metrics", { Host: "postern.internal.example.evil.example" }],
    ["a name that only ends like ours", "/metrics", { Host: "evil.postern.internal.example" }],
    ["with its Origin", ladder, { Origin: "http://evil.example" }],
    ["with its Origin, for metrics", "/metrics", { Origin: "http://evil.example" }],
    ["with a Host that is none", ladder, { Host: "::::" }],
    ["as an image, which has no Origin", ladder, { Host: "localhost", "Sec-Fetch-Site": "cross-site" }],
    ["the same, from another port", "/v1/inbound?source=127.0.0.1&number=1", { "Sec-Fetch-Site": "same-site" }],
  ])("tells nothing: %s", async (_, path, headers) => {
    expect(await ask(path, headers)).toBe(403);
  });

  it("twin: another spelling of the path leads to the same", async () => {
    expect(await ask(ladder.replace("/v1/", "/%76%31/"), { Host: "localhost" })).toBe(200);
    expect(await ask(`http://localhost${ladder}`, { Host: "localhost" })).toBe(200);
  });

  it("twin: an address that was typed in leads there", async () => {
    expect(await ask(ladder, { Host: "localhost", "Sec-Fetch-Site": "none" })).toBe(200);
    expect(await ask("/metrics", { Host: "localhost", "Sec-Fetch-Site": "cross-site" })).toBe(200);
  });

  it.each([
    "127.0.0.1:8089",
    "localhost",
    "[::1]:8089",
    "gateway-upstream:8089",
    "postern.internal.example:8089",
    "POSTERN.internal.example",
  ])("twin: asked as %s it tells", async (Host) => {
    for (const path of [ladder, "/metrics", "/livez"]) expect(await ask(path, { Host })).toBe(200);
  });
});
