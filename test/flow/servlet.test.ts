import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { runInNewContext } from "node:vm";
import { jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readClaims } from "../../src/auth/claims.ts";
import { verify } from "../../src/auth/ephemeral.ts";
import { Customers } from "../../src/core/customers.ts";
import { isJsonObject, parseStrictJson } from "../../src/core/strict-json.ts";
import { ConfigFolder } from "../helpers/config-file.ts";
import { customer } from "../helpers/customers.ts";

const main = fileURLToPath(new URL("../../examples/servlet/servlet.ts", import.meta.url));
const sipSecret = "a-secret-of-acme-16";
const jwtSecret = "a-shared-secret-of-acme-32-bytes";
const acme = customer({ secrets: [{ id: "k1", secret: sipSecret, algorithm: "sha1" }] });
const now = (): number => Math.floor(Date.now() / 1000);

const folder = new ConfigFolder();
const running: ChildProcess[] = [];
afterAll(async () => {
  for (const child of running.splice(0)) {
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await once(child, "close");
  }
  folder.remove();
});

const environment = { SIP_SECRET: sipSecret, JWT_SECRET: jwtSecret, JWT_KEY_ID: "k2", PORT: "0" };

function spawned(env: Readonly<Record<string, string>>): ChildProcess {
  return spawn(process.execPath, [main], { env, stdio: ["ignore", "pipe", "pipe"] });
}

/** Its address, as it says it. */
const servlet = (env: Readonly<Record<string, string>> = {}): Promise<string> => begun({ ...environment, ...env });

async function begun(env: Readonly<Record<string, string>>): Promise<string> {
  const child = spawned(env);
  running.push(child);
  const [line] = await once(createInterface(child.stdout!), "line");
  return String(line).replace("servlet ", "");
}

/** The cookie of a session under that name. */
async function logIn(site: string, user: string): Promise<string> {
  const body = new URLSearchParams({ user });
  const response = await fetch(`${site}/login`, { method: "POST", body, redirect: "manual" });
  expect(response.status).toBe(303);
  const cookie = response.headers.get("set-cookie") ?? "";
  expect(cookie).toMatch(/; HttpOnly; SameSite=Strict/);
  return cookie.split(";")[0]!;
}

let site: string;
let alice: string;
beforeAll(async () => {
  site = await servlet();
  alice = await logIn(site, "alice");
});

type Headers = Readonly<Record<string, string>>;
const ask = (path: string, headers: Headers = {}): Promise<Response> => fetch(`${site}${path}`, { headers });

/** What a page has as voxrtc_config after that script. */
function runScript(script: string): { key?: string; expires?: number; username?: string } {
  const page: { voxrtc_config?: object } = {};
  runInNewContext(script, page);
  return JSON.parse(JSON.stringify(page.voxrtc_config));
}

async function voxrtcConfig(headers: Headers) {
  const response = await ask("/voxrtc_config.js", headers);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/javascript; charset=utf-8"]);
  return runScript(await response.text());
}

describe("the example servlet", () => {
  it("listens on loopback alone, and says where", () => {
    expect(site).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it("gives the visitor of a session a credential that the gateway takes", async () => {
    const response = await ask("/sip-credential", { cookie: alice });
    expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
    const { username, password, ttl } = (await response.json()) as { username: string; password: string; ttl: number };
    expect(ttl).toBe(300);
    const verdict = verify(new Customers([acme]), { username, password }, now());
    expect(verdict).toMatchObject({ accepted: true, user: "alice@acme.example", secret: "k1" });
    const other = customer({ secrets: [{ id: "k1", secret: "another-secret-of-acme", algorithm: "sha1" }] });
    const wrong = verify(new Customers([other]), { username, password }, now());
    expect(wrong).toMatchObject({ accepted: false, code: "credential-rejected" });
  });

  it("gives a token that the shared secret proves, with claims that the gateway reads", async () => {
    const { token } = (await (await ask("/token", { cookie: alice })).json()) as { token: string };
    const { payload, protectedHeader } = await jwtVerify(token, Buffer.from(jwtSecret), { algorithms: ["HS256"] });
    expect(protectedHeader).toEqual({ alg: "HS256", typ: "JWT", kid: "k2" });
    expect(payload).toMatchObject({ iss: "acme", sub: "alice@acme.example", exp: expect.closeTo(now() + 300, -1) });
    const parsed = parseStrictJson(JSON.stringify(payload));
    const read = parsed.kind === "value" && isJsonObject(parsed.value) ? readClaims(parsed.value) : undefined;
    expect(read).toMatchObject({ kind: "claims", claims: { user: "alice", domain: "acme.example", issuer: "acme" } });
    await expect(jwtVerify(token, Buffer.from(sipSecret.padEnd(32)))).rejects.toThrow("signature");
  });

  it("signs tokens with a private key where it has one", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const file = folder.write("key.pem", privateKey.export({ type: "pkcs8", format: "pem" }));
    const other = await servlet({ JWT_PRIVATE_KEY_FILE: file });
    const cookie = await logIn(other, "alice");
    const { token } = (await (await fetch(`${other}/token`, { headers: { cookie } })).json()) as { token: string };
    const { payload } = await jwtVerify(token, publicKey, { algorithms: ["ES256"] });
    expect(payload.sub).toBe("alice@acme.example");
    const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
    await expect(jwtVerify(token, stranger)).rejects.toThrow("signature");
  });

  it("needs the secret alone for credentials, and says what tokens need besides", async () => {
    const other = await begun({ SIP_SECRET: sipSecret, PORT: "0" });
    const headers = { cookie: await logIn(other, "alice") };
    expect((await fetch(`${other}/sip-credential`, { headers })).status).toBe(200);
    const response = await fetch(`${other}/token`, { headers });
    expect([response.status, await response.text()]).toEqual([404, expect.stringContaining("JWT_KEY_ID")]);
  });

  it.each(["/sip-credential", "/token"])("gives nobody %s without a session", async (path) => {
    expect((await ask(path)).status).toBe(401);
    expect((await ask(path, { cookie: `session=${"A".repeat(32)}` })).status).toBe(401);
    expect((await ask(`${path}?user=alice`, { cookie: "user=alice" })).status).toBe(401);
  });

  it.each(["/sip-credential", "/token"])("gives a foreign page no %s, session or not", async (path) => {
    const response = await ask(path, { cookie: alice, origin: "https://evil.example" });
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([403, null]);
    expect((await ask(path, { cookie: alice, origin: site })).status).toBe(200);
  });

  it("has nothing else", async () => {
    for (const path of ["/toString", "/../servlet.ts", "//", "/token/"]) expect((await ask(path)).status).toBe(404);
  });
});

describe("voxrtc_config.js", () => {
  it("holds, for the site's own page, what Voxbone's library presents", async () => {
    const {
      key = "",
      expires = 0,
      username = "",
    } = await voxrtcConfig({ cookie: alice, referer: `${site}/call.html` });
    expect([username, expires - now()]).toEqual(["alice@acme.example", expect.toBeOneOf([298, 299, 300])]);
    const verdict = verify(new Customers([acme]), { username: `${expires}:${username}`, password: key }, now());
    expect(verdict).toMatchObject({ accepted: true, user: "alice@acme.example" });
  });

  it("has the form that Voxbone's servlet wrote", async () => {
    const script = await (await ask("/voxrtc_config.js", { cookie: alice, referer: `${site}/` })).text();
    expect(script).toMatch(/^var voxrtc_config = \{"key":"[A-Za-z0-9+/]{27}=","expires":\d{10},"username":".*"\};\n$/);
  });

  it("takes the Origin for the Referer", async () => {
    expect(await voxrtcConfig({ cookie: alice, origin: site })).toHaveProperty("key");
  });

  it.each<[string, (site: string) => Headers]>([
    ["another site's", () => ({ referer: "https://evil.example/" })],
    ["one whose host begins with the site's", (own) => ({ referer: `${own}.evil.example/` })],
    ["one whose user name is the site's host", (own) => ({ referer: `${own}@evil.example/` })],
    ["one that names the site in its path", (own) => ({ referer: `https://evil.example/${own}/` })],
    ["the site's host under https", (own) => ({ referer: own.replace("http:", "https:") })],
    ["one that is no URL", () => ({ referer: "127.0.0.1" })],
    ["a sandboxed page's null", () => ({ origin: "null" })],
    ["another's Origin beside the own Referer", (own) => ({ origin: "https://evil.example", referer: `${own}/` })],
    ["none at all", () => ({})],
  ])("is {} where the Referer is %s", async (_name, headers) => {
    expect(await voxrtcConfig({ cookie: alice, ...headers(site) })).toEqual({});
  });

  it("is {} for who has not logged in", async () => {
    expect(await voxrtcConfig({ referer: `${site}/` })).toEqual({});
  });
});

describe("names that are hostile to pages", () => {
  const named = async (name: string): Promise<Headers> => ({ cookie: await logIn(site, name), referer: `${site}/` });

  it.each(["</script><script>alert(1)</script>", '"};alert(1)//', "<img src=x onerror=alert(1)>", "a\u2028b"])(
    "%s breaks out of nothing, and is no SIP user",
    async (name) => {
      const headers = await named(name);
      const page = await (await ask("/", headers)).text();
      expect(page.match(/<[a-z!/]+/g)).toEqual(["<!doctype", "<title", "</title", "<p", "</p", "<script", "</script"]);
      expect(await voxrtcConfig(headers)).toEqual({});
      for (const path of ["/sip-credential", "/token"]) expect((await ask(path, headers)).status).toBe(422);
    },
  );

  it("o'hara&$*(x) is a user like others", async () => {
    const headers = await named("o'hara&$*(x)");
    expect(await (await ask("/", headers)).text()).toContain("Hello o&#39;hara&amp;$*(x)");
    const script = await (await ask("/voxrtc_config.js", headers)).text();
    expect(script).not.toMatch(/[<>&]/);
    const { key = "", expires, username } = runScript(script);
    const verdict = verify(new Customers([acme]), { username: `${expires}:${username}`, password: key }, now());
    expect(verdict).toMatchObject({ accepted: true, user: "o'hara&$*(x)@acme.example" });
  });

  it("writes nothing into a script that could end it, whatever the domain is", async () => {
    const other = await servlet({ SIP_DOMAIN: "</script><!--\u2028" });
    const headers = { cookie: await logIn(other, "alice"), referer: `${other}/` };
    const script = await (await fetch(`${other}/voxrtc_config.js`, { headers })).text();
    expect(script).not.toMatch(/[<>\u2028]/);
    expect(runScript(script).username).toBe("alice@</script><!--\u2028");
  });

  it("a login that is too long, empty, or another site's is none", async () => {
    const post = (body: string, headers: Headers = {}): Promise<Response> => {
      const form = { "content-type": "application/x-www-form-urlencoded", ...headers };
      return fetch(`${site}/login`, { method: "POST", body, headers: form, redirect: "manual" });
    };
    expect((await post(`user=${"a".repeat(101)}`)).status).toBe(400);
    expect((await post(`user=${"a".repeat(2000)}`)).status).toBe(413);
    expect((await post("")).status).toBe(400);
    expect((await post("user=bob", { origin: "https://evil.example" })).status).toBe(403);
    expect((await post("user=bob", { origin: site })).status).toBe(303);
  });
});

describe("a servlet that is set up wrongly", () => {
  const cases: readonly [string, Readonly<Record<string, string>>, string][] = [
    ["no secret", { SIP_SECRET: "" }, "SIP_SECRET is not set"],
    ["no key", { JWT_SECRET: "" }, "JWT_SECRET is not set"],
    ["no key's id", { JWT_KEY_ID: "" }, "JWT_KEY_ID is not set"],
    ["the toy login for everybody", { HOST: "0.0.0.0" }, "HOST is not loopback: the toy login believes everybody"],
    ["no port", { PORT: "x" }, "PORT is no port"],
  ];

  it.each(cases)("does not start: %s", async (_name, env, sentence) => {
    const child = spawned({ ...environment, ...env });
    let said = "";
    child.stderr!.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    const [exit] = await once(child, "close");
    expect(exit).toBe(2);
    expect(said).toContain(`servlet: ${sentence}`);
    expect(said).not.toContain(sipSecret);
  });

  it("does not start with a key of another curve", async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
    const file = folder.write("p384.pem", privateKey.export({ type: "pkcs8", format: "pem" }));
    const child = spawned({ ...environment, JWT_PRIVATE_KEY_FILE: file });
    const [[exit], said] = await Promise.all([once(child, "close"), child.stderr!.toArray()]);
    expect(exit).toBe(2);
    expect(said.join("")).toContain("holds no P-256 key");
  });
});
