import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { acmeSecret, chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { type Credential, code, credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { header } from "../helpers/raw-sip.ts";
import { signed } from "../helpers/scene.ts";

const alice = "alice@acme.example";
const jwtSecret = "a-key-of-acme-for-tokens-in-tests-48-bytes-long.";
const onceSecret = "another-key-of-acme-for-tokens-48-bytes-long....";

const acme = `\
    keys:
      - { id: j1, alg: HS256, secret: "${jwtSecret}" }
      - { id: once, alg: HS256, secret: "${onceSecret}", singleUse: true }
    origins: ["https://www.acme.example"]
`;
const more = 'exchange: { secret: "the-exchange-secret-of-the-tests", ttl: 120 }';

let kamailio: Kamailio;
let gateway: TestGateway;

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
  gateway = await startGateway({ upstreamUrls: [kamailio.wsUrl], acme, more });
});

afterAll(async () => {
  await gateway?.close();
  await kamailio?.stop();
});

const http = (path: string): string => gateway.gatewayUrl.replace(/^ws/, "http") + path;
const now = (): number => Math.floor(Date.now() / 1000);

function token(claims: Record<string, unknown> = {}, { kid = "j1", secret = jwtSecret } = {}): Promise<string> {
  return new SignJWT({ appID: "acme", userID: "alice", iat: now(), nbf: now() - 5, exp: now() + 60, ...claims })
    .setProtectedHeader({ alg: "HS256", kid })
    .sign(Buffer.from(secret));
}

interface Answer extends Credential {
  readonly code?: string;
  readonly ttl: number;
  readonly uris: string[];
  readonly access_token?: string;
  readonly error?: string;
}

async function post(body: unknown, headers: Record<string, string> = {}): Promise<[number, Answer]> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const typed = body === undefined ? headers : { "content-type": "application/json", ...headers };
  const response = await fetch(http("/v1/exchange"), { method: "POST", headers: typed, ...sent });
  return [response.status, (await response.json()) as Answer];
}

const exchanged = async (body: unknown, headers?: Record<string, string>): Promise<Answer> => {
  const [status, answer] = await post(body, headers);
  expect(status, JSON.stringify(answer)).toBe(200);
  return answer;
};

const bearer = async (claims?: Record<string, unknown>, key?: { kid: string; secret: string }) => ({
  authorization: `Bearer ${await token(claims, key)}`,
});

async function authenticate(fields: Record<string, string>): Promise<[number, Answer]> {
  const body = new URLSearchParams({ grant_type: "authorization_code", client_id: "alice@acme", ...fields });
  const response = await fetch(http("/authenticate"), { method: "POST", body });
  return [response.status, (await response.json()) as Answer];
}

/** Status and code of a REGISTER, and whether Kamailio saw it. */
async function register(given: Credential, user = alice) {
  const client = await RawClient.connect(gateway.gatewayUrl, { origin: "https://www.acme.example" });
  const callId = `reg-${unique()}`;
  const answered = await client.register(user, given, { callId });
  client.close();
  const seen = kamailio.saw().some((one) => one.header("Call-ID") === callId);
  return { status: status(answered), code: code(answered), seen };
}

const accepted = { status: 200, code: undefined, seen: true };
const refused = (code: string) => ({ status: 403, code, seen: false });

describe("a credential of POST /v1/exchange", () => {
  it("registers, as the user whose credential was exchanged", async () => {
    const answer = await exchanged(credential(alice));
    expect(answer).toMatchObject({ ttl: 120, uris: [gateway.gatewayUrl] });
    expect(await register(answer)).toEqual(accepted);
  });

  it("twin: with anything changed it is refused, and Kamailio sees nothing", async () => {
    const { username, password } = await exchanged(credential(alice));
    const [bare = "", handle = ""] = username.split(";");
    expect(await register({ username, password: password.replace(/^./, (a) => (a === "A" ? "B" : "A")) })).toEqual(
      refused("credential-rejected"),
    );
    const longer = `${Number(bare.split(":")[0]) + 100}:${alice};${handle}`;
    expect(await register({ username: longer, password })).toEqual(refused("credential-rejected"));
    expect(await register(signed(bare, "the-exchange-secret-of-the-tests"))).toEqual(refused("credential-rejected"));
    expect(await register(signed(`${bare};${handle.replace(/^./, (a) => (a === "A" ? "B" : "A"))}`))).toEqual(
      refused("credential-rejected"),
    );
  });

  it("carries what narrowed its token", async () => {
    const free = await exchanged(undefined, await bearer());
    expect(await register(free)).toEqual(accepted);
    const narrowed = await exchanged(undefined, await bearer({ methods: ["INVITE"] }));
    expect(await register(narrowed)).toEqual(refused("method-denied"));
  });

  it("ends with the secret that proved it", async () => {
    const answer = await exchanged(credential(alice));
    expect(await register(answer)).toEqual(accepted);
    try {
      gateway.change({ acmeSecret: "a-new-secret-of-acme-in-tests" });
      expect(await register(answer)).toEqual(refused("credential-revoked"));
    } finally {
      gateway.change({ acmeSecret });
    }
  });
});

describe("what is not exchanged", () => {
  it("is what Postern issued itself, whichever way", async () => {
    const first = await exchanged(credential(alice));
    const direct = await exchanged({ ...credential(alice), direct: true });
    expect(direct.username).toMatch(/^\d+:alice@acme\.example$/);
    const [, { access_token = "" }] = await authenticate({ code: await token() });
    for (const { username, password } of [first, direct]) {
      expect(await post({ username, password })).toMatchObject([401, { code: "credential-rejected" }]);
    }
    expect(await post(undefined, { authorization: `Bearer ${access_token}` })).toMatchObject([401, {}]);
    expect(await authenticate({ code: access_token })).toMatchObject([401, { error: "INVALID_TOKEN" }]);
    const [expires = ""] = first.username.split(":");
    const query = new URLSearchParams({
      username: first.username.slice(expires.length + 1),
      key: first.password,
      expires,
    });
    expect((await fetch(http(`/rest/authentication/createToken?${query}`))).status).toBe(401);
  });

  it("is a token for single use that was exchanged before", async () => {
    const once = await bearer({ jti: unique() }, { kid: "once", secret: onceSecret });
    expect((await post(undefined, once))[0]).toBe(200);
    expect(await post(undefined, once)).toMatchObject([401, { code: "credential-replayed" }]);
    const often = await bearer({ jti: unique() });
    expect([(await post(undefined, often))[0], (await post(undefined, often))[0]]).toEqual([200, 200]);
  });

  it("is, for a Kamailio reached directly, what narrows", async () => {
    const direct = { direct: true };
    expect((await post(direct, await bearer()))[0]).toBe(200);
    for (const claims of [{ maxSeconds: 60 }, { oneCall: true }, { numbers: ["+3225887*"] }]) {
      expect(await post(direct, await bearer(claims))).toMatchObject([403, { code: "exchange-narrowed" }]);
    }
    const once = await bearer({ jti: unique() }, { kid: "once", secret: onceSecret });
    expect(await post(direct, once)).toMatchObject([403, { code: "exchange-narrowed" }]);
  });

  it("is a token with anything wrong", async () => {
    const other = { kid: "j1", secret: "x".repeat(48) };
    expect(await post(undefined, await bearer({}, other))).toMatchObject([401, { code: "credential-rejected" }]);
    expect(await post(undefined, await bearer({ exp: now() - 60 }))).toMatchObject([
      401,
      { code: "credential-expired" },
    ]);
    expect(await post(undefined, await bearer({ exp: now() + 99_999 }))).toMatchObject([
      403,
      { code: "credential-ttl" },
    ]);
    const origin = { origin: "https://evil.example" };
    expect(await post(undefined, { ...(await bearer()), ...origin })).toMatchObject([403, { code: "origin-denied" }]);
    const own = { origin: "https://www.acme.example" };
    expect((await post(undefined, { ...(await bearer()), ...own }))[0]).toBe(200);
  });
});

describe("a credential of createToken", () => {
  const create = async (name: string): Promise<Answer> => {
    const { username, password: key } = credential(name);
    const expires = username.slice(0, username.indexOf(":"));
    const query = new URLSearchParams({ username: name, key, expires });
    return (await (await fetch(http(`/rest/authentication/createToken?${query}`))).json()) as Answer;
  };

  it("is of the customer as one user, who may ask but not register", async () => {
    const answer = await create("acme");
    const client = await RawClient.connect(gateway.gatewayUrl, { origin: "https://www.acme.example" });
    const user = "acme@acme.example";
    const options = { method: "OPTIONS", uri: "sip:acme.example", from: user, to: user, fromTag: "o1", cseq: 1 };
    const answered = await client.prove({ ...options, callId: `opt-${unique()}` }, answer);
    expect(status(answered), answered).toBe(200);
    client.close();
    expect(await register(answer, user)).toEqual(refused("method-denied"));
  });

  it("is of one user, who may register", async () => {
    expect(await register(await create(alice))).toEqual(accepted);
  });
});

describe("an access_token of /authenticate", () => {
  const bearerRegister = async (word: string) => {
    const client = await RawClient.connect(gateway.gatewayUrl, { origin: "https://www.acme.example" });
    const parts = { method: "REGISTER", uri: "sip:acme.example", from: alice, to: alice, fromTag: "a1", cseq: 1 };
    const callId = `reg-${unique()}`;
    const answered = await client.ask({ ...parts, callId, extra: [`Authorization: Bearer ${word}`, "Expires: 60"] });
    client.close();
    return { answered, seen: kamailio.saw().some((one) => one.header("Call-ID") === callId) };
  };

  it("registers as a Bearer, and another does not", async () => {
    const [status, { access_token = "" }] = await authenticate({ code: await token() });
    expect(status).toBe(200);
    const right = await bearerRegister(access_token);
    expect([right.answered.slice(8, 11), right.seen]).toEqual(["200", true]);
    const wrong = await bearerRegister(`${access_token.slice(0, -4)}AAAA`);
    expect([wrong.answered.slice(8, 11), wrong.seen]).toEqual(["401", false]);
    expect(header(wrong.answered, "WWW-Authenticate")).toMatch(/^Bearer /);
  });
});

describe("the public port", () => {
  it("counts the exchange's verdicts beside the gateway's, and logs them without a secret", async () => {
    const before = await gateway.metric('postern_verdicts_total{code="accepted",customer="acme"}');
    const answer = await exchanged(credential(alice));
    expect(await gateway.metric('postern_verdicts_total{code="accepted",customer="acme"}')).toBe(before + 1);
    const text = JSON.stringify(gateway.log());
    expect(text).toContain('"way":"exchange"');
    expect(text).not.toContain(answer.username.split(";")[1]);
    expect(text).not.toContain(answer.password);
  });
});
