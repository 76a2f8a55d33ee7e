import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { startPostern } from "../helpers/cli.ts";
import { posternHere, type Said } from "../helpers/cli-here.ts";
import { ConfigFolder, least } from "../helpers/config-file.ts";
import { Secrets } from "../helpers/secrets.ts";

vi.setConfig({ testTimeout: 60_000 });

const hostile = "a\x1b[2J\x9b31m\x07\u202ebob";
const unfit = /[^\P{C}\n\t]|[\p{Zl}\p{Zp}]/u;

const folder = new ConfigFolder();
const file = folder.write("postern.yaml", least);
afterAll(() => folder.remove());
afterEach(() => vi.unstubAllEnvs());

const here = (...args: readonly string[]): Promise<Said> => posternHere(...args, "-c", file);

type Answering = (request: IncomingMessage, reply: ServerResponse) => void;

/** Where a gateway should be. */
let server: Server;
let url: string;
let answering: Answering = (_request, reply) => reply.end();
const asked: string[] = [];

beforeAll(async () => {
  server = createServer((request, reply) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ""}`);
    answering(request, reply);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const answer =
  (status: number, body: unknown, type = "application/json"): Answering =>
  (_request, reply) => {
    reply.writeHead(status, { "content-type": type });
    reply.end(typeof body === "string" ? body : JSON.stringify(body));
  };

async function over(answered: Answering, ...args: readonly string[]): Promise<Said> {
  vi.stubEnv("OPERATOR", "the-secret-of-the-operator-in-tests");
  answering = answered;
  asked.length = 0;
  return here(...args, "--api", url, "--as", "ops", "--key", "env:OPERATOR");
}

describe("what strangers have written", () => {
  it("moves no terminal's cursor, whichever command shows it", async () => {
    const session = { id: "1", customer: "acme", user: hostile, domain: hostile, address: hostile, origin: hostile };
    const call = {
      id: "1",
      customer: "acme",
      user: hostile,
      callId: hostile,
      direction: "in",
      peer: hostile,
      start: 0,
    };
    const refusal = { at: 0, code: hostile, sentence: hostile, user: hostile, origin: hostile, address: hostile };
    const shown: readonly (readonly [object, readonly string[]])[] = [
      [{ sessions: [{ ...session, provedBy: hostile, since: 0, bindings: 0, calls: 0 }], next: hostile }, ["sessions"]],
      [{ calls: [call], next: hostile }, ["calls", "--live"]],
      [{ calls: [call], next: null }, ["calls", "--live", "--csv"]],
      [{ refusals: [{ ...refusal, remedy: hostile, claimed: true, way: "sip" }] }, ["refusals", "acme"]],
      [
        { customers: [{ id: hostile, domains: [hostile], secrets: 1, readable: true }], next: hostile },
        ["customer", "list"],
      ],
      [{ id: "acme", callerId: hostile, [hostile]: hostile }, ["customer", "show", "acme"]],
      [{ origins: [hostile] }, ["origin", "list", "acme"]],
      [{ numbers: [hostile], dial: [hostile], inbound: { [hostile]: hostile } }, ["number", "list", "acme"]],
      [{ revocations: [{ user: hostile, until: 0, calls: hostile }] }, ["revocations", "acme"]],
    ];
    for (const [body, args] of shown) {
      for (const more of args.includes("--csv") ? [[]] : [[], ["--json"]]) {
        const said = await over(answer(200, body), ...args, ...more);
        expect(said, args.join(" ")).toMatchObject({ exit: 0, stdout: expect.stringContaining("bob") });
        expect((said.stdout + said.stderr).replaceAll("\r\n", "\n"), args.join(" ")).not.toMatch(unfit);
      }
    }
  });

  it("nor do the messages of a call", async () => {
    const said = (head: string): string => `${head}\r\nCSeq: 1 ${hostile}\r\nPostern-Code: ${hostile}\r\n\r\n`;
    const messages = [said(`INVITE sip:${hostile} SIP/2.0`), said(`SIP/2.0 486 ${hostile}`)];
    const told = { at: 0, from: hostile, to: "gateway", verdict: hostile, sentence: hostile };
    answering = answer(200, { callId: hostile, entries: messages.map((message) => ({ ...told, message })) });
    for (const more of [[], ["--json"]]) {
      const shown = await posternHere("ladder", hostile, "--admin", url, ...more);
      expect(shown).toMatchObject({ exit: 0, stdout: expect.stringContaining("bob") });
      expect(shown.stdout + shown.stderr, more.join()).not.toMatch(unfit);
    }
    answering = answer(404, {});
    expect((await posternHere("ladder", hostile, "--admin", url)).stderr).not.toMatch(unfit);
  });

  it("nor does what a far end refuses with, or the store holds", async () => {
    const errors = [{ path: hostile, message: hostile }];
    const refused = await over(answer(422, { detail: hostile, errors }), "origin", "add", "acme", hostile);
    expect(refused).toMatchObject({ exit: 1, stderr: expect.stringContaining("bob") });
    const told = await over(answer(409, { detail: hostile }), "customer", "suspend", "acme", "--json");
    expect(told).toMatchObject({ exit: 1, stderr: expect.stringContaining("bob") });
    expect((await here("customer", "add", "globex", "--domain", "globex.example")).exit).toBe(0);
    const db = new DatabaseSync(`${folder.path}/postern.db`);
    db.prepare("UPDATE customers SET item = ?").run(JSON.stringify({ id: "globex", domains: [hostile] }));
    const end = Number(db.prepare("SELECT max(seq) AS seq FROM audit").get()?.seq) + 1;
    const odd = { toString: hostile };
    const forged = { seq: end, at: hostile, by: odd, what: [hostile], customer: hostile, detail: { changed: [odd] } };
    db.prepare("INSERT INTO audit VALUES (?, ?, '')").run(end, JSON.stringify(forged));
    db.close();
    const audit = await here("audit", "list");
    expect([audit.exit, audit.stdout.split("\n").at(-2)]).toEqual([0, expect.stringMatching(/bob\t-\t\?$/)]);
    const stored = [
      audit,
      await here("audit", "list", "--json"),
      await here("customer", "list"),
      await here("customer", "list", "--json"),
    ];
    for (const said of [refused, told, ...stored]) expect(said.stdout + said.stderr).not.toMatch(unfit);
    expect(stored[2]!.stdout).toContain("bob");
  });

  it("is no formula in a table", async () => {
    const calls = [
      { id: "1", customer: "acme", user: "=HYPERLINK(1)", peer: "@SUM(1)@x", number: "+3225887000", start: 0 },
    ];
    const said = await over(answer(200, { calls, next: null }), "calls", "--live", "--csv");
    expect(said.stdout.split("\r\n")[1]).toBe(
      "1,1970-01-01T00:00:00.000Z,,,,acme,'=HYPERLINK(1),,,+3225887000,'@SUM(1)@x,,,,,,,",
    );
  });
});

describe("who answers in a gateway's place", () => {
  it.each<[string, Answering]>([
    ["a page", answer(200, "<html>", "text/html")],
    ["a list", answer(200, [])],
    ["another place to ask", (_request, reply) => reply.writeHead(307, { location: `${url}/elsewhere` }).end()],
    ["without end", (_request, reply) => void pour(reply)],
    ["half an answer", (_request, reply) => reply.writeHead(200, { "content-length": "10" }).end("{")],
    ["an error of its own", answer(502, "<html>", "text/html")],
  ])("by %s ends the command with a sentence, exit 1", async (_name, answered) => {
    const said = await over(answered, "customer", "show", "acme");
    expect(said).toMatchObject({ exit: 1, stdout: "", stderr: expect.stringMatching(/^error: /) });
    expect(asked).toHaveLength(1);
  });

  it.each(["health", "ladder"])("by more than anybody asked for is not read to its end: %s", async (command) => {
    const poured: number[] = [];
    const whole = answer(503, { detail: "not ready" });
    const endless: Answering = (_request, reply) => pour(reply.writeHead(503), poured);
    for (const answered of [whole, endless]) {
      answering = answered;
      const said = await posternHere(...(command === "ladder" ? [command, "x"] : [command]), "--admin", url);
      expect(said.stderr).toMatch(/answer|not ready/);
    }
    // And what lies in the buffers of the sockets.
    expect(poured.length).toBeLessThan(48);
  });

  it("sees a token that is good for one request and a minute, and no secret but one that it is to keep", async () => {
    await over(answer(200, { customers: [], next: null }), "customer", "list");
    const [token = ""] = asked.map((line) => line.replace(/^.*Bearer /, ""));
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, number>;
    expect(claims).toMatchObject({ iss: "ops", ist: "account", jti: expect.any(String) });
    expect(claims.exp! - claims.iat!).toBe(60);
    const before = token;
    await over(answer(200, { customers: [], next: null }), "customer", "list");
    expect(asked[0]).not.toContain(before);
    expect(asked.join()).not.toContain("the-secret-of-the-operator");
  });

  /** poured: has an entry for each mebibyte. */
  function pour(reply: ServerResponse, poured: number[] = []): void {
    const chunk = Buffer.alloc(1024 * 1024, " ");
    const more = (): void => {
      while (!reply.destroyed && poured.push(1) && reply.write(chunk));
    };
    reply.on("drain", more).on("error", () => reply.destroy());
    more();
  }
});

describe("secrets", () => {
  const bad = "a-secret-typed-as-it-is-0123456789";

  it.each([
    ["secret", "add", "globex", "--secret", bad],
    ["api-key", "add", "globex", "--id", "a", "--secret", bad],
    ["key", "add", "globex", "--id", "a", "--alg", "HS256", "--secret", bad],
    ["key", "add", "globex", "--id", "a", "--alg", "ES256", "--jwks-uri", `https://id.example/keys?token=${bad}`],
    ["customer", "list", "--api", "http://127.0.0.1:1", "--as", "ops", "--key", bad],
    ["customer", "list", "--api", `http://ops:${bad}@127.0.0.1:1`, "--as", "ops", "--key", "env:OPERATOR"],
    ["customer", "list", `--operator-secret=${bad}`],
  ])("are taken from no argument, and repeated from none: %s %s", async (...args) => {
    vi.stubEnv("OPERATOR", "the-secret-of-the-operator-in-tests");
    const said = await here(...args);
    expect(said.exit).toBe(2);
    expect(said.stdout + said.stderr).not.toContain(bad);
  });

  it("are in no process list and in no refusal", async () => {
    const secrets = new Secrets();
    const [own, operator] = [secrets.make("secret"), secrets.make("operator")];
    const args = ["secret", "add", "globex", "--secret", "env:OWN", "--json", "-c", file, "--api", url];
    const env = { OWN: own, OPERATOR: operator };
    answering = () => {}; // until it was looked at
    const child = startPostern([...args, "--as", "ops", "--key", "env:OPERATOR"], { env });
    await expect
      .poll(() => asked.some((line) => line.startsWith("POST /v1/customers/globex/secrets")), { timeout: 30_000 })
      .toBe(true);
    const listed = readFileSync(`/proc/${child.pid}/cmdline`, "utf8").replaceAll("\0", " ");
    expect(listed).toContain("secret add globex");
    child.kill();
    secrets.said("process list", listed);
    vi.stubEnv("OWN", own);
    const errors = [{ path: "secret", message: "must differ" }];
    const refused = await over(answer(422, { errors }), "secret", "add", "globex", "--secret", "env:OWN", "--json");
    expect(JSON.parse(refused.stdout)).toEqual({ ok: false, faults: [{ path: "secret", message: "must differ" }] });
    secrets.given(own + operator);
    secrets.said("refusal", refused.stdout + refused.stderr);
    expect(secrets.leaks()).toEqual([]);
  });
});
