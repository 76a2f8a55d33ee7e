import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { makeSecrets, readConfig } from "../../../../scripts/demo/acme.ts";
import { Inspector } from "../../../../scripts/demo/inspector.ts";
import { Minter, sampleKinds } from "../../../../scripts/demo/minter.ts";
import { servlets } from "../../../../scripts/demo/servlets.ts";

const dir = mkdtempSync(join(tmpdir(), "postern-demo-test-"));
afterAll(() => rmSync(dir, { recursive: true }));

const secrets = makeSecrets(dir);
const config = readConfig(dir, { port: 18_088, upstream: "127.0.0.1:5080", trunk: "sip:127.0.0.9:5060", secrets });
const minter = new Minter(secrets);

let ahead = 0;
const opened: Inspector[] = [];
const inspector = (): Inspector => {
  const one = new Inspector(config, { now: () => Date.now() + ahead });
  opened.push(one);
  return one;
};

afterEach(() => {
  ahead = 0;
  for (const one of opened.splice(0)) one.close();
});

describe("the inspector", () => {
  it.each([
    ["good", null, /good for/],
    ["expired", "credential-expired", /expired/],
    ["wrong", "credential-rejected", /./],
    ["too-long", "credential-ttl", /./],
    ["stranger", "credential-rejected", /./],
    ["token", null, /the token is good for/],
    ["narrowed", null, /numbers \+3225887000, one call, calls of 60 s only/],
    ["forged", "credential-rejected", /./],
  ] as const)("says of the sample that is %s: %s", async (kind, code, sentence) => {
    const inspected = await inspector().inspect(minter.sample(kind));
    expect(inspected).toMatchObject({ kind: "judged", judged: { accepted: code === null, code } });
    if (inspected.kind === "judged") expect(inspected.judged.sentence).toMatch(sentence);
  });

  it("answers no more at once for having been left alone", async () => {
    const one = inspector();
    ahead = 3_600_000;
    const inspected = await Promise.all(Array.from({ length: 60 }, () => one.inspect({ token: "a.b.c" })));
    expect(inspected.filter(({ kind }) => kind === "judged").length).toBeLessThan(30);
  });

  it("uses nothing up: the same again is as good", async () => {
    const one = inspector();
    const sample = minter.sample("narrowed");
    for (let at = 0; at < 2; at++) expect(await one.inspect(sample)).toMatchObject({ judged: { accepted: true } });
  });

  it.each([
    undefined,
    null,
    [],
    "eyJ",
    {},
    { username: "1:a@acme.example" },
    { password: "x" },
    { token: 1 },
    { token: "a.b.c", username: "1:a@acme.example", password: "x" },
    { username: "1:a@acme.example", password: "x", more: "y" },
    JSON.parse('{"__proto__": "x", "token": "a.b.c"}'),
  ])("does not judge %j", async (value) => {
    expect((await inspector().inspect(value)).kind).toBe("malformed");
  });

  it("judges nothing that is longer than any is", async () => {
    const [long, whole] = ["x".repeat(8_193), { username: "x".repeat(513), password: "x" }];
    for (const value of [{ token: long }, whole, { ...whole, username: "x", password: "x".repeat(513) }]) {
      expect((await inspector().inspect(value)).kind).toBe("malformed");
    }
  });

  it("answers so often, and after a while again", async () => {
    const one = inspector();
    const ask = () => one.inspect(minter.sample("good"));
    const kinds = [];
    for (let at = 0; at < 25; at++) kinds.push((await ask()).kind);
    expect(kinds.slice(0, 20)).toEqual(Array(20).fill("judged"));
    expect(kinds).toContain("too-fast");
    ahead += 1_000;
    expect((await ask()).kind).toBe("judged");
  });

  it("has a sample of each kind that the page offers", () => {
    const page = readFileSync(new URL("../../../../scripts/demo/page/inspector.js", import.meta.url), "utf8");
    const offered = /const samples = \{([\s\S]*?)\}/.exec(page)?.[1] ?? "";
    expect([...offered.matchAll(/^ {2}"?([a-z-]+)"?:/gm)].map(([, kind]) => kind)).toEqual([...sampleKinds]);
  });
});

describe("the servlets that the page shows", () => {
  const shown = servlets(secrets);

  it("are in eight languages, each the part of the example that docs/minting.md shows", () => {
    expect(shown.map(({ language }) => language)).toEqual([
      "Node",
      "Python",
      "PHP",
      "Go",
      "Shell",
      "Java",
      "Ruby",
      "C#",
    ]);
    for (const { code, language } of shown) {
      expect(code.length, language).toBeGreaterThan(200);
      expect(code, language).toMatch(/^\S/);
    }
  });

  it.each(["Node", "Shell"])("are run by the command that stands below, and good: %s", async (language) => {
    const { command } = shown.find((one) => one.language === language)!;
    const cwd = fileURLToPath(new URL("../../../../", import.meta.url));
    const { username, password, token } = JSON.parse(execFileSync("sh", ["-c", command], { cwd, encoding: "utf8" }));
    const one = inspector();
    for (const given of [{ username, password }, { token }]) {
      const judged = { accepted: true, customer: "acme", user: "alice@acme.example" };
      expect(await one.inspect(given)).toMatchObject({ kind: "judged", judged });
    }
  });

  it("hold no secret: the command reads it from its file", () => {
    const text = JSON.stringify(shown);
    for (const secret of [secrets.secret, secrets.jwtSecret, secrets.chain, secrets.exchange]) {
      expect(secret.length).toBeGreaterThan(30);
      expect(text).not.toContain(secret);
    }
    for (const { command } of shown) expect(command).toContain(`$(cat ${secrets.secretFile})`);
  });
});
