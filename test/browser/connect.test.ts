import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startBrowser, type TestBrowser, type TestPage } from "../helpers/browser.ts";
import type { TestGateway } from "../helpers/gateway.ts";
import { sipjsBundle } from "../helpers/jssip-bundle.ts";
import { credential } from "../helpers/raw-client.ts";
import { header } from "../helpers/raw-sip.ts";
import { Scene, signed } from "../helpers/scene.ts";
import { temporaryDir } from "../helpers/temporary.ts";
import { jwtSecret, openSite, own, type Site } from "./site.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const docs = readFileSync(join(root, "docs/browser.md"), "utf8");
const number = "+3225887000";

let site: Site;
let scene: Scene;
let second: TestGateway;
let browser: TestBrowser;
const pages: TestPage[] = [];

/** How far the gateway's clock is ahead, milliseconds. */
let ahead = 0;
const clock = { now: () => Date.now() + ahead };

/** The n-th block of that language in docs/browser.md, with the addresses of this test. */
function block(language: string, nth = 0): string {
  const found = [...docs.matchAll(new RegExp(`^( *)\`\`\`${language}\n([\\s\\S]*?)^ *\`\`\`$`, "gm"))][nth];
  if (!found) throw new Error(`docs/browser.md has no ${language} ${nth}`);
  return found[2]!.replaceAll("wss://sip.acme.example:8443", scene.gateway.gatewayUrl);
}

beforeAll(async () => {
  site = await openSite("phone");
  for (const file of ["call.js", "connect.js"]) {
    site.server.script(`/${file}`, readFileSync(join(root, "src/client/browser", file), "utf8"));
  }
  const acme = `    origins: ["${site.origin()}"]\n    keys: [{ id: j1, alg: HS256, secret: ${jwtSecret} }]\n`;
  scene = await Scene.open({ trunk: "answer", acme, clock });
  second = await scene.another({ acme });
  browser = await startBrowser({ secure: [site.origin(own)] });
});

afterEach(async () => {
  ahead = 0;
  await Promise.all(pages.splice(0).map((page) => page.close()));
});

afterAll(async () => {
  await browser?.close();
  await scene?.close();
  await site?.close();
});

/** Alice's page at this path, after she has logged in. */
async function visit(path: string, settings: Readonly<Record<string, unknown>> = {}): Promise<TestPage> {
  const page = await browser.open({ settings });
  pages.push(page);
  await site.logIn(page, "alice");
  await page.page.goto(`${site.origin()}${path}`);
  return page;
}

/** A page whose only word is connect()'s. */
async function connecting(settings: Readonly<Record<string, unknown>> = {}): Promise<TestPage> {
  site.page("/phone");
  const given = { credentials: "/sip-credential", servers: scene.gateway.gatewayUrl, ...settings };
  const page = await visit("/phone", given);
  await page.run("phoning.start()");
  return page;
}

const usernames = (page: TestPage, method: string): string[] =>
  page.sent(method).flatMap((text) => /username="([^"]*)"/.exec(text)?.[1] ?? []);

const atTrunk = (page: TestPage, method: string): Promise<string> => {
  const callId = header(page.sent("INVITE").at(-1) ?? "", "Call-ID");
  return scene.trunk.waitFor((message) => message.startsWith(`${method} `) && header(message, "Call-ID") === callId);
};

describe("connect() in a page", () => {
  it("renews under a call that goes on, and calls with the new credential when the first has ended", async () => {
    site.server.handle("/short", (_request, response) => {
      const expiry = Math.floor(clock.now() / 1000) + 300;
      response.end(JSON.stringify({ ...signed(`${expiry}:alice@acme.example`), ttl: 1.4 }));
    });
    const page = await connecting({ credentials: "/short", register: false });
    await page.told("connected");
    await page.run(`phoning.call("${number}")`);
    await page.told("accepted");
    const first = usernames(page, "INVITE")[0];
    ahead = 200_000;
    for (let due = page.heard("renewed").length + 2; due > 0; due--) await page.told("renewed");
    ahead = 310_000;
    await page.run(`phoning.call("${number}")`);
    await page.told("accepted");
    expect(usernames(page, "INVITE").at(-1)).not.toBe(first);
    expect(page.heard("ended")).toEqual([]);
    expect(page.statuses("INVITE")).not.toContain(403);
    await page.run("phoning.phone.close()");
    await page.told("closed");
    await atTrunk(page, "BYE");
    expect(page.faults).toEqual([]);
  });

  it("goes to the other gateway when one drains, and registers there", async () => {
    const servers = [second.gatewayUrl, scene.gateway.gatewayUrl];
    const page = await connecting({ servers });
    expect(await page.told("connected")).toMatchObject({ server: servers[0] });
    await page.told("registered");
    await second.close();
    expect(await page.told("disconnected")).toMatchObject({ code: expect.any(String), retryIn: expect.any(Number) });
    expect(await page.told("connected")).toMatchObject({ server: servers[1] });
    await page.told("registered");
    expect(page.faults).toEqual([]);
  });

  it.each([
    { close: 4401, what: "disconnected", code: "credential-expired", ttl: -10, secret: jwtSecret, asked: 2 },
    { close: 4403, what: "closed", code: "credential-rejected", ttl: 200, secret: `another-${jwtSecret}`, asked: 1 },
  ])(
    "is told of a socket closed with $close, and asks for a credential $asked times",
    async ({ what, code, ttl, secret, asked }) => {
      const requests: string[] = [];
      const token = await new SignJWT({ iss: "acme", sub: "alice@acme.example" })
        .setProtectedHeader({ alg: "HS256", kid: "j1" })
        .setExpirationTime(Math.floor(Date.now() / 1000) + ttl)
        .sign(new TextEncoder().encode(secret));
      site.server.handle("/counted", (_request, response) => {
        requests.push("one");
        response.end(JSON.stringify(credential("alice@acme.example")));
      });
      const page = await connecting({
        credentials: "/counted",
        servers: `${scene.gateway.gatewayUrl}/?access_token=${token}`,
      });
      expect(await page.told(what)).toMatchObject({ code, sentence: expect.stringMatching(/\w{3}/) });
      await expect.poll(() => requests.length).toBeGreaterThanOrEqual(asked);
      if (what === "closed") expect(requests).toHaveLength(1);
      expect(page.faults).toEqual([]);
    },
  );

  it("is told what the gateway refuses", async () => {
    const page = await connecting({ register: false });
    await page.told("connected");
    await page.run('phoning.call("+4930123456")');
    expect(await page.told("refused")).toMatchObject({
      code: "destination-denied",
      method: "INVITE",
      status: 403,
      sentence: expect.stringMatching(/\w{3}/),
    });
  });
});

describe("docs/browser.md", () => {
  it("has commands that make JsSIP's file for browsers, and SIP.js's", () => {
    const folder = temporaryDir("bundles");
    const commands = [...docs.matchAll(/npx (rolldown [^\n`]+)/g)].map(([, command]) => command!);
    expect(commands).toHaveLength(2);
    for (const command of commands) {
      const here = command.replace("node_modules/", `${root}node_modules/`).replace("--file ", `--file ${folder}/`);
      execFileSync("sh", ["-c", `${root}node_modules/.bin/${here}`], { cwd: root, stdio: "pipe" });
    }
    expect(readFileSync(join(folder, "jssip.js"), "utf8")).toMatch(/^("use strict";)?var JsSIP=/);
    site.server.script("/jssip.js", readFileSync(join(folder, "jssip.js"), "utf8"));
    expect(readFileSync(join(folder, "sip.js"), "utf8")).toMatch(/\bas UserAgent\b/);
    rmSync(folder, { recursive: true });
  });

  it("gets to a call by its tag, under its policy", async () => {
    const policy = /^Content-Security-Policy: (.*)$/m.exec(docs)?.[1] ?? "";
    const here = policy.replace("wss://sip.acme.example:8443", scene.gateway.gatewayUrl);
    const headers = { "content-security-policy": here, "permissions-policy": "microphone=(self)" };
    site.server.html("/tag", `<body>${block("html")}</body>`, headers);
    const page = await visit("/tag");
    await page.page.getByRole("button", { name: "Call" }).click();
    await page.page.getByText("Connected.").waitFor();
    await page.page.getByRole("button", { name: "Hang up" }).click();
    await atTrunk(page, "BYE");
    expect(page.faults).toEqual([]);
  });

  it("has a telephone that calls and is called", async () => {
    site.server.script("/telephone.js", block("js"));
    site.server.html("/telephone", `<body>${block("html", 1)}</body>`);
    const page = await visit("/telephone");
    await page.page.getByText("Ready.").waitFor();
    await page.page.click("#call");
    await page.page.getByText("Connected.").waitFor();
    await page.page.click("#hangup");
    await atTrunk(page, "BYE");
    const bob = await scene.user("bob");
    const ringing = bob.prove("INVITE", "sip:alice@acme.example", { callId: `rings-${bob.name}`, cseq: 1 });
    ringing.catch(() => undefined); // it is given up below
    await page.page.getByText(`${bob.name} calls`).waitFor();
    await page.page.click("#hangup");
    expect(await ringing).toMatch(/^SIP\/2\.0 480/);
    expect(page.faults).toEqual([]);
  });

  it("has a function for credentials, and a call with it", async () => {
    site.page("/function");
    const page = await visit("/function");
    const body = `import { connect } from "/connect.js"; ${block("js", 1)} session.on("accepted", () => tell({ what: "accepted" }));`;
    site.server.script("/function.js", body);
    await page.run(`import("/function.js")`);
    await page.told("accepted");
    expect(page.statuses("REGISTER")).toEqual([]);
  });

  it("has a recipe for SIP.js that registers, renews and calls", async () => {
    site.server.script("/sip.js", await sipjsBundle());
    site.server.script("/recipe.js", block("js sipjs").replace("first.ttl)", "2)"));
    site.page("/recipe");
    const page = await visit("/recipe");
    const asked = page.page.waitForResponse(/sip-credential/);
    await page.run(`import("/recipe.js").then((recipe) => Object.assign(globalThis, recipe))`);
    await asked;
    await (await page.page.waitForResponse(/sip-credential/)).finished();
    await page.page.waitForFunction("globalThis.call");
    await page.run(`call("${number}").then((inviter) => { globalThis.inviter = inviter; })`);
    await page.page.waitForFunction("globalThis.inviter?.state === 'Established'");
    expect(usernames(page, "INVITE")[0]).not.toBe(usernames(page, "REGISTER")[0]);
    await page.run("inviter.bye()");
    await atTrunk(page, "BYE");
    expect(page.statuses("REGISTER").at(-1)).toBe(200);
    expect(page.faults).toEqual([]);
  });

  it("names all texts and attributes of call.js, all options and codes of connect(), and no other", () => {
    const source = readFileSync(join(root, "src/client/browser/call.js"), "utf8");
    const texts = [
      ...source
        .split("Object.entries({")[1]!
        .split("}),")[0]!
        .matchAll(/^ +"?([a-z-]+)"?:/gm),
    ];
    const listed = /`data-text-…` \|(.*?), and every/.exec(docs)?.[1] ?? "";
    expect([...listed.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name)).toEqual(texts.map(([, name]) => name));
    for (const [, name] of source.matchAll(/given\("([a-z-]+)"\)/g)) expect(docs).toContain(`data-${name}`);
    const types = readFileSync(join(root, "src/client/browser/connect.d.ts"), "utf8");
    for (const [, code] of types
      .split("OwnCode =")[1]!
      .split(";")[0]!
      .matchAll(/"([a-z-]+)"/g))
      expect(docs).toContain(`\`${code}\``);
    const options = types.split("interface ConnectOptions {")[1]!.split("\n}")[0]!;
    for (const [, name] of options.matchAll(/readonly (\w+)\??:/g))
      if (name !== "UA") expect(docs).toContain(`| \`${name}\` |`);
  });
});
