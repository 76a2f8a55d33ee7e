import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, readFileSync, rmSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { json as jsonOf } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startPostern } from "../helpers/cli.ts";
import { ConfigFolder } from "../helpers/config-file.ts";
import { acmeSecret, chainSecret } from "../helpers/gateway.ts";
import { managementToken } from "../helpers/management.ts";
import { freePort } from "../helpers/ports.ts";
import { answer, code, credential, RawClient, type RawClientOptions, status, unique } from "../helpers/raw-client.ts";
import { type RequestParts, request } from "../helpers/raw-sip.ts";
import { type Served, served } from "../helpers/served.ts";

const deploy = fileURLToPath(new URL("../../deploy/fail2ban", import.meta.url));
const filter = join(deploy, "filter.d/postern.conf");
const program = fileURLToPath(new URL("../helpers/fail2ban.sh", import.meta.url));
const unavailable = 69;

const fail2ban = (...args: readonly string[]) =>
  spawnSync("sh", [program, ...args], { encoding: "utf8", timeout: 120_000 });
const regex = (...args: readonly string[]) => fail2ban("fail2ban-regex", ...args);
const version = regex("--version");
const why = version.status === unavailable ? ` (skipped: ${version.stderr.trim().split("\n").at(-1)})` : "";

const folder = new ConfigFolder();
let gateway: Served;
const clients: RawClient[] = [];

beforeAll(async () => {
  const upstream = `ws://127.0.0.1:${await freePort()}`;
  const file = folder.write("postern.yaml", yaml(upstream));
  gateway = await served(startPostern(["serve", "-c", file]));
});
afterAll(async () => {
  for (const client of clients) client.close();
  gateway.signal("SIGINT");
  await gateway.ended;
  folder.remove();
});

/** Nobody is upstream: what is accepted is refused afterwards, with 503. */
const yaml = (upstream: string): string => `\
gateway:
  listen: ws://127.0.0.1:0
  limits: { messagesPerSecond: 20, failuresPerMinute: 5 }
upstream: { urls: ["${upstream}"], proxyProtocol: off }
chain: { secret: ${chainSecret} }
exchange: { secret: the-exchange-secret-of-the-tests }
admin: { listen: "http://127.0.0.1:0" }
customers:
  - id: acme
    domains: [acme.example]
    secrets: [{ id: k1, secret: ${acmeSecret} }]
    origins: ["https://www.acme.example", "https://*.acme.example"]
`;

async function from(address: string, options: RawClientOptions = {}): Promise<RawClient> {
  const client = await RawClient.connect(gateway.gatewayUrl, {
    ...options,
    ws: { ...options.ws, localAddress: address },
  });
  clients.push(client);
  return client;
}

const wrong = (user: string) => credential(user, { secret: "a-wrong-secret-of-the-tests" });

interface Ask {
  readonly path: string;
  readonly json?: object;
  readonly form?: string;
  readonly origin?: string;
}

/** One request to the exchange from this address, and what its answer's `code` is. */
async function http(localAddress: string, { path, json, form, origin }: Ask): Promise<{ code?: unknown }> {
  const body = json ? JSON.stringify(json) : form;
  const type = json ? "application/json" : "application/x-www-form-urlencoded";
  const headers = { ...(body !== undefined && { "content-type": type }), ...(origin && { origin }) };
  const url = gateway.gatewayUrl.replace(/^ws/, "http") + path;
  const asked = httpRequest(url, { method: body === undefined ? "GET" : "POST", localAddress, headers });
  const [response] = (await once(asked.end(body), "response")) as [IncomingMessage];
  return (await jsonOf(response)) as { code?: unknown };
}

/** The log so far. The gateway writes it after its answers: a line that is begun now comes after all of theirs. */
async function written(): Promise<string> {
  const origin = `https://mark-${unique()}.acme.example`;
  await from("127.0.0.99", { origin });
  await gateway.logged(origin);
  return gateway.log();
}

/** Addresses that fail2ban would count from this log, each as often as it would. */
function counted(log: string): string[] {
  const { stdout, status: exit, stderr } = regex("-o", "<ip>", folder.write("log", log), filter);
  if (exit !== 0) throw new Error(`fail2ban-regex: ${stderr}${stdout}`);
  return stdout.split("\n").filter(Boolean);
}

const times = async (address: string): Promise<number> =>
  counted(await written()).filter((one) => one === address).length;

describe.skipIf(version.status === unavailable)(`the fail2ban filter on a gateway's own log${why}`, () => {
  it("counts each wrong credential, under the address that it came from", async () => {
    const client = await from("127.0.0.11");
    for (const user of ["alice", "bob"]) {
      const refused = await client.register(`${user}@acme.example`, wrong(`${user}@acme.example`));
      expect(code(refused)).toBe("credential-rejected");
    }
    expect(await times("127.0.0.11")).toBe(2);
  });

  it("counts a malformed and a replayed credential", async () => {
    const client = await from("127.0.0.12");
    const good = credential("alice@acme.example");
    const malformed = { ...good, username: "alice@acme.example" };
    expect(code(await client.register("alice@acme.example", malformed))).toBe("credential-malformed");
    expect(await times("127.0.0.12")).toBe(1);
    const challenge = await client.ask(register({ cseq: 7 }));
    const again = async (cseq: number): Promise<string> => {
      const proof = answer(challenge, "REGISTER", "sip:acme.example", good);
      return client.ask(register({ cseq, extra: [proof] }));
    };
    expect(status(await again(8))).toBe(503);
    expect(code(await again(9))).toBe("credential-replayed");
    expect(await times("127.0.0.12")).toBe(2);
  });

  it("counts who goes on above failuresPerMinute, and noise; no page, for its visitors are many and did not write it", async () => {
    const client = await from("127.0.0.13");
    let last = "";
    for (let tried = 0; tried < 6; tried++) last = await client.register("eve@acme.example", wrong("eve@acme.example"));
    expect(code(last)).toBe("rate-limited");
    expect(await times("127.0.0.13")).toBe(6);

    const page = await from("127.0.0.14", { origin: "https://www.elsewhere.example" });
    await page.closed;
    expect(await written()).toMatch(/"address":"127.0.0.14","code":"origin-denied".*"msg":"turned away"/);
    expect(await times("127.0.0.14")).toBe(0);

    const noise = await from("127.0.0.15");
    noise.send("GET / HTTP/1.1\r\n\r\n");
    await noise.closed;
    expect(await times("127.0.0.15")).toBe(1);

    const flood = await from("127.0.0.16");
    for (let sent = 0; sent < 60; sent++) flood.send(request(register({ cseq: sent + 1 })));
    await flood.closed;
    expect(await times("127.0.0.16")).toBeGreaterThan(0);
  });

  it("counts the same over HTTP, in each of the exchange's forms", async () => {
    const [expires = "", name = ""] = credential("alice@acme.example").username.split(":");
    const page = (key: string): string => `?${new URLSearchParams({ username: name, key, expires })}`;
    const form = (code: string): string =>
      new URLSearchParams({ grant_type: "authorization_code", code, client_id: "alice@acme" }).toString();
    const foreign = managementToken({ sub: "a@acme.example", exp: Number(expires) }, "a-wrong-secret-of-the-tests");
    const asked: [code: string | undefined, ask: Ask][] = [
      ["credential-rejected", { path: "/v1/exchange", json: wrong("alice@acme.example") }],
      ["credential-rejected", { path: `/rest/authentication/createToken${page("wrong")}` }],
      [undefined, { path: "/authenticate", form: form(foreign) }],
      ["credential-malformed", { path: "/v1/exchange", json: { username: "alice", password: "x" } }],
      ["credential-rejected", { path: "/v1/exchange", json: wrong("alice@acme.example") }],
      ["credential-rejected", { path: "/v1/exchange", json: wrong("alice@acme.example") }],
      ["rate-limited", { path: "/v1/exchange", json: credential("alice@acme.example") }],
      ["credential-rejected", { path: "/v1/data-tokens", json: { appID: "x", userID: "a", application_token: "b" } }],
    ];
    for (const [code, ask] of asked) expect((await http("127.0.0.17", ask)).code).toBe(code);
    expect(await times("127.0.0.17")).toBe(asked.length);
    for (const way of ["exchange", "voxbone", "authenticate", "data-tokens"]) {
      expect(gateway.log()).toContain(`"address":"127.0.0.17","way":"${way}"`);
    }
  });

  it("does not count over HTTP what is good, expired, or no message at all", async () => {
    const expired = credential("alice@acme.example", { now: Math.floor(Date.now() / 1000) - 3600 });
    const origin = "https://www.elsewhere.example";
    const asked: [code: string | undefined, ask: Ask][] = [
      [undefined, { path: "/v1/exchange", json: credential("alice@acme.example") }],
      ["credential-expired", { path: "/v1/exchange", json: expired }],
      ["origin-denied", { path: "/v1/exchange", json: credential("alice@acme.example"), origin }],
      ["message-malformed", { path: "/v1/exchange", json: {} }],
      ["message-too-big", { path: `/${"x".repeat(20_000)}` }],
    ];
    for (const [code, ask] of asked) expect((await http("127.0.0.22", ask)).code).toBe(code);
    expect(await written()).toContain(`"address":"127.0.0.22","way":"exchange"`);
    expect(await times("127.0.0.22")).toBe(0);
  });

  it("does not count a challenge, a good credential, an expired one, or a right that lacks", async () => {
    const address = "127.0.0.21";
    const client = await from(address, { origin: "https://www.acme.example" });
    const challenge = await client.ask(register());
    expect(status(challenge)).toBe(401);
    expect(status(await client.register("alice@acme.example", credential("alice@acme.example")))).toBe(503);
    const expired = credential("alice@acme.example", { now: Math.floor(Date.now() / 1000) - 3600 });
    const late = await from(address);
    expect(code(await late.register("alice@acme.example", expired))).toBe("credential-expired");
    const abroad = { ...register(), method: "INVITE", uri: "sip:+19005550100@acme.example", to: "x@acme.example" };
    const denied = await client.prove({ ...abroad, callId: unique() }, credential("alice@acme.example"));
    expect(code(denied)).toBe("destination-denied");
    expect(await written()).toContain(`"address":"${address}","customer":"acme","method":"INVITE"`);
    expect(await times(address)).toBe(0);
  });

  it("cannot be made to count somebody else, by nothing that a client may write", async () => {
    const victim = "203.0.113.9";
    const page = (text: string): string => `https://${text}.acme.example`;
    const line = `{"level":"info","time":"2026-01-01T00:00:00.000Z","address":"${victim}","code":"credential-rejected","reason":"x","msg":"turned away"}`;
    const tail = `x","address":"${victim}","code":"credential-rejected","reason":"x","msg":"refused"}`;
    for (const text of [line, tail, tail.replaceAll('"', "\\u0022"), tail.replaceAll('"', '\\"')]) {
      await from("127.0.0.31", { origin: text }).then((client) => client.closed);
      await from("127.0.0.31", { origin: page(text) });
      const client = await from("127.0.0.32", { ws: { headers: { "User-Agent": text, "X-Forwarded-For": victim } } });
      await client.register("alice@acme.example", { ...wrong("x"), username: text.replaceAll('"', '\\"') });
      const quoted = `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
      const address = "127.0.0.34";
      await http(address, { path: "/v1/exchange", json: { username: `1:${text}`, password: text }, origin: text });
      await http(address, { path: `/rest/authentication/createToken?jsonp=${encodeURIComponent(text)}` });
      for (const hostile of [
        request(register()).replace("From: <", `From: ${quoted} <`),
        request(register()).replace("REGISTER sip", `${text} sip`),
        request(register()).replace("Call-ID: ", `Call-ID: ${text}`),
        `${request(register())}\r\n${line}\r\n`,
        `\r\n${line}\r\n`,
        `${line}\r\n\r\n`,
      ]) {
        const one = await from("127.0.0.33");
        one.send(hostile);
        one.send("no SIP at all\r\n\r\n");
        await one.closed;
      }
    }
    const log = await written();
    expect(log.split(victim).length).toBeGreaterThan(4);
    expect(counted(log)).not.toContain(victim);
    expect(await times("127.0.0.31")).toBe(0);
    expect(await times("127.0.0.33")).toBeGreaterThan(0);
  });

  it("has a jail that fail2ban takes", () => {
    const place = join(folder.path, "fail2ban");
    cpSync(fail2ban("config").stdout.trim(), place, { recursive: true });
    // Debian's own jail wants a log of sshd.
    rmSync(join(place, "jail.d"), { recursive: true });
    cpSync(deploy, place, { recursive: true });
    const tested = () => fail2ban("fail2ban-client", "-c", place, "-t").status;
    expect(tested()).toBe(0);
    const dumped = fail2ban("fail2ban-client", "-c", place, "-d").stdout;
    expect(dumped).toContain("['add', 'postern', 'systemd']");
    expect(dumped).toContain("['set', 'postern', 'maxretry', 100]");
    const jail = readFileSync(join(place, "jail.d/postern.conf"), "utf8");
    folder.write("fail2ban/jail.d/postern.conf", jail.replace(/^filter .*$/m, "filter = absent"));
    expect(tested()).not.toBe(0);
  });

  it("reads the same lines as journald gives them", async () => {
    const log = await written();
    const prefixed = log.replace(/^(?=.)/gm, "host.example postern[4711]: ");
    expect(counted(prefixed)).toEqual(counted(log));
    expect(counted(log).length).toBeGreaterThan(10);
  });
});

const register = (more: Partial<RequestParts> = {}): RequestParts => {
  const address = "alice@acme.example";
  const callId = more.callId ?? `fail2ban-${unique()}`;
  return {
    method: "REGISTER",
    uri: "sip:acme.example",
    from: address,
    to: address,
    fromTag: "f",
    cseq: 1,
    callId,
    ...more,
  };
};
