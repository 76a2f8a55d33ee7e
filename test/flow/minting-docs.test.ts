import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readClaims } from "../../src/auth/claims.ts";
import { verify } from "../../src/auth/ephemeral.ts";
import { Customers } from "../../src/core/customers.ts";
import { codes } from "../../src/core/errors.ts";
import { permissions } from "../../src/core/identity.ts";
import { isJsonObject, parseStrictJson } from "../../src/core/strict-json.ts";
import { startPostern } from "../helpers/cli.ts";
import { ConfigFolder, least } from "../helpers/config-file.ts";
import { type Served, served } from "../helpers/served.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(join(root, "docs/minting.md"), "utf8");

const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map((match) => match[1]!);

const block = (language: string, holds: string): string => {
  const found = blocks(language).filter((text) => text.includes(holds));
  if (found.length !== 1) throw new Error(`docs/minting.md has ${found.length} blocks in ${language} with ${holds}`);
  return found[0]!;
};

/** What stands between the marks of an example, without the indentation that all its lines have. */
function shown(file: string): string {
  const text = readFileSync(join(root, "examples", file), "utf8");
  const marks = /^[ \t]*(?:\/\/|#) --- shown in docs\/minting\.md\n([\s\S]*?)^[ \t]*(?:\/\/|#) --- end$/m;
  const part = marks.exec(text)?.[1];
  if (part === undefined) throw new Error(`${file} marks nothing`);
  const lines = part.split("\n");
  const indents = lines.filter((line) => line.trim() !== "").map((line) => /^[ \t]*/.exec(line)![0].length);
  const common = Math.min(...indents);
  return `${lines
    .map((line) => line.slice(common))
    .join("\n")
    .trim()}\n`;
}

/** Rows of the first table after a heading, cell by cell, without its head. */
function rows(heading: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const table = /(?:^\|.*\n)+/m.exec(section)?.[0] ?? "";
  const lines = table.trim().split("\n").slice(2);
  return lines.map((line) =>
    line
      .slice(1, -1)
      .split(" | ")
      .map((cell) => cell.trim()),
  );
}

describe("docs/minting.md", () => {
  it.each([
    ["js", "minting/mint.mjs"],
    ["python", "minting/mint.py"],
    ["php", "minting/mint.php"],
    ["go", "minting/mint.go"],
    ["java", "minting/Mint.java"],
    ["csharp", "minting/Mint.cs"],
    ["ruby", "minting/mint.rb"],
    ["sh", "minting/mint.sh"],
    ["ts", "servlet/mint.ts"],
  ])("shows the code in %s as it stands in examples/%s", (language, file) => {
    expect(shown(file).length).toBeGreaterThan(200);
    expect(blocks(language)).toContain(shown(file));
    expect(page).toContain(`(../examples/${file.startsWith("servlet") ? "servlet/servlet.ts" : file})`);
  });

  it("links to what is there", () => {
    const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
      title.toLowerCase().replaceAll("'", "").replaceAll(" ", "-"),
    );
    const links = [...page.matchAll(/\]\(([^)]+)\)/g)].map(([, link = ""]) => link);
    expect(links.length).toBeGreaterThan(15);
    for (const link of links) {
      if (link.startsWith("#")) expect(anchors, link).toContain(link.slice(1));
      else expect(existsSync(join(root, "docs", link)), link).toBe(true);
    }
  });

  it("has every code that a minted credential may meet, and none that is not", () => {
    const named = rows("Refusals").flatMap(([cell = ""]) => [...cell.matchAll(/`([a-z-]+)`/g)].map(([, code]) => code));
    const unmet = ["application-denied"];
    expect(named.toSorted()).toEqual(
      Object.keys(codes)
        .filter((code) => !unmet.includes(code))
        .toSorted(),
    );
  });

  it("gives as an example of each claim what the gateway understands", () => {
    const examples = rows("JWT").map(([name = "", example = ""]) => `${name}: ${example}`.replaceAll("`", ""));
    expect(examples.length).toBeGreaterThan(12);
    const text = `{${examples.join(",").replaceAll(/(^|,)([A-Za-z]+):/g, '$1"$2":')}}`;
    const parsed = parseStrictJson(text);
    if (parsed.kind !== "value" || !isJsonObject(parsed.value)) throw new Error(text);
    const read = readClaims(parsed.value);
    if (read.kind !== "claims") throw new Error(read.refusal.sentence);
    expect(Object.keys(read.claims.narrowing).toSorted()).toEqual(
      ["methods", "numbers", "maxSeconds", "callerId", "permissions"].toSorted(),
    );
    expect(read.claims).toMatchObject({ user: "alice", domain: "acme.example", oneCall: true, audiences: ["postern"] });
  });

  it("names every permission", () => {
    for (const name of permissions) expect(page).toContain(`\`${name}\``);
  });

  it("has JsSIP lines that JsSIP takes", async () => {
    const { default: JsSIP } = await import("jssip");
    const stub = {
      ...JsSIP,
      WebSocketInterface: function WebSocketInterface(this: object, url: string) {
        Object.assign(this, {
          url,
          via_transport: "WSS",
          sip_uri: "sip:x;transport=ws",
          connect() {},
          disconnect() {},
          send() {},
        });
      },
    };
    for (const [name, value] of [
      ["authorization_user", "1893456000:alice@acme.example"],
      ["authorization_jwt", "Bearer e30.e30.e30"],
    ] as const) {
      const code = block("js", `${name}: `).replace("ua.start();", "return ua;");
      const answers = { username: "1893456000:alice@acme.example", password: "x", token: "e30.e30.e30" };
      const make = new Function("JsSIP", "fetch", `return (async () => {${code}})()`);
      const ua = await make(stub, async () => ({ json: async () => answers }));
      expect(ua.get(name)).toBe(value);
    }
  });
});

describe("docs/minting.md against a gateway", () => {
  const folder = new ConfigFolder();
  const secrets = { SIP_SECRET: "", JWT_SECRET: "", API_SECRET: "an-api-secret-of-acme-for-12345" };
  let gateway: Served;

  /** A line or block of the page as a developer runs it, but for where the gateway is. */
  function sh(script: string, env: Readonly<Record<string, string>> = {}): string {
    const { PATH = "", HOME = "" } = process.env;
    const here = script
      .replaceAll("https://sip.acme.example:8443", gateway?.gatewayUrl.replace("ws:", "http:") ?? "")
      .replaceAll("npm run -s postern --", `node ${join(root, "src/cli/main.ts")}`);
    const all = { PATH, HOME, ...secrets, ...env };
    return execFileSync("sh", ["-eu", "-c", here], { cwd: folder.path, env: all, stdio: "pipe", encoding: "utf8" });
  }

  /** The line of "By hand" that has this in it, run. */
  const mint = (holds: string): { username: string; password: string; token: string; ttl: number } =>
    JSON.parse(
      sh(
        block("sh", "mint --opentok")
          .split("\n")
          .find((line) => line.includes(holds))!,
      ),
    );

  beforeAll(async () => {
    folder.write("acme.secret", "a-secret-of-acme-16\n");
    folder.write("acme-api.secret", secrets.API_SECRET);
    sh(block("sh", "openssl rand -base64"));
    secrets.SIP_SECRET = "a-secret-of-acme-16";
    secrets.JWT_SECRET = readFileSync(join(folder.path, "acme-jwt.secret"), "utf8").trim();
    const customers = block("yaml", "customers:").replace(/^.*jwksUri.*\n/m, "");
    const places = "gateway: { listen: ws://127.0.0.1:0 }\nadmin: { listen: http://127.0.0.1:0 }\n";
    const exchange = "exchange: { secret: exchange-secret-of-the-test }\n";
    const turn = "turn: { urls: ['turn:turn.acme.example:3478'], secret: turn-secret-of-the-test }\n";
    // Not postern.yaml: the tests below write that, and a gateway takes up what is written.
    const config = folder.write("gateway.yaml", `${least}${places}${exchange}${turn}${customers}`);
    gateway = await served(startPostern(["serve", "-c", config]));
  });
  afterAll(async () => {
    gateway?.signal("SIGTERM");
    await gateway?.ended;
    folder.remove();
  });

  it("makes secrets and private keys that nobody else of the machine reads", () => {
    for (const file of ["acme-jwt.secret", "acme-private.pem"])
      expect(statSync(join(folder.path, file)).mode & 0o777, file).toBe(0o600);
  });

  it("has a config that loads, with key sets too", () => {
    expect(folder.faults(`${least}${block("yaml", "customers:")}`)).toEqual([]);
  });

  it("mints by hand a credential that the gateway proves", () => {
    const config = folder.config(`${least}${block("yaml", "customers:")}`);
    const { username, password } = mint("--ttl 300");
    const verdict = verify(new Customers(config.customers), { username, password }, Math.floor(Date.now() / 1000));
    expect(verdict).toMatchObject({ accepted: true, customer: "acme", secret: "k1", user: "alice@acme.example" });
  });

  it("exchanges what was minted, by curl as it stands there, for an answer of that form", () => {
    const { username, password } = mint("--ttl 300");
    const curl = block("sh", "/v1/exchange");
    const answer = JSON.parse(sh(`username='${username}' password='${password}'\n${curl}`));
    const example = JSON.parse(blocks("json")[0]!);
    expect(Object.keys(answer)).toEqual(Object.keys(example));
    expect(Object.keys(answer.iceServers[0])).toEqual(Object.keys(example.iceServers[0]));
    expect(answer.username).toMatch(/^\d+:alice@acme\.example;.+$/);
    const other = JSON.parse(sh(`username='${username}' password='${password.toLowerCase()}'\n${curl}`));
    expect(other.code).toBe("credential-rejected");
  });

  it.each(["--jwt --secret env:JWT_SECRET", "--algorithm ES256"])(
    "exchanges a JWT, by fetch as it stands there: %s",
    async (holds) => {
      const { token } = mint(holds);
      const code = block("js", "/v1/exchange").replace(
        "https://sip.acme.example:8443",
        gateway.gatewayUrl.replace("ws:", "http:"),
      );
      const run = new Function("token", `return (async () => {${code}\nreturn answer;})()`);
      expect(await run(token)).toMatchObject({ uri: "sip:alice@acme.example" });
      await expect(run(`${token.slice(0, -4)}AAAA`)).rejects.toThrow(/^credential-rejected: the token is not right/);
      const again = run(token);
      if (holds.includes("ES256")) await expect(again).rejects.toThrow(/^credential-replayed: /);
      else await expect(again).resolves.toBeDefined();
    },
  );

  it("gets an access token in callstats.io's form, by curl as it stands there", () => {
    const { token } = mint("--jwt --secret env:JWT_SECRET");
    const curl = block("sh", "/authenticate");
    expect(JSON.parse(sh(`token='${token}'\n${curl}`))).toMatchObject({ token_type: "bearer" });
    expect(JSON.parse(sh(`token='${token.slice(0, -4)}AAAA'\n${curl}`))).toMatchObject({ error: "INVALID_TOKEN" });
  });

  it("mints by hand a management token that serves one request", async () => {
    const { token } = mint("--opentok");
    const ask = (): Promise<Response> =>
      fetch(`${gateway.adminUrl}/v1/customers/me`, { headers: { "x-opentok-auth": token } });
    expect((await ask()).status).toBe(200);
    const again = await ask();
    expect([again.status, await again.json()]).toEqual([403, { code: -1, message: expect.stringContaining("before") }]);
  });
});
