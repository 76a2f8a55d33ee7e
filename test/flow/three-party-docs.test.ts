import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { permissions } from "../../src/core/identity.ts";
import { ApplicationService } from "../helpers/application-service.ts";
import { ConfigFolder, least } from "../helpers/config-file.ts";
import { blocksIn, examplesIn, matches, send, spelled } from "../helpers/documented.ts";
import { startGateway, type TestGateway } from "../helpers/gateway.ts";
import { freePort } from "../helpers/ports.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(join(root, "docs/three-party.md"), "utf8");
const examples = examplesIn(page);
const publicUrl = "wss://sip.acme.example:8443";

/** What the gateway asked the application service, and what that answered. */
interface Exchange {
  readonly type: string | undefined;
  readonly asked: string;
  readonly status: number;
  readonly answer: string;
}

/** Stands at permissionUrl and passes on, to whichever service is looked at. */
class Front {
  target = "";
  readonly exchanges: Exchange[] = [];
  readonly #server: Server = createServer(async (request, response) => {
    const asked = await text(request);
    const answered = await fetch(`${this.target}/permissions`, { method: "POST", body: asked });
    const { status } = answered;
    const answer = await answered.text();
    this.exchanges.push({ type: request.headers["content-type"], asked, status, answer });
    response.writeHead(status, { "content-type": "application/json" }).end(answer);
  });

  async open(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/permissions`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

const front = new Front();
const folder = new ConfigFolder();
let gateway: TestGateway;
let service: ApplicationService;
const values: Record<string, string> = {};
const http = (): string => gateway.gatewayUrl.replace("ws:", "http:");

beforeAll(async () => {
  const permissionUrl = await front.open();
  execFileSync("sh", ["-eu", "-c", blocksIn(page, "sh").find((one) => one.includes("openssl")) ?? "false"], {
    cwd: folder.path,
    stdio: "ignore",
  });
  const publicKey = readFileSync(join(folder.path, "acme-permissions-public.pem"), "utf8");
  gateway = await startGateway({
    upstreamUrls: ["ws://127.0.0.1:9"],
    gateway: `  publicUrl: ${publicUrl}\n`,
    acme: `\
    origins: ["https://www.acme.example"]
    keys: [{ id: permissions, alg: ES256, pem: ${JSON.stringify(publicKey)} }]
    permissionUrl: "${permissionUrl}"
`,
    more: 'exchange: { secret: the-exchange-secret-of-tests, callbackNetworks: ["127.0.0.0/8"] }',
  });
  service = await ApplicationService.start({
    GATEWAY_URL: http(),
    GATEWAY_ISSUER: publicUrl,
    PRIVATE_KEY_FILE: join(folder.path, "acme-permissions.pem"),
  });
  front.target = service.url;
  values.SESSION = await service.logIn("alice");
});

afterAll(async () => {
  await gateway?.close();
  await service?.stop();
  front.close();
  folder.remove();
});

const partsOf = (jws: string): readonly string[] =>
  jws
    .split(".")
    .slice(0, 2)
    .map((part) => Buffer.from(part, "base64url").toString());

/** Numbers of seconds since 1970 as the page has them: what is said about them is how far apart they are. */
const anyTime = (json: string): string => json.replace(/"(iat|exp)":\d{10}/g, '"$1":…');

describe("docs/three-party.md", () => {
  it("has examples, every request with its answer", () => {
    expect(examples.length).toBeGreaterThan(8);
    expect(blocksIn(page, "http").length).toBe(examples.length);
  });

  // In the page's order, for a later example shows the token of an earlier one.
  it.each(examples.map((example, at) => [at, example.request.split("\n")[0], example] as const))(
    "%i: %s",
    async (_at, _start, { request, status, expected }) => {
      const to = (path: string): string => (path === "/app-token" ? service.url : http());
      const response = await send(request, values, to);
      const given = await response.text();
      expect(response.status, given).toBe(status);
      matches(given.replace(/"expires_in":(299\d|3000)/, '"expires_in":3000'), spelled(expected));
      const answer = JSON.parse(given) as Record<string, string>;
      if (answer.application_token) values.APPLICATION_TOKEN = answer.application_token;
      if (answer.data_token) values.DATA_TOKEN = answer.data_token;
    },
  );

  it("shows the message that the gateway sends, and the answer that it understands", () => {
    const [exchange] = front.exchanges;
    const question = JSON.parse(exchange?.asked ?? "") as { getPermissionToken: string };
    expect([exchange?.type, Object.keys(question)]).toEqual(["application/json", ["getPermissionToken"]]);
    const asked = partsOf(question.getPermissionToken);
    for (const [at, written] of blocksIn(page, "json getPermissionToken").entries())
      matches(anyTime(asked[at] ?? ""), anyTime(spelled(written)));
    const { iat, exp } = JSON.parse(asked[1] ?? "") as { iat: number; exp: number };
    expect(exp - iat).toBe(30);
    const { permission_token } = JSON.parse(exchange?.answer ?? "") as { permission_token: string };
    const answered = partsOf(permission_token);
    for (const [at, written] of blocksIn(page, "json permission_token").entries())
      matches(anyTime(answered[at] ?? ""), anyTime(spelled(written)));
  });

  it("shows how the service says no, as it does", () => {
    const refused = front.exchanges.find(({ status }) => status === 403);
    matches(refused?.answer ?? "", spelled(blocksIn(page, "json 403")[0] ?? ""));
  });

  it("has a config that loads", () => {
    folder.write("exchange.secret", "exchange-secret-of-the-test");
    const customers = blocksIn(page, "yaml").join("");
    expect(folder.faults(`${least}${customers}`)).toEqual([]);
  });

  it("names every permission", () => {
    for (const name of permissions) expect(page).toContain(`| \`${name}\` |`);
  });

  it.each([
    ["page", "three-party.js"],
    ["sipjs", "three-party-sipjs.js"],
  ])("shows the %s that runs in a browser, as it runs", (name, file) => {
    const source = readFileSync(join(root, "test/browser/pages", file), "utf8");
    const shown = /^\/\/ --- shown in docs\/three-party\.md\n([\s\S]*?)^\/\/ --- end$/m.exec(source)?.[1] ?? "none";
    expect(blocksIn(page, `js ${name}`)).toEqual([`${shown.trim()}\n`]);
  });

  it("sets up a customer of the store by its commands", () => {
    const lines = blocksIn(page, "sh").find((one) => one.includes("postern key add")) ?? "none";
    folder.write("postern.yaml", least);
    const cli = `node ${join(root, "src/cli/main.ts")}`;
    const script = `postern customer add acme --domain acme.example\n${lines}postern customer show acme\n`;
    const { PATH = "", HOME = "" } = process.env;
    const said = execFileSync("sh", ["-eu", "-c", script.replaceAll("postern ", `${cli} `)], {
      ...{ cwd: folder.path, env: { PATH, HOME }, stdio: "pipe", encoding: "utf8" },
    });
    const shown = JSON.parse(said.slice(said.lastIndexOf("\n{\n"))) as object;
    expect(shown).toMatchObject({
      permissionUrl: "https://www.acme.example/permissions",
      keys: [{ id: "permissions", alg: "ES256", pem: expect.stringContaining("BEGIN PUBLIC KEY") }],
    });
  });

  it("links to what is there", () => {
    const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) => title.toLowerCase().replaceAll(" ", "-"));
    for (const [, link = ""] of page.matchAll(/\]\(([^)]+)\)/g)) {
      const [file = "", anchor] = link.split("#");
      if (file === "") expect(anchors, link).toContain(anchor);
      else expect(existsSync(join(root, "docs", file)), link).toBe(true);
    }
  });
});

describe("the application service in docs/three-party.md", () => {
  const children: ChildProcess[] = [];

  /** Its URL. It knows one visitor more, whose name is an address. keys: where it looks for the gateway's. */
  async function start(keys: string, stderr: "inherit" | "ignore"): Promise<string> {
    const port = await freePort();
    const [source = ""] = blocksIn(page, "js service");
    const here = source
      .replace("https://sip.acme.example:8443", keys)
      .replace("3001", String(port))
      .replace(
        '"alice" : undefined',
        '"alice" : applicationToken === "another visitor" ? "bob@acme.example" : undefined',
      );
    folder.write(`service-${port}.mjs`, here);
    const stdio = ["ignore", "inherit", stderr] as const;
    children.push(spawn(process.execPath, [`service-${port}.mjs`], { cwd: folder.path, stdio: [...stdio] }));
    await vi.waitFor(() => fetch(`http://127.0.0.1:${port}`), { timeout: 15_000 });
    return `http://127.0.0.1:${port}`;
  }

  beforeAll(async () => {
    front.target = await start(http(), "inherit");
  });
  afterAll(() => {
    for (const child of children) child.kill("SIGTERM");
  });

  const authenticate = async (userID: string, application_token: string) => {
    const body = JSON.stringify({ appID: "acme", userID, application_token });
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${http()}/v1/data-tokens`, { method: "POST", headers, body });
    return { status: response.status, ...((await response.json()) as Record<string, unknown>) };
  };

  it("is tried by curl as it stands there", () => {
    const curl = blocksIn(page, "sh").find((one) => one.startsWith("curl")) ?? "false";
    const here = curl.replace("https://sip.acme.example:8443", http());
    const run = promisify(execFile)("sh", ["-eu", "-c", here], { encoding: "utf8" });
    return expect(run.then(({ stdout }) => JSON.parse(stdout))).resolves.toMatchObject({ token_type: "bearer" });
  });

  it("works as it stands there", async () => {
    expect(await authenticate("alice", "what the page was given")).toMatchObject({
      status: 200,
      permissions: ["CreateConference", "SubmitConferenceEvent", "SubmitConferenceStats"],
    });
  });

  it("says no to whom it does not know, and to who is somebody else", async () => {
    const denied = { status: 403, code: "application-denied" };
    expect(await authenticate("alice", "another")).toMatchObject({ ...denied, error: "invalid_application_token" });
    const other = await authenticate("bob", "what the page was given");
    expect(other).toMatchObject({ ...denied, error: "access_denied", error_description: "you are somebody else" });
    const called = await authenticate("bob@acme.example", "another visitor");
    expect(called).toMatchObject({ ...denied, error: "access_denied" });
  });

  it("answers each message once, and nothing that the gateway did not sign", async () => {
    const post = (body: string) => fetch(`${front.target}/permissions`, { method: "POST", body });
    const { asked } = front.exchanges.at(-1)!;
    expect((await post(asked)).status).toBe(401);
    expect((await post(asked.replace(/.{4}"}$/, 'AAAA"}'))).status).toBe(401);
    expect((await post("{}")).status).toBe(400);
  });

  it("sends nobody away for good because it cannot have the gateway's keys", async () => {
    const url = await start("http://127.0.0.1:9", "ignore");
    const { asked: body } = front.exchanges.at(-1)!;
    expect((await fetch(`${url}/permissions`, { method: "POST", body })).status).toBe(503);
  });

  it("asks for the gateway's keys no more often because strangers invent names of keys", async () => {
    let fetched = 0;
    const keys = createServer((_request, response) => {
      fetched++;
      response.end('{"keys":[]}');
    }).listen(0, "127.0.0.1");
    await once(keys, "listening");
    const url = await start(`http://127.0.0.1:${(keys.address() as AddressInfo).port}`, "ignore");
    const header = Buffer.from('{"alg":"ES256","typ":"getPermissionToken+jwt","kid":"invented"}').toString("base64url");
    const body = JSON.stringify({ getPermissionToken: `${header}.e30.AAAA` });
    const post = async () => (await fetch(`${url}/permissions`, { method: "POST", body })).status;
    expect(await Promise.all(Array.from({ length: 20 }, post))).toEqual(Array.from({ length: 20 }, () => 401));
    expect(fetched).toBe(1);
    keys.close();
    keys.closeAllConnections();
  });
});
