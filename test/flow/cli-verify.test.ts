import { createHmac } from "node:crypto";
import { SignJWT } from "jose";
import { afterAll, describe, expect, it } from "vitest";
import { mintAccessToken } from "../../src/auth/access-token.ts";
import { issue, issueDirect } from "../../src/auth/issued.ts";
import { OwnKeys } from "../../src/auth/own-keys.ts";
import type { Identity } from "../../src/core/identity.ts";
import { postern } from "../helpers/cli.ts";
import { ConfigFolder, least } from "../helpers/config-file.ts";

const secrets = {
  k1: "a-secret-of-acme-16",
  j1: "a-jwt-secret-of-acme-of-32-bytes-",
  a1: "an-api-secret-of-acme",
  root: "an-operators-secret",
  exchange: "an-exchange-secret-16",
};

const folder = new ConfigFolder();
afterAll(() => folder.remove());
const file = folder.write(
  "all-kinds.yaml",
  `${least}exchange: { secret: ${secrets.exchange} }
gateway: { publicUrl: "wss://sip.acme.example" }
admin: { operators: [{ id: root, secret: ${secrets.root} }] }
customers:
  - id: acme
    domains: [acme.example]
    secrets: [{ id: k1, secret: ${secrets.k1} }]
    keys: [{ id: j1, alg: HS256, secret: ${secrets.j1} }]
    apiKeys: [{ id: a1, secret: ${secrets.a1} }]
`,
);
const config = folder.config(`${least}exchange: { secret: ${secrets.exchange} }
customers: [{ id: acme, domains: [acme.example], secrets: [{ id: k1, secret: ${secrets.k1} }] }]
`);
const keys = new OwnKeys({ chain: config.chain.secrets, exchange: secrets.exchange });

const now = (): number => Math.floor(Date.now() / 1000);
const alice = (narrowing: Identity["narrowing"] = {}): Identity => ({
  customer: config.customers[0]!,
  user: "alice",
  domain: "acme.example",
  provedBy: config.customers[0]!.secrets[0]!,
  expiry: now() + 300,
  narrowing,
  names: [],
});

const sign = (claims: Record<string, unknown>, secret: string): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(new TextEncoder().encode(secret));

async function verify(args: readonly string[], shown: string) {
  const { exit, stdout, stderr } = await postern(["verify", "-c", file, ...args], { stdin: `${shown}\n` });
  return { exit, verdict: JSON.parse(stdout), stderr };
}

const token = (text: string) => verify(["--token", "-"], text);
const password = (username: string, text: string) => verify(["--username", username, "--password", "-"], text);

describe("postern verify explains every kind", () => {
  it("a customer's JWT, and what it narrows", async () => {
    const claims = { iss: "acme", sub: "alice", exp: now() + 300, methods: ["INVITE"], oneCall: true };
    const { exit, verdict } = await token(await sign(claims, secrets.j1));
    expect(verdict).toMatchObject({ accepted: true, customer: "acme", secret: "j1", user: "alice@acme.example" });
    expect(verdict.sentence).toMatch(/^the token is good for \d+ s, for methods INVITE, one call only$/);
    expect(Object.keys(verdict)).toEqual(["accepted", "code", "customer", "secret", "user", "secondsLeft", "sentence"]);
    expect(exit).toBe(0);
  });

  it("a JWT that has ended, whose it was; one of a wrong key, nothing", async () => {
    const claims = { iss: "acme", sub: "alice", exp: now() - 20 };
    const ended = await token(await sign(claims, secrets.j1));
    expect([ended.exit, ended.verdict.code, ended.verdict.customer]).toEqual([1, "credential-expired", "acme"]);
    expect(ended.verdict.secondsLeft).toBeLessThanOrEqual(-20);
    const wrong = await token(await sign({ ...claims, exp: now() + 20 }, secrets.a1));
    expect(wrong.verdict).toMatchObject({ code: "credential-rejected", customer: null, secondsLeft: null });
  });

  it("an access token, with the word Bearer before it too", async () => {
    const issuer = "wss://sip.acme.example";
    const made = mintAccessToken({ identity: alice(), keys, issuer, ttl: 3600, now: now() });
    const { exit, verdict } = await token(`Bearer ${made}`);
    expect([exit, verdict.secret, verdict.user]).toEqual([0, "k1", "alice@acme.example"]);
    expect(verdict.sentence).toMatch(/^the access token is good for/);
    expect((await token(`${made.slice(0, -3)}AAA`)).verdict.code).toBe("credential-rejected");
  });

  it("a management token of a customer and of an operator", async () => {
    const life = { iat: now(), exp: now() + 180 };
    const project = await token(await sign({ iss: "a1", ist: "project", ...life }, secrets.a1));
    expect(project.verdict).toMatchObject({ accepted: true, customer: "acme", secret: "a1", user: null });
    expect(project.verdict.sentence).toMatch(/of the customer is good for one request/);
    const account = await token(await sign({ iss: "root", ist: "account", ...life }, secrets.root));
    expect(account.verdict).toMatchObject({ accepted: true, customer: null, secret: "root" });
    const mixed = await token(await sign({ iss: "a1", ist: "account", ...life }, secrets.a1));
    expect([mixed.exit, mixed.verdict.code, mixed.verdict.customer]).toEqual([1, "credential-rejected", null]);
  });

  it("an exchanged credential", async () => {
    const exchange = { secret: secrets.exchange, algorithm: "sha1" as const };
    const made = issue({ identity: alice({ maxSeconds: 60 }), exchange, keys, ttl: 200, now: now() });
    const { exit, verdict } = await password(made.username, made.password);
    expect([exit, verdict.secret, verdict.user]).toEqual([0, "k1", "alice@acme.example"]);
    expect(verdict.sentence).toMatch(/^the exchanged credential is good for \d+ s, for calls of 60 s only$/);
    expect((await password(made.username, `${made.password.slice(1)}A`)).verdict.code).toBe("credential-rejected");
  });

  it("Voxbone's form for a customer's id", async () => {
    const username = `${now() + 300}:acme`;
    const key = createHmac("sha1", secrets.k1).update(username).digest("base64");
    const { exit, verdict } = await password(username, key);
    expect([exit, verdict.user]).toEqual([0, "acme@acme.example"]);
    const unknown = `${now() + 300}:globex`;
    expect((await password(unknown, key)).verdict.code).toBe("credential-malformed");
  });

  it("a JWT with a claim of another kind's name is still a JWT", async () => {
    const { verdict } = await token(await sign({ iss: "acme", sub: "alice", exp: now() + 60, ist: "x" }, secrets.j1));
    expect(verdict).toMatchObject({ accepted: true, secret: "j1" });
  });

  it("a credential for a Kamailio that is reached directly, which the gateway takes not", async () => {
    const exchange = { secret: secrets.exchange, algorithm: "sha1" as const };
    const made = issueDirect({ identity: alice(), exchange, ttl: 200, now: now() });
    const { exit, verdict } = await password(made.username, made.password);
    expect([exit, verdict.code, verdict.customer]).toEqual([1, "credential-rejected", null]);
    expect(verdict.sentence).toMatch(/for a Kamailio that is reached directly/);
    expect((await password(made.username, "x")).verdict.sentence).not.toMatch(/directly/);
  });

  it("what is no token at all", async () => {
    const { exit, verdict, stderr } = await token("e30.e30.e30");
    expect([exit, verdict.accepted, verdict.customer]).toEqual([1, false, null]);
    expect(verdict.code).toMatch(/^credential-(malformed|rejected)$/);
    expect(stderr).toBe(`${verdict.sentence}\n`);
  });
});
