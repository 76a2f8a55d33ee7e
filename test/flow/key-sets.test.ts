import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../helpers/gateway.ts";
import { signer, signToken } from "../helpers/tokens.ts";

const key = signer("ES256", "e1");
const set = JSON.stringify({ keys: [key.jwk] });
/** Milliseconds by which the gateways' clock is ahead: a set is asked for again after some time only. */
let ahead = 0;
const clock = { now: () => Date.now() + ahead };
const servers: Server[] = [];
const gateways: TestGateway[] = [];

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A gateway whose customer keeps its keys there. */
async function gatewayFor(jwksUri: string, networks = '["127.0.0.0/8"]'): Promise<TestGateway> {
  const gateway = await startGateway({
    upstreamUrls: ["ws://127.0.0.1:9"],
    clock,
    acme: `    keys: [{ id: j1, alg: ES256, jwksUri: "${jwksUri}", issuer: "https://idp.example", audience: postern }]`,
    more: `exchange: { secret: the-exchange-secret-of-the-tests, callbackNetworks: ${networks} }`,
  });
  gateways.push(gateway);
  return gateway;
}

const exchange = async (gateway: TestGateway): Promise<[number, unknown]> => {
  const exp = Math.floor(clock.now() / 1000) + 200;
  const claims = { sub: "alice@acme.example", iss: "https://idp.example", aud: "postern", exp };
  const token = await signToken({ alg: "ES256", kid: "e1" }, claims, key.private);
  const url = `${gateway.gatewayUrl.replace("ws", "http")}/v1/exchange`;
  const answer = await fetch(url, { method: "POST", headers: { authorization: `Bearer ${token}` } });
  return [answer.status, ((await answer.json()) as { code?: string }).code];
};

/** Why the set could not be used, once it is logged. */
async function reasonIn(gateway: TestGateway): Promise<unknown> {
  for (const until = Date.now() + 8_000; Date.now() < until; ) {
    const line = gateway.log().find(({ msg }) => msg === "a key set cannot be used");
    if (line) return line.reason;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("nothing is logged of the set");
}

afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.close()));
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

describe("a customer's key set at a URL", () => {
  it("proves its tokens where it is in callbackNetworks", async () => {
    const at = await serve((_, response) => response.end(set));
    expect(await exchange(await gatewayFor(`http://${at}/keys`))).toEqual([200, undefined]);
    expect(await exchange(await gatewayFor(`http://localhost:${at.split(":")[1]}/keys`))).toEqual([200, undefined]);
  });

  it("is not asked for where its name leads into no network of them", async () => {
    let asked = 0;
    const at = await serve((_, response) => {
      asked++;
      response.end(set);
    });
    const port = at.split(":")[1];
    for (const uri of [`http://localhost:${port}/keys`, `https://localhost:${port}/keys`]) {
      const gateway = await gatewayFor(uri, '["10.0.0.0/8"]');
      expect(await exchange(gateway)).toEqual([401, "credential-rejected"]);
      expect(await reasonIn(gateway)).toMatch(/public|network/);
    }
    expect(asked).toBe(0);
  });

  it.each<[string, RequestListener, RegExp]>([
    ["hangs", () => {}, /time|late|within/],
    [
      "leads elsewhere",
      (_, response) => response.writeHead(302, { location: "http://127.0.0.2/keys" }).end(),
      /redirect/,
    ],
    ["is 10 MB", (_, response) => response.end(`{"keys":[${" ".repeat(10_000_000)}]}`), /long|big|bytes/],
    ["is no JSON", (_, response) => response.end("<html>"), /not JSON/],
    ["fails", (_, response) => response.writeHead(500).end(set), /status 500/],
  ])("that %s proves nothing, and the log says why", async (_, listener, reason) => {
    const gateway = await gatewayFor(`http://${await serve(listener)}/keys`);
    expect(await exchange(gateway)).toEqual([401, "credential-rejected"]);
    expect(await reasonIn(gateway)).toMatch(reason);
  });

  it("that turns bad later goes on as it was", async () => {
    let good = true;
    const at = await serve((_, response) => response.end(good ? set : "{}"));
    const gateway = await gatewayFor(`http://${at}/keys`);
    expect(await exchange(gateway)).toEqual([200, undefined]);
    good = false;
    ahead = 301_000;
    gateway.change({});
    expect(await reasonIn(gateway)).toMatch(/not a JWK set/);
    expect(await exchange(gateway)).toEqual([200, undefined]);
  });
});
