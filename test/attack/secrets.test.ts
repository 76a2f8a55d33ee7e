import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Application } from "../helpers/application.ts";
import { postern, startPostern } from "../helpers/cli.ts";
import { ConfigFolder } from "../helpers/config-file.ts";
import { type HepSink, openHepSink } from "../helpers/hep.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { KeySetServer } from "../helpers/key-set.ts";
import { freshToken } from "../helpers/management.ts";
import {
  type Credential,
  credential,
  RawClient,
  type RawClientOptions,
  status,
  unique,
} from "../helpers/raw-client.ts";
import { type RequestParts, request } from "../helpers/raw-sip.ts";
import { processes, Secrets } from "../helpers/secrets.ts";
import { type Served, served } from "../helpers/served.ts";
import { signer, signToken } from "../helpers/tokens.ts";
import { startTrunk, type Trunk } from "../helpers/trunk.ts";

/** One run in which every kind of secret is used, rightly and wrongly; then everything that was written in it is read. */

const page = "https://www.acme.example";
const secrets = new Secrets();
const acme = secrets.make("a customer's secret, out of a file");
const globex = secrets.make("a customer's secret, out of the environment");
const shared = secrets.make("a customer's JWT secret, in the config");
const apiKey = secrets.make("an API key's secret");
const operator = secrets.make("an operator's secret");
const chain = secrets.make("the chain's secret");
const exchange = secrets.make("the exchange's secret");
const turn = secrets.make("the TURN secret");
const homerKey = secrets.make("the key of the HEP collector");
const query = secrets.make("the query of a key set's URL");
const trunkPassword = secrets.make("the password at a customer's trunk");
const webhook = secrets.make("a webhook's secret");
const webhookQuery = secrets.make("the query of a webhook's URL");
const permissionQuery = secrets.make("the query of a permissionUrl");
const foreign = secrets.make("a secret that nobody here has");
const idp = signer("ES256", "one");

const folder = new ConfigFolder();
const clients: RawClient[] = [];
const environment = { GLOBEX_SECRET: globex };
const fromEnvironment = "a customer's secret, out of the environment";
let kamailio: Kamailio;
let trunk: Trunk;
let sink: HepSink;
let keySet: KeySetServer;
let application: Application;
let file: string;
let gateways: Served[] = [];

const config = (): string => `\
gateway:
  listen: "ws://127.0.0.1:0"
  domains: [voxout.postern.example]
  limits: { failuresPerMinute: 0 }
upstream: { urls: ["${kamailio.wsUrl}"] }
chain: { secret: "${chain}" }
exchange: { secret: "${exchange}", callbackNetworks: ["127.0.0.0/8"] }
turn: { urls: ["turn:127.0.0.1:3478"], secret: "${turn}" }
admin: { listen: "http://127.0.0.1:0", operators: [{ id: ops, secret: "${operator}" }] }
store: "sqlite:./postern.db"
hep: { url: "udp://127.0.0.1:${sink.port}", authKey: "${homerKey}" }
customers:
  - id: acme
    domains: [acme.example]
    secrets: [{ id: k1, secret: "file:acme.secret" }]
    keys:
      - { id: j1, alg: HS256, secret: "${shared}" }
      - { id: set, alg: ES256, jwksUri: "${keySet.uri}?key=${encodeURIComponent(query)}", issuer: idp, audience: postern }
      - ${application.keyYaml.replace("id: j1", "id: app")}
    permissionUrl: "${application.url}?key=${encodeURIComponent(permissionQuery)}"
    webhook: { url: "http://127.0.0.1:1/calls?key=${encodeURIComponent(webhookQuery)}", secret: "${webhook}" }
    trunkAuth: { username: acme, realm: pbx.acme.example, password: "${trunkPassword}" }
    apiKeys: [{ id: a1, secret: "${apiKey}" }]
    origins: ["${page}"]
    numbers: ["+3225887*"]
    callerId: "+3225887000"
    trunk: "${trunk.uri}"
  - id: globex
    domains: [globex.example]
    secrets: [{ id: k1, secret: "\${GLOBEX_SECRET}" }]
    keys: [{ id: dead, alg: ES256, jwksUri: "http://127.0.0.1:1/keys?key=${encodeURIComponent(query)}", issuer: idp, audience: postern }]
`;

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret: chain });
  trunk = await startTrunk({ host: "127.0.0.9", scenario: "answer" });
  sink = await openHepSink();
  keySet = await KeySetServer.open([idp.jwk]);
  application = await Application.start();
  application.answering = permit;
  folder.write("acme.secret", `${acme}\n`);
  file = folder.write("postern.yaml", config());
  secrets.given(config() + acme + globex);
  const script = fileURLToPath(new URL("../helpers/serve-debug.ts", import.meta.url));
  const { PATH = "", HOME = "" } = process.env;
  const env = { PATH, HOME, ...environment };
  gateways = [
    await served(spawn(process.execPath, [script, file], { env, stdio: "pipe" })),
    await served(startPostern(["serve", "-c", file], { env: environment })),
  ];
});

afterAll(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const gateway of gateways) gateway.signal("SIGINT");
  await Promise.all(gateways.map(({ ended }) => ended));
  await trunk?.stop();
  await kamailio?.stop();
  await sink?.close();
  keySet?.close();
  await application?.stop();
  folder.remove();
});

const now = (): number => Math.floor(Date.now() / 1000);
const someone = (): string => `alice${unique().replace("-", ".")}@acme.example`;

/** A socket of which everything that comes is kept. */
async function connect(gateway: Served, options: RawClientOptions = {}): Promise<RawClient> {
  secrets.given(JSON.stringify(options));
  const client = await RawClient.connect(gateway.gatewayUrl, options);
  clients.push(client);
  client.socket.on("message", (data) => secrets.said("what a client gets", String(data)));
  void client.closed.then(({ reason }) => secrets.said("reasons of closes", `closed: ${reason}`));
  return client;
}

/** Sends it as it is, and its answer. */
async function ask(client: RawClient, parts: RequestParts): Promise<number> {
  secrets.given(request(parts));
  return status(await client.ask(parts));
}

const parts = (method: string, address: string, extra: readonly string[] = []): RequestParts => {
  const uri = `sip:${address.slice(address.indexOf("@") + 1)}`;
  return { method, uri, from: address, to: address, fromTag: "f1", callId: `s-${unique()}`, cseq: 1, extra };
};

/** REGISTER by digest; the answer to the challenge is a secret too. */
async function digest(
  gateway: Served,
  address: string,
  given: Credential,
  more: Partial<RequestParts> = {},
): Promise<number> {
  const client = await connect(gateway);
  secrets.given(given.password);
  const answered = await client.prove({ ...parts("REGISTER", address), ...more }, given, {}, (text) => {
    secrets.keep("digest answers", /response="([0-9a-f]{32})"/.exec(text)?.[1] ?? "");
    secrets.given(text);
    return text;
  });
  return status(answered);
}

const kept = (
  name: string,
  { username, password, ttl = 300 }: Credential & { ttl?: number },
): Credential & { ttl: number } => ({
  username,
  password: secrets.keep(name, password),
  ttl,
});

async function withDigests(gateway: Served): Promise<void> {
  const [own, other] = [someone(), someone()];
  const right = kept("passwords of customers", credential(own, { secret: acme }));
  expect(await digest(gateway, own, right)).toBe(200);
  const others = `bob${unique().replace("-", ".")}@globex.example`;
  expect(await digest(gateway, others, kept("passwords of customers", credential(others, { secret: globex })))).toBe(
    200,
  );
  expect(await digest(gateway, other, kept("passwords that are wrong", credential(other, { secret: foreign })))).toBe(
    403,
  );
  const ended = kept(
    "passwords that have ended",
    credential(other, { secret: acme, ttl: -10 + 10 + 1, now: now() - 60 }),
  );
  expect(await digest(gateway, other, ended)).toBe(403);
  const number = { uri: "sip:+3225887001@acme.example", method: "INVITE", to: "+3225887001@acme.example" };
  expect(await digest(gateway, own, right, number)).toBe(200);
}

async function withTokens(gateway: Served): Promise<void> {
  const claims = (address: string, more: object = {}): object => ({
    sub: address,
    appID: "acme",
    exp: now() + 120,
    ...more,
  });
  const address = someone();
  const right = secrets.keep("JWTs", await signToken({ alg: "HS256" }, claims(address), shared));
  const wrong = secrets.keep("JWTs that are wrong", await signToken({ alg: "HS256" }, claims(address), foreign));
  const ended = secrets.keep(
    "JWTs that have ended",
    await signToken({ alg: "HS256" }, claims(address, { exp: now() - 60 }), shared),
  );
  const ofSet = { iss: "idp", aud: "postern", sub: address, appID: "acme", exp: now() + 120 };
  const fetched = secrets.keep("JWTs of a key set", await signToken({ alg: "ES256", kid: "one" }, ofSet, idp.private));
  const spoilt = secrets.keep(
    "JWTs that are spoilt",
    `${right.slice(0, -8)}!!${randomBytes(24).toString("base64url")}`,
  );
  const dead = secrets.keep(
    "JWTs of a key set that is not there",
    await signToken({ alg: "ES256" }, { ...ofSet, appID: "globex", sub: "bob@globex.example" }, idp.private),
  );
  for (const [token, wanted] of [
    [right, 200],
    [fetched, 200],
    [wrong, 401],
    [ended, 401],
    [spoilt, 401],
    [dead, 401],
  ] as const) {
    for (const word of ["Bearer ", "", "bEaReR\r\n  "]) {
      const register = parts("REGISTER", address, [`Authorization: ${word}${token}`]);
      const got = await ask(await connect(gateway), register);
      if (word === "Bearer ") expect(got, token).toBe(wanted);
    }
    for (const path of [`/?access_token=${token}`, `/x?a=1&access_token=${token}&b=2`])
      await knock(gateway, { path, origin: page });
    for (const origin of [page, "https://evil.example"]) {
      await knock(gateway, { origin, ws: { headers: { cookie: `a=b; postern_token=${token}` } } });
    }
  }
  const client = await connect(gateway, { origin: page, path: `/?access_token=${right}` });
  expect(await ask(client, parts("OPTIONS", address))).toBe(200);
}

/** A handshake and a word, whatever comes of it. */
async function knock(gateway: Served, options: RawClientOptions): Promise<void> {
  secrets.given(JSON.stringify(options));
  const client = await connect(gateway, options).catch(() => undefined);
  if (client) await Promise.race([client.closed, client.ask(parts("OPTIONS", someone())).catch(() => undefined)]);
}

/** What no parser takes, with credentials in it. */
async function withNoise(gateway: Served): Promise<void> {
  const password = secrets.make("passwords in broken messages");
  const token = secrets.keep("tokens in broken messages", await signToken({ alg: "HS256" }, { n: unique() }, foreign));
  const grant = secrets.make("grants that a client writes");
  const lines = [
    `Authorization: Digest username="1:a@acme.example", realm="acme.example", response="${password}"`,
    `Authorization : Bearer\r\n ${token}`,
    `X-Postern-Grant: ${grant}`,
    `x-postern-token: ${grant}`,
    `Cookie: postern_token=${token}`,
  ];
  const address = someone();
  const whole = request(parts("REGISTER", address, lines));
  const broken = [
    whole,
    whole.replace("SIP/2.0", "SIP/3.0"),
    whole.replace("Max-Forwards: 70", "Max-Forwards: x"),
    whole.replaceAll("\r\n", "\n"),
    whole.slice(0, -6),
    `${whole}${"x".repeat(31_000)}`,
    whole.replace("CSeq: 1", "CSeq: y"),
    lines.join("\r\n"),
    `SIP/2.0 200 OK\r\n${lines.join("\r\n")}\r\n\r\n`,
  ];
  for (const text of broken) {
    const client = await connect(gateway);
    secrets.given(text);
    client.send(text);
    await Promise.race([
      client.closed,
      client.take(() => true).catch(() => undefined),
      new Promise((go) => setTimeout(go, 300)),
    ]);
  }
}

interface Answered {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly text: string;
}

/** url: with what is asked. shows: what of the answer is for who asks. */
async function http(url: string, init: RequestInit = {}, shows: readonly string[] = []): Promise<Answered> {
  secrets.given(`${url} ${JSON.stringify(init)} ${String(init.body ?? "")}`);
  const response = await fetch(url, init);
  const text = await response.text();
  let body: Record<string, unknown> = {};
  if (text.startsWith("{")) body = JSON.parse(text) as Record<string, unknown>;
  for (const name of shows) if (typeof body[name] === "string") secrets.keep(issued, secretOf(body[name]));
  const head = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  secrets.said(
    `answers of ${new URL(url).pathname}`,
    `${response.status} ${head}\n${text}`,
    shows.length > 0 ? [issued] : [],
  );
  return { status: response.status, body, text };
}

const issued = "what the exchange issued";
/** Of an issued username the handle, else all of it. */
const secretOf = (text: string): string => text.slice(text.indexOf(";") + 1);
/** What it is asked, and what it answers; who shows it a token that is not its own is told so. */
const permit: Application["answering"] = async (asked, response) => {
  secrets.keep("what the gateway asks applications", application.messages.at(-1)!);
  secrets.given(application.messages.at(-1)!);
  if (!asked.application_token.startsWith("good")) {
    application.say(response, 401, { error: "invalid_application_token", error_description: "log in again" });
    return;
  }
  const changes = asked.userID.startsWith("mallory") ? { nonce: "another" } : {};
  const claims = application.claims(asked, changes);
  const permission_token = secrets.keep("what applications answer", await application.token(claims, { kid: "app" }));
  secrets.given(permission_token);
  application.say(response, 200, { permission_token });
};

async function withDataTokens(gateway: Served): Promise<void> {
  const url = gateway.gatewayUrl.replace(/^ws/, "http");
  const told = { conferenceID: `s-${unique()}`, userID: "alice", event: "userJoined" };
  for (const [application_token, userID, wanted] of [
    [`good ${secrets.make("application_tokens")}`, "alice", 200],
    [`good ${secrets.make("application_tokens")}`, "mallory", 403],
    [secrets.make("application_tokens that are wrong"), "alice", 403],
  ] as const) {
    const got = await http(
      `${url}/v1/data-tokens`,
      json({ appID: "acme", userID, application_token }),
      wanted === 200 ? ["data_token"] : [],
    );
    expect(got.status, got.text).toBe(wanted);
    await http(`${url}/v1/data-tokens`, json({ appID: "acme", userID: [application_token], application_token }));
    await http(`${url}/v1/data-tokens?application_token=${encodeURIComponent(application_token)}`, json({}));
    if (wanted !== 200) continue;
    const token = String(got.body.data_token);
    const forged = `${token.slice(0, -43)}${secrets.keep("data tokens that are forged", randomBytes(32).toString("base64url"))}`;
    for (const [data_token, status] of [
      [token, 202],
      [forged, 401],
    ] as const) {
      const headers = { authorization: `Bearer ${data_token}`, origin: page, "content-type": "application/json" };
      expect((await http(`${url}/v1/events`, { ...json(told), headers })).status).toBe(status);
      expect((await http(`${url}/v1/events`, json({ ...told, data_token }))).status).toBe(status);
      await http(
        `${url}/v1/events`,
        json({ ...told, event: data_token, detail: { [data_token]: data_token }, data_token }),
      );
      await http(
        `${url}/v1/stats`,
        json({ data_token, conferenceID: told.conferenceID, userID: data_token, stats: [] }),
      );
      await knock(gateway, { path: `/?access_token=${data_token}`, origin: page });
      const register = parts("REGISTER", "alice@acme.example", [`Authorization: Bearer ${data_token}`]);
      expect(await ask(await connect(gateway), register)).toBe(status === 202 ? 200 : 401);
    }
  }
}

const json = (body: object): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json", origin: page },
  body: JSON.stringify(body),
});
const form = (fields: Record<string, string>): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/x-www-form-urlencoded", origin: page },
  body: new URLSearchParams(fields).toString(),
});

async function withExchange(gateway: Served): Promise<void> {
  const url = gateway.gatewayUrl.replace(/^ws/, "http");
  const address = someone();
  const right = kept("passwords that are exchanged", credential(address, { secret: acme }));
  const wrong = kept("passwords that are exchanged wrongly", credential(address, { secret: foreign }));
  const granted = await http(`${url}/v1/exchange`, json(right), ["username", "password"]);
  expect(granted.status).toBe(200);
  const [server] = granted.body.iceServers as { credential: string }[];
  secrets.keep(issued, server?.credential ?? "");
  const given = { username: String(granted.body.username), password: String(granted.body.password) };
  expect(await digest(gateway, address, given)).toBe(200);
  const forged = {
    ...given,
    username: `${given.username.slice(0, -30)}${randomBytes(24).toString("base64url").slice(0, 30)}`,
  };
  secrets.keep("handles that are forged", forged.username.slice(-30));
  expect(await digest(gateway, address, forged)).toBe(403);
  expect((await http(`${url}/v1/exchange`, json({ ...right, direct: true }), ["password"])).status).toBe(200);
  expect((await http(`${url}/v1/exchange`, json(wrong))).status).toBe(401);
  expect((await http(`${url}/v1/exchange`, json(given))).status).toBe(401);
  for (const body of [
    { ...right, more: wrong.password },
    { ...right, password: [right.password] },
    { username: right.password },
  ]) {
    expect((await http(`${url}/v1/exchange`, json(body))).status).toBe(400);
  }
  const broken = { ...json({}), body: `{"username":"x","password":"${wrong.password}` };
  expect((await http(`${url}/v1/exchange`, broken)).status).toBe(400);
  await withPublishedForms(url, address, right, wrong);
}

async function withPublishedForms(url: string, address: string, right: Credential, wrong: Credential): Promise<void> {
  const [expires = "", name = ""] = right.username.split(":");
  for (const [key, wanted] of [
    [right.password, 200],
    [wrong.password, 401],
  ] as const) {
    const asked = new URLSearchParams({ username: name, key, expires });
    const shows = wanted === 200 ? ["username", "password"] : [];
    const got = await http(
      `${url}/rest/authentication/createToken?${asked}`,
      { headers: { referer: `${page}/x` } },
      shows,
    );
    expect(got.status).toBe(wanted);
    await http(`${url}/rest/authentication/createToken?${asked}&key=${encodeURIComponent(key)}`);
    if (wanted === 401)
      await http(`${url}/rest/authentication/createToken?${asked}&jsonp=a.b`, { headers: { referer: page } });
  }
  const claims = { sub: address, appID: "acme", exp: now() + 120 };
  for (const [secret, wanted] of [
    [shared, 200],
    [foreign, 401],
  ] as const) {
    const token = secrets.keep(
      "JWTs that are exchanged",
      await signToken({ alg: "HS256", typ: "JWT" }, { ...claims, n: wanted }, secret),
    );
    const fields = { grant_type: "authorization_code", code: token, client_id: `${address}@acme` };
    const got = await http(`${url}/authenticate`, form(fields), wanted === 200 ? ["access_token"] : []);
    expect(got.status).toBe(wanted);
    await http(`${url}/authenticate`, form({ ...fields, client_id: "x" }));
    await http(
      `${url}/v1/exchange`,
      { method: "POST", headers: { authorization: `Bearer ${token}`, origin: page } },
      shown(wanted),
    );
    await http(`${url}/v1/exchange`, { method: "POST", headers: { authorization: `Basic ${btoa(`x:${token}`)}` } });
    await http(`${url}/nowhere?access_token=${token}&password=${encodeURIComponent(wrong.password)}`);
    await http(`${url}/healthz`, { headers: { authorization: `Bearer ${token}${"x".repeat(17_000)}` } });
    const accessed = String(got.body.access_token ?? "");
    if (accessed) await withAccessToken(url, address, accessed);
  }
}

const shown = (wanted: number): string[] => (wanted === 200 ? ["username", "password"] : []);

async function withAccessToken(url: string, address: string, token: string): Promise<void> {
  const gateway = gateways.find(({ gatewayUrl }) => gatewayUrl.replace(/^ws/, "http") === url)!;
  const bearer = (text: string): Promise<number> =>
    connect(gateway).then((client) => ask(client, parts("REGISTER", address, [`Authorization: Bearer ${text}`])));
  expect(await bearer(token)).toBe(200);
  const end = randomBytes(32).toString("base64url");
  secrets.keep("signatures of access tokens that are forged", end);
  const forged = `${token.slice(0, token.lastIndexOf("."))}.${end}`;
  expect(await bearer(forged)).toBe(401);
  expect(
    (await http(`${url}/v1/exchange`, { method: "POST", headers: { authorization: `Bearer ${token}`, origin: page } }))
      .status,
  ).toBe(401);
}

async function withManagement({ adminUrl }: Served): Promise<void> {
  const me = `${adminUrl}/v1/customers/me`;
  const kinds: [string, string, string, number][] = [
    ["a1", apiKey, "project", 200],
    ["a1", foreign, "project", 403],
    ["ops", operator, "account", 404],
    ["ops", apiKey, "account", 403],
  ];
  for (const [iss, secret, ist, wanted] of kinds) {
    const token = secrets.keep("management tokens", freshToken(iss, secret, { ist }));
    expect((await http(me, { headers: { "x-opentok-auth": token } })).status).toBe(wanted);
    await http(me, { headers: { "x-opentok-auth": token } });
    await http(me, { headers: { authorization: `Bearer ${token}` } });
    await http(me, { headers: { authorization: `Bearer ${token}`, "x-opentok-auth": token } });
    await http(`${me}?token=${token}`, { headers: { authorization: `Token ${token}` } });
    await http(`${adminUrl}/v1/inbound?source=127.0.0.9&number=1&token=${token}`);
  }
  for (const path of ["audit", "customers/acme/refusals", "customers/acme/uses", "customers/acme/audit"]) {
    const token = secrets.keep("management tokens", freshToken("ops", operator, { ist: "account" }));
    const told = await http(`${adminUrl}/v1/${path}`, { headers: { authorization: `Bearer ${token}` } });
    expect(told.status, told.text).toBe(200);
  }
  for (const path of [
    "/livez",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/v1/inbound?source=127.0.0.9&number=%2B3225887000",
  ]) {
    await http(adminUrl + path);
  }
}

/** A customer of the store, written and read over HTTP, rightly and wrongly. */
async function withStored({ adminUrl }: Served, id: string): Promise<void> {
  const [name, query] = ["secrets of stored customers", secrets.make("the query of a stored customer's URL")];
  const ask = (method: string, path: string, body?: unknown, shows: readonly string[] = []): Promise<Answered> => {
    const token = secrets.keep("management tokens", freshToken("ops", operator, { ist: "account" }));
    const headers = {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "idempotency-key": id + path,
    };
    return http(
      `${adminUrl}/v1/customers${path}`,
      { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) },
      shows,
    );
  };
  const item = {
    ...{ id, domains: [`${id}.example`], trunk: `sip:pbx.${id}.example` },
    secrets: [{ id: "k1", secret: secrets.make(name) }],
    keys: [{ id: "j1", alg: "HS256", secret: secrets.make(name) }],
    apiKeys: [{ id: `${id}-key`, secret: secrets.make(name) }],
    webhook: { url: `https://${id}.example/calls?key=${encodeURIComponent(query)}`, secret: secrets.make(name) },
    trunkAuth: { username: id, password: secrets.make(name) },
  };
  expect((await ask("POST", "", item)).status).toBe(201);
  expect((await ask("POST", `/${id}/secrets`, {}, ["secret"])).body.id).toBe("k2");
  expect((await ask("POST", `/${id}/secrets`, {})).body).toMatchObject({ id: "k2", note: expect.any(String) });
  const wrong = secrets.make("secrets in the wrong place of a stored customer");
  for (const body of [
    { secrets: wrong },
    { [wrong]: 1 },
    { keys: [{ id: wrong, alg: wrong }] },
    { ...item, id: wrong },
  ])
    expect((await ask("PATCH", `/${id}`, body)).status).toBe(422);
  for (const part of [`/${id}/calls?${encodeURIComponent(wrong)}=1`, `/${id}/audit?${encodeURIComponent(wrong)}=1`])
    expect((await ask("GET", part)).status).toBe(400);
  for (const part of ["", "/secrets", "/keys", "/api-keys", "/audit", "/uses"])
    expect((await ask("GET", `/${id}${part}`)).status).toBe(200);
}

/** Each call that Kamailio or a collector has heard of, as the ring has it. */
async function ladders({ adminUrl }: Served): Promise<number> {
  const callIds = new Set(sink.packets.map(({ correlationId }) => correlationId ?? ""));
  let entries = 0;
  for (const callId of callIds) {
    const { body } = await http(`${adminUrl}/v1/ladder?callId=${encodeURIComponent(callId)}`);
    entries += Array.isArray(body.entries) ? body.entries.length : 0;
  }
  return entries;
}

interface Run {
  readonly stdin?: string;
  readonly exit: number;
  /** What it is asked for. */
  readonly prints?: readonly string[];
}

async function cli(args: readonly string[], { stdin, exit, prints = [] }: Run): Promise<string> {
  secrets.given(stdin ?? "");
  const done = await postern(args, { env: environment, ...(stdin !== undefined && { stdin }) });
  secrets.said(`postern ${args[0]}`, `${done.stdout}\n${done.stderr}`, prints);
  expect(done.exit, `${args.join(" ")}\n${done.stderr}`).toBe(exit);
  return done.stdout;
}

const minted = "what mint minted";

async function withCommands([gateway]: readonly Served[]): Promise<void> {
  const ours = ["-c", file];
  await cli(["check", ...ours], { exit: 0 });
  await cli(["doctor", ...ours], { exit: 0 });
  secrets.given(foreign);
  const other = folder.write("other-chain.yaml", config().replace(chain, foreign));
  for (const more of [[], ["--json"]]) await cli(["doctor", "-c", other, ...more], { exit: 1 });
  const sources = [["env:GLOBEX_SECRET"], [`file:${folder.path}/acme.secret`], ["-", shared]] as const;
  for (const [source, stdin] of sources) {
    for (const kind of [[], ["--jwt"]]) {
      const printed = await cli(["mint", "--secret", source, "--user", "alice@acme.example", ...kind], {
        exit: 0,
        prints: [minted],
        ...(stdin && { stdin }),
      });
      const { password, token } = JSON.parse(printed) as { password?: string; token?: string };
      const made = secrets.keep(minted, password ?? token ?? "");
      const username =
        password === undefined ? [] : ["--username", (JSON.parse(printed) as { username: string }).username];
      const shows = password === undefined ? ["--token", "-"] : [...username, "--password", "-"];
      const right =
        source === `file:${folder.path}/acme.secret`
          ? password !== undefined
          : source === "-" && password === undefined;
      await cli(["verify", ...ours, ...shows], { stdin: made, exit: right ? 0 : 1 });
    }
  }
  const opentok = await cli(["mint", "--opentok", "--secret", "-", "--key", "a1"], {
    stdin: apiKey,
    exit: 0,
    prints: [minted],
  });
  await cli(["verify", ...ours, "--token", "-"], {
    stdin: secrets.keep(minted, (JSON.parse(opentok) as { token: string }).token),
    exit: 0,
  });
  const callId = sink.packets.find(({ payload }) => payload.startsWith("REGISTER"))?.correlationId ?? "";
  for (const more of [[], ["--json"]])
    await cli(["ladder", callId, "--admin", gateway!.adminUrl, ...more], { exit: 0 });
  const given = JSON.stringify(kept("passwords of the client", credential(someone(), { secret: acme })));
  const uri = `sip:${/:(.*?)"/.exec(given.slice(given.indexOf(":") + 2))?.[1] ?? ""}`;
  const register = [
    "client",
    "register",
    "--url",
    gateway!.gatewayUrl,
    "--uri",
    uri,
    "--credentials",
    "-",
    "--duration",
    "0",
  ];
  for (const more of [[], ["--json"]]) await cli([...register, ...more], { stdin: given, exit: 0 });
  const wrong = JSON.stringify(kept("passwords of the client", credential(uri.slice(4), { secret: foreign })));
  await cli([...register, "--json"], { stdin: wrong, exit: 1 });
  const token = secrets.keep(
    "JWTs of the client",
    await signToken({ alg: "HS256" }, { sub: uri.slice(4), appID: "acme", exp: now() + 60 }, shared),
  );
  await cli([...register, "--json"], { stdin: JSON.stringify({ token }), exit: 0 });
}

/** What somebody writes into argv who does not know better is not said again. */
async function withWrongUsage(): Promise<void> {
  const literal = secrets.make("secrets as arguments");
  secrets.given(literal);
  const mint = ["mint", "--user", "alice@acme.example", "--secret"];
  const wrong = [
    [...mint, literal],
    [...mint, "-", literal],
    [...mint, "-", `--password=${literal}`],
    [...mint, "-", `--jwt=${literal}`],
    ["verify", "--token", literal],
    ["verify", "--username", "1:a@acme.example", "--password", literal],
    ["client", "register", "--url", "ws://127.0.0.1:1", "--uri", "sip:a@acme.example", "--credentials", literal],
  ];
  for (const args of wrong) await cli(args, { stdin: "", exit: 2 });
}

/** Configs that are refused, at the start and by a reload, for reasons that secrets are the reason of. */
async function withFaults(gateway: Served): Promise<void> {
  const short = randomBytes(7).toString("hex");
  secrets.keepWhole("a secret that is too short", short);
  const whole = config();
  const faults = [
    whole.replace(`secret: "${exchange}"`, `secret: "${chain}"`),
    whole.replace(`alg: HS256, secret`, `alg: ES256, secret`),
    whole.replace(`alg: HS256, secret`, `alg: HS256, pem`),
    whole.replace(`secret: "${turn}"`, `secret: ["${turn}"]`),
    whole.replace(`secret: "${turn}"`, `secrets: "${turn}"`),
    whole.replace(`secret: "${turn}"`, `secret: "${short}"`),
    whole.replace(`authKey: "${homerKey}"`, `authKey: "${homerKey}${"x".repeat(300)}"`),
    whole.replace("?key=", "#key="),
    whole.replace("http://127.0.0.1:1/keys", `http://x:${short}@127.0.0.1:1/keys`),
    whole.replace(`secret: "${operator}"`, `secret: "${operator}`),
    whole.replace(`chain: { secret`, `chain: { algorithm: "${short}", secret`),
  ];
  for (const [at, text] of faults.entries()) {
    expect(text).not.toBe(whole);
    secrets.given(text);
    const other = folder.write(`faulty-${at}.yaml`, text);
    await cli(["check", "-c", other], { exit: 2 });
    await cli(["serve", "-c", other], { exit: 2 });
    if (at > 0) await cli(["doctor", "-c", other, "--json"], { exit: 2 });
  }
  folder.write("postern.yaml", faults[0]!);
  gateway.signal("SIGHUP");
  await gateway.logged("reload refused");
  folder.write("postern.yaml", whole);
  gateway.signal("SIGHUP");
  await gateway.logged('"reloaded"');
}

function readProcesses(): void {
  const all = processes();
  secrets.said("argv of every process", all.map(({ argv }) => argv).join("\n"));
  const knowing = gateways.map(({ pid }) => pid);
  for (const { pid, environment: text } of all) {
    secrets.said("environments", text, knowing.includes(pid) ? [fromEnvironment] : []);
  }
}

describe("one run in which every secret is used, rightly and wrongly,", () => {
  beforeAll(async () => {
    for (const gateway of gateways) {
      await withDigests(gateway);
      await withTokens(gateway);
      await withNoise(gateway);
      await withExchange(gateway);
      await withDataTokens(gateway);
      await withManagement(gateway);
      await withStored(gateway, `hooli${gateways.indexOf(gateway)}`);
    }
    readProcesses();
    await withCommands(gateways);
    await withWrongUsage();
    await withFaults(gateways[1]!);
    for (const gateway of gateways) expect(await ladders(gateway)).toBeGreaterThan(50);
    readProcesses();
    for (const client of clients.splice(0)) client.close();
    for (const { text, headers } of kamailio.saw().map((seen) => ({ text: seen.raw, headers: seen.headers }))) {
      for (const grant of headers("X-Postern-Grant")) secrets.keepWhole("grants", grant);
      for (const token of headers("X-Postern-Token")) secrets.keep("tokens of grants", token);
      secrets.given(text);
    }
    await cli(["audit", "list", "-c", file, "--json"], { exit: 0 });
    const key = secrets.keep(
      "the store's own key",
      readFileSync(join(folder.path, "postern.db.key"), "utf8").trimEnd(),
    );
    secrets.given(key);
    for (const end of ["", "-wal"])
      secrets.said("the store", readFileSync(join(folder.path, `postern.db${end}`), "latin1"));
    for (const [at, gateway] of gateways.entries()) secrets.said(`log of gateway ${at}`, gateway.log());
    secrets.said("Kamailio's log", kamailio.log().replace(/^.*TEST-REPORT.*$/gm, ""));
    secrets.said("what the trunk gets", trunk.messages().join("\n"));
    for (const { payload, authKey } of sink.packets) {
      secrets.said("HEP packets", `${payload}\n${authKey}`, ["the key of the HEP collector"]);
    }
  }, 120_000);

  it("uses each of them", () => {
    expect(secrets.names.length).toBeGreaterThan(30);
    expect(secrets.unused()).toEqual([]);
  });

  it("writes much, in many places", () => {
    const places = secrets.places;
    for (const place of ["log of gateway 0", "log of gateway 1", "HEP packets", "what a client gets"]) {
      expect(places.get(place), place).toBeGreaterThan(2_000);
    }
    for (const place of [
      "/metrics",
      "/openapi.json",
      "/v1/ladder",
      "/v1/customers/me",
      "/v1/exchange",
      "/v1/customers/acme/refusals",
      "/v1/audit",
    ]) {
      expect(places.get(`answers of ${place}`), place).toBeGreaterThan(1_000);
    }
    expect(places.get("the store")).toBeGreaterThan(20_000);
    for (const place of ["audit", "check", "doctor", "verify", "mint", "ladder", "client"]) {
      expect(places.get(`postern ${place}`), place).toBeGreaterThan(50);
    }
    expect(places.get("reasons of closes")).toBeGreaterThan(100);
    expect(places.get("what the trunk gets")).toBeGreaterThan(500);
    expect(places.get("argv of every process")).toBeGreaterThan(100);
  });

  it("writes none of them where it does not belong", () => {
    expect(secrets.leaks()).toEqual([]);
  });

  it("still says in the log who was proved, by their names", () => {
    expect(gateways[0]?.log()).toMatch(/"user":"alice[0-9.]+@acme\.example"/);
  });
});

describe("how a secret is looked for", () => {
  it.each([
    ["as it is", (secret: string) => `a line with ${secret} in it`],
    ["cut at the end", (secret: string) => `a line with ${secret.slice(0, 22)}`],
    ["cut at the beginning", (secret: string) => `…${secret.slice(-22)}`],
    ["in a URL", (secret: string) => encodeURIComponent(secret)],
    ["in JSON", (secret: string) => JSON.stringify({ secret })],
    ["in hexadecimal digits", (secret: string) => Buffer.from(secret).toString("hex")],
  ])("%s it is found, and not where it may be", (_, written) => {
    const own = new Secrets();
    const secret = own.make("planted");
    own.said("here", written(secret));
    own.said("there", written(secret), ["planted"]);
    expect(own.leaks()).toHaveLength(1);
    expect(own.leaks()[0]).toMatch(/^planted in here/);
  });

  it("twin: what only looks like one is none: usernames, nonces, other tokens", () => {
    const others = [
      someone(),
      `${now()}:alice@acme.example`,
      "eyJhbGciOiJIUzI1NiJ9",
      randomBytes(32).toString("base64"),
    ];
    expect(others.flatMap((text) => secrets.in(text))).toEqual([]);
  });
});
