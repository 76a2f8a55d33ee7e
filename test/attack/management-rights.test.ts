import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { documentedRoutes } from "../../src/api/documented.ts";
import { freshToken, managementToken } from "../helpers/management.ts";
import { code, credential, status, unique } from "../helpers/raw-client.ts";
import { Scene, User } from "../helpers/scene.ts";
import { signToken } from "../helpers/tokens.ts";

const opsSecret = "the-secret-of-the-operator-in-tests";
const initechApi = "the-api-secret-of-initech-in-tests";
const hooliApi = "the-api-secret-of-hooli-in-tests";
const initechSecret = "the-secret-of-initech-visitors";
const hooliSecret = "the-secret-of-hooli-visitors";

let scene: Scene;
beforeAll(async () => {
  const store = 'store: "sqlite:./postern.db"\n';
  scene = await Scene.open({ trunk: "busy", admin: `, operators: [{ id: ops, secret: ${opsSecret} }]`, more: store });
  for (const item of [initech(), hooli]) expect((await ops("POST", "", item)).status).toBe(201);
});
afterAll(() => scene?.close());

const initech = () => ({
  id: "initech",
  domains: ["initech.example"],
  secrets: [{ id: "k1", secret: initechSecret }],
  keys: [{ id: "j1", alg: "HS256", secret: "the-jwt-secret-of-initech-0123456789" }],
  apiKeys: [{ id: "initech-key", secret: initechApi }],
  numbers: ["+4940*"],
  trunk: scene.trunk.uri,
  callerId: "+4940100",
  callFrom: ["voxrtc@voxbone.example"],
  methods: ["REGISTER", "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"],
  limits: { calls: 10, connections: 100 },
  ceilings: { calls: 20 },
});
const hooli = {
  id: "hooli",
  domains: ["hooli.example"],
  secrets: [{ id: "k1", secret: hooliSecret }],
  apiKeys: [{ id: "hooli-key", secret: hooliApi }],
  numbers: ["+494077"],
};

interface Said {
  readonly status: number;
  readonly text: string;
  readonly body: Record<string, unknown>;
  readonly etag: string;
}

async function send(token: string, method: string, path: string, body?: unknown, headers = {}): Promise<Said> {
  const response = await fetch(`${scene.gateway.adminUrl}/v1/customers${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    body: body === undefined || typeof body === "string" ? (body ?? null) : JSON.stringify(body),
  });
  const text = await response.text();
  const parsed = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
  return { status: response.status, text, body: parsed, etag: response.headers.get("etag") ?? "" };
}

const ops = (method: string, path: string, body?: unknown, headers = {}): Promise<Said> =>
  send(freshToken("ops", opsSecret, { ist: "account" }), method, path, body, headers);
/** As initech, by its own key. */
const own = (method: string, path: string, body?: unknown, headers = {}): Promise<Said> =>
  send(freshToken("initech-key", initechApi), method, path, body, headers);

const told = async (id: string): Promise<Record<string, unknown>> => (await ops("GET", `/${id}`)).body;

/** What is sent changes nothing, of oneself or of another. */
async function refused(method: string, path: string, body?: unknown, headers = {}): Promise<Said> {
  const before = [await told("initech"), await told("hooli")];
  const said = await own(method, path, body, headers);
  expect([await told("initech"), await told("hooli")]).toEqual(before);
  return said;
}

const pathsOf = ({ body }: Said): string[] => ((body.errors ?? []) as { path: string }[]).map(({ path }) => path);

describe("another customer's id", () => {
  const routes = documentedRoutes.filter(({ path }) => path.startsWith("/v1/customers/{id}"));
  const name = (path: string, id: string): string =>
    path.replace("/v1/customers/{id}", `/${id}`).replace(/\{\w+\}/g, "k1");

  it.each(routes.map(({ method, path }) => [method.toUpperCase(), path] as const))(
    "in %s %s is answered as one that nobody has",
    async (method, path) => {
      const body = method === "GET" || method === "DELETE" ? undefined : {};
      const before = await told("hooli");
      const of = await own(method, name(path, "hooli"), body);
      const nobody = await own(method, name(path, "nobody"), body);
      expect([of.status, of.text]).toEqual([404, nobody.text]);
      expect(await told("hooli")).toEqual(before);
    },
  );

  it.each([
    "HOOLI",
    "hooli%00",
    "%68ooli",
    "initech%2f..%2fhooli",
    "../hooli",
    "me%2fsecrets",
    "hooli%20",
    "initech;hooli",
  ])("spelled %s is nobody's either", async (spelling) => {
    for (const path of [`/${spelling}`, `/${spelling}/secrets`])
      expect([404, 400]).toContain((await refused("GET", path)).status);
  });

  it("twin: one's own, and me, are one's own", async () => {
    for (const id of ["me", "initech"]) expect((await own("GET", `/${id}`)).body).toMatchObject({ id: "initech" });
    expect((await ops("GET", "/hooli")).body).toMatchObject({ id: "hooli" });
  });

  it("as the id of what is sent changes nobody", async () => {
    expect(pathsOf(await refused("PATCH", "/me", { id: "hooli" }))).toEqual(["id"]);
    expect((await refused("PUT", "/me", { ...hooli, id: "initech" })).status).toBe(403);
    expect((await refused("POST", "", { ...hooli, id: "fresh" })).status).toBe(403);
    expect(
      (await refused("POST", "/import", JSON.stringify(hooli), { "content-type": "application/jsonl" })).status,
    ).toBe(403);
    expect((await refused("DELETE", "/me")).status).toBe(403);
    expect((await refused("GET", "")).status).toBe(403);
  });
});

describe("what is another customer's", () => {
  it.each([
    ["its domain", { domains: ["initech.example", "hooli.example"] }, "domains"],
    ["its domain to call from", { callFrom: ["*@hooli.example"] }, "callFrom[0]"],
    ["its number", { inbound: { "+494077": "reception" } }, 'inbound["+494077"]'],
    ["its number otherwise", { inbound: { "00494077": "reception" } }, 'inbound["00494077"]'],
  ])("%s is refused", async (_what, patch, path) => {
    const said = await refused("PATCH", "/me", patch);
    expect([said.status, pathsOf(said)]).toEqual([403, expect.arrayContaining([path])]);
  });

  it("a secret is refused without a word on whose it is", async () => {
    for (const secret of [hooliSecret, hooliApi, opsSecret]) {
      const said = await refused("POST", "/me/secrets", { secret });
      expect([said.status, pathsOf(said)]).toEqual([422, ["secret"]]);
      expect(said.text).not.toMatch(/hooli|operator/);
    }
  });

  it("twin: one's own is taken", async () => {
    expect(
      (await own("PATCH", "/me", { callFrom: ["*@initech.example"], inbound: { "+494012": "reception" } })).status,
    ).toBe(200);
    expect((await own("POST", "/me/secrets", { id: "k2", secret: "a-secret-that-nobody-has-yet" })).status).toBe(201);
    expect((await own("PATCH", "/me", { inbound: {} })).status).toBe(200);
    expect((await own("DELETE", "/me/secrets/k2")).status).toBe(204);
  });
});

describe("a member that is not a customer's to change", () => {
  it.each([
    [{ dial: ["+*"] }, "dial"],
    [{ numbers: ["+4940*", "+4941*"] }, "numbers"],
    [{ trunk: "sip:127.0.0.66" }, "trunk"],
    [{ trunk2: "sip:127.0.0.66" }, "trunk2"],
    [{ callerId: "+49110" }, "callerId"],
    [{ methods: ["REFER", "INVITE"] }, "methods"],
    [{ methods: null }, "methods"],
    [{ passHeaders: ["X-Anything"] }, "passHeaders"],
    [{ apiKeys: [{ id: "mine", secret: "an-api-secret-of-my-own-making" }] }, "apiKeys"],
    [{ clockSkew: 3600 }, "clockSkew"],
    [{ permissionUrl: "https://initech.example/may" }, "permissionUrl"],
    [{ webhook: { url: "https://initech.example/", secret: "the-secret-of-a-webhook" } }, "webhook"],
    [{ ceilings: { calls: 1000 } }, "ceilings"],
    [{ ceilings: null }, "ceilings"],
    [{ suspended: "finish" }, "suspended"],
    [{ callFrom: ["voxrtc@voxbone.example", "*@voxbone.example"] }, "callFrom[1]"],
    [{ limits: { calls: 21 } }, "limits.calls"],
    [{ limits: { calls: 0 } }, "limits.calls"],
    [{ limits: { calls: null } }, "limits.calls"],
    [{ limits: null }, "limits.calls"],
    [{ limits: { connections: 101 } }, "limits.connections"],
    [{ maxTtl: 3601 }, "maxTtl"],
    [{ isAdmin: true }, "isAdmin"],
    [{ constructor: { prototype: { dial: ["+*"] } } }, "constructor"],
    [{ revision: 1, declared: false }, "declared"],
  ])("stays as it is: %j", async (patch, path) => {
    const said = await refused("PATCH", "/me", patch);
    expect([said.status, said.body.code]).toEqual([403, "permission-missing"]);
    expect(pathsOf(said)).toContain(path);
  });

  it("is not guessed: the operator's secrets are refused alike, right or wrong", async () => {
    const webhook = { url: "https://www.initech.example/calls", secret: "the-secret-of-a-webhook" };
    const trunkAuth = { username: "initech", password: "the-password-of-a-trunk" };
    const permissionUrl = "https://www.initech.example/permissions?token=what-it-asks-for";
    const hooked = { ...webhook, url: `${webhook.url}?token=what-it-asks-for` };
    expect((await ops("PATCH", "/initech", { trunkAuth, webhook: hooked, permissionUrl })).status).toBe(200);
    for (const [member, right, wrong] of [
      ["trunkAuth", { password: trunkAuth.password }, { password: "another-password" }],
      ["webhook", { secret: webhook.secret }, { secret: "another-secret-of-a-webhook" }],
      ["webhook", { url: hooked.url }, { url: `${hooked.url}x` }],
      ["permissionUrl", permissionUrl, `${permissionUrl}x`],
      ["apiKeys", [{ id: "initech-key", secret: initechApi }], [{ id: "initech-key", secret: `${initechApi}x` }]],
    ] as const) {
      const [one, other] = [
        await refused("PATCH", "/me", { [member]: right }),
        await refused("PATCH", "/me", { [member]: wrong }),
      ];
      expect([one.status, one.body], member).toEqual([403, other.body]);
    }
    const shown = (await own("GET", "/me")).body;
    const back = { trunkAuth: shown.trunkAuth, webhook: shown.webhook, permissionUrl: shown.permissionUrl };
    expect(JSON.stringify(back)).toContain("/permissions");
    expect((await own("PATCH", "/me", back)).status).toBe(200);
    expect((await ops("PATCH", "/initech", { trunkAuth: null, webhook: null, permissionUrl: null })).status).toBe(200);
  });

  it("stays as it is beside one that is, and all of it is told", async () => {
    const said = await refused("PATCH", "/me", { origins: ["https://www.initech.example"], dial: ["+*"], numbers: [] });
    expect(pathsOf(said).toSorted()).toEqual(["dial", "numbers"]);
  });

  it.each([
    '{"__proto__":{"dial":["+*"]}}',
    '{"limits":{"__proto__":{"calls":0}}}',
    '{"origins":[],"origins":["x"]}',
    '{"\\u006frigins":[],"origins":[]}',
    "[]",
    "null",
    "{",
    '"me"',
  ])("is not smuggled in by JSON that two would read differently: %s", async (text) => {
    const said = await refused("PATCH", "/me", text);
    expect([said.status, said.body.code]).toEqual([400, "message-malformed"]);
    expect((await refused("POST", "/me/secrets", text)).status).toBe(400);
  });

  it.each([
    ["POST", "/me/numbers", { number: "+4941*" }],
    ["DELETE", "/me/numbers?number=%2B4940*", undefined],
    ["POST", "/me/dial", { number: "+*" }],
    ["POST", "/me/api-keys", { id: "mine" }],
    ["DELETE", "/me/api-keys/initech-key", undefined],
    ["POST", "/me/suspend", {}],
    ["POST", "/me/resume", {}],
  ])("is no customer's by %s %s either", async (method, path, body) => {
    expect((await refused(method, path, body)).status).toBe(403);
  });

  it("twin: one's own members are changed, up to the ceiling, and what is sent as it is counts as left out", async () => {
    const whole = (await own("GET", "/me")).body;
    expect((await own("PATCH", "/me", { ...whole, limits: { calls: 20, connections: 1 }, maxTtl: 60 })).status).toBe(
      200,
    );
    expect((await own("GET", "/me")).body).toMatchObject({ limits: { calls: 20, connections: 1 }, maxTtl: 60 });
    expect((await ops("PUT", "/initech", whole)).status).toBe(200);
    expect((await own("GET", "/me")).body).toEqual(whole);
  });

  it("is not reached by growing: the ninth secret, the hundred and first origin", async () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, at) => ({ id: `m${at}`, secret: `the-many-secrets-number-${at}` }));
    expect(pathsOf(await refused("PATCH", "/me", { secrets: many(9) }))).toEqual(["secrets"]);
    const origins = Array.from({ length: 101 }, (_, at) => `https://w${at}.initech.example`);
    expect(pathsOf(await refused("PATCH", "/me", { origins }))).toEqual(["origins"]);
    expect((await own("PATCH", "/me", { origins: origins.slice(1) })).status).toBe(200);
    expect((await own("PATCH", "/me", { origins: [] })).status).toBe(200);
  });

  it.each([
    ["keys", Array.from({ length: 5_000 }, () => ({ jwk: {} }))],
    ["secrets", Array.from({ length: 20_000 }, () => ({}))],
    ["origins", Array.from({ length: 30_000 }, () => 1)],
    ["", Object.fromEntries(Array.from({ length: 6_000 }, (_, at) => [`m${at}`, 1]))],
  ])("keeps the thread that carries the calls busy by no crowd of faults: %s", async (name, crowd) => {
    const said = await refused("PATCH", "/me", name === "" ? crowd : { [name]: crowd });
    expect(said.status).toBe(403);
    expect(said.body.errors).toEqual([{ path: name, message: expect.stringContaining("more ") }]);
  });
});

describe("a call that the operator does not allow", () => {
  const number = "+33142000000";

  async function called(
    method: string,
    uri: string,
  ): Promise<{ verdict: unknown[]; arrived: number; grants: string[] }> {
    const address = `alice${unique().replace("-", ".")}@initech.example`;
    const user = new User(await scene.connect(), address, credential(address, { secret: initechSecret }));
    const callId = `rights-${unique()}`;
    const answer = await user.prove(method, uri, { callId });
    const seen = await scene.arrived(callId);
    return {
      verdict: [status(answer), code(answer)],
      arrived: seen.length,
      grants: seen.map((one) => one.header("X-Postern-Grant") ?? ""),
    };
  }

  it("is refused after a customer's key has tried to allow it, and goes out once an operator has", async () => {
    const uri = `sip:${number}@initech.example`;
    await refused("PATCH", "/me", { dial: ["+33*"] });
    await refused("POST", "/me/dial", { number: "+33*" });
    await refused("PATCH", "/me", { numbers: ["+33*"], trunk: "sip:127.0.0.66" });
    expect(await called("INVITE", uri)).toMatchObject({ verdict: [403, "destination-denied"], arrived: 0 });
    expect((await ops("POST", "/initech/dial", { number: "+33*" })).status).toBe(201);
    const twin = await called("INVITE", uri);
    expect(twin.arrived).toBeGreaterThan(0);
    expect(twin.grants[0]).toContain(`trunk=${scene.trunk.uri}`);
    expect((await ops("DELETE", "/initech/dial?number=%2B33*")).status).toBe(204);
    expect(await called("INVITE", uri)).toMatchObject({ verdict: [403, "destination-denied"], arrived: 0 });
  });

  it("and a method that it took away, likewise", async () => {
    await refused("PATCH", "/me", { methods: ["MESSAGE"] });
    await refused("PATCH", "/me", { methods: null });
    const uri = "sip:bob@initech.example";
    expect(await called("MESSAGE", uri)).toMatchObject({ verdict: [403, "method-denied"], arrived: 0 });
    expect((await called("OPTIONS", "sip:initech.example")).arrived).toBe(1);
  });
});

describe("a token that narrows", () => {
  const key = "the-jwt-secret-of-initech-0123456789";

  async function call(number: string, narrowing: object): Promise<unknown[]> {
    const now = Math.floor(Date.now() / 1000);
    const address = `nora${unique().replace("-", ".")}@initech.example`;
    const claims = { sub: address, iat: now, exp: now + 120, ...narrowing };
    const token = await signToken({ alg: "HS256", kid: "j1" }, claims, key);
    const user = new User(await scene.connect(), address, credential(address, { secret: initechSecret }));
    const callId = `narrowed-${unique()}`;
    const uri = `sip:${number}@initech.example`;
    const answer = await user.client.ask(
      user.parts("INVITE", uri, { callId, extra: [`Authorization: Bearer ${token}`] }),
    );
    return [code(answer), (await scene.arrived(callId)).length > 0];
  }

  it("is widened by nothing that its customer's key changes, nor by what an operator allows its customer", async () => {
    const whole = (await own("GET", "/me")).body;
    const narrow = { numbers: ["+4940111"] };
    expect((await own("PATCH", "/me", { limits: { calls: 20 }, callFrom: ["*@initech.example"] })).status).toBe(200);
    expect((await own("DELETE", "/me/keys/j1")).status).toBe(204);
    expect((await own("POST", "/me/keys", { id: "j1", alg: "HS256", secret: key })).status).toBe(201);
    expect((await ops("POST", "/initech/dial", { number: "+33*" })).status).toBe(201);
    expect(await call("+4940222", narrow)).toEqual(["destination-denied", false]);
    expect(await call("+33142000000", narrow)).toEqual(["destination-denied", false]);
    expect(await call("+4940111", narrow)).toEqual([undefined, true]);
    expect(await call("+4940222", {})).toEqual([undefined, true]);
    expect((await ops("PUT", "/initech", whole)).status).toBe(200);
  });
});

describe("a visitor of a secret", () => {
  it("is away when it has been answered that the secret is revoked; another secret's stays", async () => {
    const visitor = async (secret: string): Promise<User> => {
      const address = `dora${unique().replace("-", ".")}@initech.example`;
      const user = new User(await scene.connect(), address, credential(address, { secret }));
      expect(status(await user.client.register(address, user.given))).toBe(200);
      return user;
    };
    const { body } = await own("POST", "/me/secrets", { id: "shortlived" });
    const [gone, stays] = [await visitor(String(body.secret)), await visitor(initechSecret)];
    expect((await own("DELETE", "/me/secrets/shortlived")).status).toBe(204);
    expect((await gone.client.closed).code).toBe(4403);
    const callId = `stays-${unique()}`;
    expect(status(await stays.prove("OPTIONS", "sip:initech.example", { callId }))).toBe(200);
    expect(await scene.arrived(callId)).toHaveLength(1);
  });
});

describe("a suspension", () => {
  const register = async (): Promise<unknown[]> => {
    const address = `carol${unique().replace("-", ".")}@initech.example`;
    const client = await scene.connect();
    const callId = `suspended-${unique()}`;
    const answer = await client.register(address, credential(address, { secret: initechSecret }), { callId });
    return [status(answer), code(answer), (await scene.arrived(callId)).length > 0];
  };

  it("is not lifted by its customer's key, which is refused as long", async () => {
    expect((await ops("POST", "/initech/suspend", { calls: "finish" })).status).toBe(200);
    const lifts: readonly (readonly [string, string, unknown])[] = [
      ["PATCH", "/me", { suspended: null }],
      ["PATCH", "/initech", { suspended: null }],
      ["POST", "/me/resume", {}],
      ["PUT", "/me", initech()],
    ];
    for (const [method, path, body] of lifts) expect([401, 403]).toContain((await refused(method, path, body)).status);
    expect(await told("initech")).toMatchObject({ suspended: "finish" });
    expect(await register()).toEqual([403, "credential-revoked", false]);
    expect((await ops("POST", "/initech/resume")).status).toBe(200);
    expect(await register()).toEqual([200, undefined, true]);
    expect((await own("GET", "/me")).status).toBe(200);
  });
});

describe("a token", () => {
  it("that was used does not write again, and one that has read does not write", async () => {
    const used = freshToken("initech-key", initechApi);
    const body = { origin: "https://one.initech.example" };
    expect((await send(used, "POST", "/me/origins", body)).status).toBe(201);
    expect(await send(used, "DELETE", "/me/origins?origin=https%3A%2F%2Fone.initech.example")).toMatchObject({
      ...{ status: 401, body: { code: "credential-replayed" } },
    });
    const iat = Math.floor(Date.now() / 1000);
    const bare = managementToken({ iss: "initech-key", ist: "project", iat, exp: iat + 60 }, initechApi);
    expect((await send(bare, "GET", "/me")).status).toBe(200);
    expect((await send(bare, "POST", "/me/origins", { origin: "https://two.initech.example" })).status).toBe(401);
    expect((await told("initech")).origins).toEqual(["https://one.initech.example"]);
    expect((await own("PATCH", "/me", { origins: [] })).status).toBe(200);
  });

  it("of a visitor's key, of another customer, or said to be an operator's, writes nothing", async () => {
    const iat = Math.floor(Date.now() / 1000);
    const claims = { ist: "project", iat, exp: iat + 60 };
    for (const token of [
      managementToken({ ...claims, iss: "j1", jti: unique() }, "the-jwt-secret-of-initech-0123456789"),
      managementToken({ ...claims, iss: "initech-key", jti: unique() }, initechSecret),
      managementToken({ ...claims, iss: "initech-key", ist: "account", jti: unique() }, initechApi),
      managementToken({ ...claims, iss: "ops", ist: "account", jti: unique() }, initechApi),
      managementToken({ ...claims, iss: "initech-key", jti: unique() }, hooliApi),
      managementToken({ ...claims, iss: "hooli-key", jti: unique() }, initechApi),
    ]) {
      expect((await send(token, "PATCH", "/initech", { maxTtl: 1 })).status).toBe(401);
    }
    expect((await told("initech")).maxTtl).toBe(3600);
    expect((await own("PATCH", "/initech", { maxTtl: 3600 })).status).toBe(200);
  });
});

describe("a stale ETag", () => {
  it("undoes nothing that somebody else has changed; the fresh one does", async () => {
    const { etag } = await own("GET", "/me");
    expect((await ops("PATCH", "/initech", { limits: { calls: 5 } })).status).toBe(200);
    for (const [method, path, body] of [
      ["PATCH", "/me", { limits: { calls: 10 } }],
      ["DELETE", "/me/secrets/k1", undefined],
      ["POST", "/me/secrets", {}],
    ] as const) {
      expect((await refused(method, path, body, { "if-match": etag })).status).toBe(412);
    }
    expect((await ops("DELETE", "/initech", undefined, { "if-match": etag })).status).toBe(412);
    const fresh = (await own("GET", "/me")).etag;
    expect((await own("PATCH", "/me", { limits: { calls: 4 } }, { "if-match": fresh })).status).toBe(200);
    expect((await ops("PATCH", "/initech", { limits: { calls: 10 } })).status).toBe(200);
  });
});

describe("SQL in a name", () => {
  const sql = "x'); DROP TABLE customers; UPDATE claims SET customer='initech' --";
  const encoded = encodeURIComponent(sql);

  it.each([
    ["GET", `/${encoded}`, undefined],
    ["DELETE", `/me/secrets/${encoded}`, undefined],
    ["POST", `/me/secrets/${encoded}/promote`, {}],
    ["DELETE", `/me/keys/${encoded}`, undefined],
    ["DELETE", `/me/origins?origin=${encoded}`, undefined],
    ["DELETE", `/me/revocations?user=${encoded}`, undefined],
    ["POST", "/me/secrets", { id: sql }],
    ["POST", "/me/origins", { origin: sql }],
    ["POST", "/me/inbound", { number: sql, user: sql }],
    ["PATCH", "/me", { [sql]: sql }],
  ])("%s %s is a name that nobody has", async (method, path, body) => {
    expect([400, 403, 404, 422]).toContain((await refused(method, path, body)).status);
  });

  it("is a value of a statement, and never a part of one", async () => {
    expect((await ops("GET", `?after=${encodeURIComponent("' OR 1=1 --")}`)).body).toMatchObject({ next: null });
    expect((await own("POST", "/me/revocations", { jti: sql, until: 4_000_000_000 })).status).toBe(201);
    expect((await own("GET", "/me/revocations")).body).toMatchObject({ revocations: [{ jti: sql }] });
    expect((await own("DELETE", `/me/revocations?jti=${encoded}`)).status).toBe(204);
    const db = new DatabaseSync(join(scene.gateway.folder, "postern.db"), { readOnly: true });
    expect(db.prepare("SELECT count(*) AS found FROM customers WHERE item IS NOT NULL").get()).toEqual({ found: 2 });
    db.close();
    expect((await ops("GET", "/hooli")).status).toBe(200);
  });
});

describe("changes of one customer", () => {
  it("are so many a minute, and another's are not fewer", async () => {
    const statuses: number[] = [];
    const patch = async (): Promise<void> => void statuses.push((await own("PATCH", "/me", { clockSkew: 0 })).status);
    while (statuses.length < 250 && !statuses.includes(429)) await Promise.all(Array.from({ length: 10 }, patch));
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    const hasty = await own("PATCH", "/me", {});
    expect([hasty.status, hasty.body.code]).toEqual([429, "rate-limited"]);
    expect((await own("GET", "/me")).status).toBe(200);
    expect((await send(freshToken("hooli-key", hooliApi), "PATCH", "/me", {})).status).toBe(200);
    expect((await ops("PATCH", "/initech", {})).status).toBe(200);
  });
});
