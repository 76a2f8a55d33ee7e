import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { acmeSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { freshToken, managementToken } from "../helpers/management.ts";

/** Each test asks from networks of its own, as a proxy that is believed names them. */
const limit = 3;
const jwtSecret = "the-jwt-secret-of-acme-0123456789abcdef";
const apiSecret = "the-api-secret-of-acme-in-tests";
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGateway({
    upstreamUrls: ["ws://127.0.0.1:1"],
    gateway: `  trustedProxies: ["127.0.0.1/32"]\n  limits: { failuresPerMinute: ${limit} }`,
    acme: `\
    keys: [{ id: j1, alg: HS256, secret: ${jwtSecret} }]
    apiKeys: [{ id: "46000000", secret: ${apiSecret} }]`,
    more: 'exchange: { secret: "the-exchange-secret-of-the-tests" }',
  });
});
afterAll(() => gateway?.close());

const now = (): number => Math.floor(Date.now() / 1000);
const url = (path: string): string => gateway.gatewayUrl.replace(/^ws/, "http") + path;
const from = (address: string | undefined) => (address === undefined ? {} : { "x-forwarded-for": address });

const jwt = (claims: object, secret = "a-wrong-secret-0123456789abcdefghij"): string =>
  managementToken({ exp: now() + 60, ...claims }, secret);

async function token(address: string, claims: object, secret?: string): Promise<number> {
  const headers = { authorization: `Bearer ${jwt(claims, secret)}`, ...from(address) };
  return (await fetch(url("/v1/exchange"), { method: "POST", headers })).status;
}

async function password(address: string, user: string, secret = "a-wrong-secret"): Promise<number> {
  const username = `${now() + 60}:${user}`;
  const body = JSON.stringify({ username, password: createHmac("sha1", secret).update(username).digest("base64") });
  const headers = { "content-type": "application/json", ...from(address) };
  return (await fetch(url("/v1/exchange"), { method: "POST", headers, body })).status;
}

async function account(address: string | undefined, name: string): Promise<number> {
  const query = new URLSearchParams({ username: name, key: "x", expires: String(now() + 60) });
  return (await fetch(url(`/rest/authentication/createToken?${query}`), { headers: from(address) })).status;
}

/** One status after the other. */
async function each(asks: readonly (() => Promise<number>)[]): Promise<number[]> {
  const statuses: number[] = [];
  for (const ask of asks) statuses.push(await ask());
  return statuses;
}

const many = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));

describe("who guesses over HTTP", () => {
  const alice = { sub: "alice@acme.example" };

  it("does not get round the limit by claims that name nobody", async () => {
    const wrong = (at: number) => () => token("198.51.100.1", { ...alice, iss: `x${at}` });
    expect(await each(many(limit + 1, wrong))).toEqual([401, 401, 401, 429]);
    expect(await token("198.51.100.1", { ...alice, iss: "zzz" }, jwtSecret)).toBe(429);
    expect(await token("198.51.100.2", { ...alice, iss: "zzz" }, jwtSecret)).toBe(200);
  });

  it("does not get round it by domains that nobody has: ten times as many are the end", async () => {
    const wrong = (at: number) => () => password("198.51.100.3", `a@d${at}.example`);
    const statuses = await each(many(10 * limit + 2, wrong));
    expect(statuses).toEqual([...Array(10 * limit).fill(401), 429, 429]);
    expect(await password("198.51.100.3", "alice@acme.example", acmeSecret)).toBe(429);
    expect(await password("198.51.100.4", "alice@acme.example", acmeSecret)).toBe(200);
  });

  it("is one address in a /64 of IPv6", async () => {
    const wrong = (at: number) => () => password(`2001:db8:1:2::${at + 1}`, "alice@acme.example");
    expect(await each(many(limit + 1, wrong))).toEqual([401, 401, 401, 429]);
    expect(await password("2001:db8:1:3::1", "alice@acme.example", acmeSecret)).toBe(200);
  });

  it.each(["(management)", "management", "private management"])("does not keep managers out, as %s", async (name) => {
    await each(many(10 * limit + 1, () => () => account(undefined, name)));
    const headers = { authorization: `Bearer ${freshToken("46000000", apiSecret)}` };
    expect((await fetch(`${gateway.adminUrl}/v1/customers/me`, { headers })).status).toBe(200);
  });

  it.each(["(handshake)", "handshake"])("does not close handshakes of its neighbours, as %s", async (name) => {
    const address = `198.51.100.${50 + name.length}`;
    expect(await each(many(limit, () => () => account(address, name)))).toEqual([401, 401, 401]);
    const socket = new WebSocket(`${gateway.gatewayUrl}/?access_token=${jwt(alice, jwtSecret)}`, "sip", {
      headers: from(address),
    });
    const came = await new Promise<unknown>((resolve) => {
      socket.once("close", (code) => resolve(code));
      socket.once("open", () => socket.send("\r\n\r\n"));
      socket.once("message", () => resolve("keep-alive answered"));
    });
    expect(came).toBe("keep-alive answered");
    socket.terminate();
  });
});

describe("who looks at when it is limited", () => {
  /** acme and acme.example are somebody's; the others are nobody's. */
  const runs = (id: string, domain: string, at: number): (readonly (() => Promise<number>)[])[] => {
    const user = `a@${domain}`;
    const address = (run: number): string => `203.0.113.${at + run}`;
    return [
      many(limit + 1, () => () => password(address(0), user)),
      [...many(limit, () => () => password(address(1), user)), () => account(address(1), id)],
      [...many(limit, () => () => account(address(2), id)), () => token(address(2), { appID: id, sub: "a" })],
      [...many(limit, () => () => token(address(3), { sub: user })), () => token(address(3), { iss: id, sub: user })],
      [...many(limit, () => () => token(address(4), { iss: id, sub: user })), () => password(address(4), user)],
      [...many(limit, () => () => password(address(5), "a@nobody.example")), () => password(address(5), user)],
      [...many(limit, () => () => account(address(6), "nobody")), () => account(address(6), id)],
    ];
  };

  it("does not see which ids and domains are a customer's, nor which belong together", async () => {
    const told: number[][][] = [];
    for (const [id, domain, at] of [
      ["acme", "acme.example", 10],
      ["nope", "nope.example", 20],
      ["acme", "nope.example", 30],
      ["nope", "acme.example", 40],
    ] as const) {
      told.push(await Promise.all(runs(id, domain, at).map(each)));
    }
    const [theirs, ...others] = told;
    for (const other of others) expect(other).toEqual(theirs);
    expect(theirs?.[0]).toEqual([401, 401, 401, 429]);
  });
});
