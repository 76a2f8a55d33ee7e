import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decodeProtectedHeader, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verify } from "../../src/auth/ephemeral.ts";
import { Customers } from "../../src/core/customers.ts";
import type { HashName } from "../../src/core/identity.ts";
import { customer } from "../helpers/customers.ts";

const folder = fileURLToPath(new URL("../../examples/minting/", import.meta.url));
const built = mkdtempSync(join(tmpdir(), "postern-minting-"));
afterAll(() => rmSync(built, { recursive: true }));
beforeAll(() => {
  execFileSync("go", ["build", "-o", join(built, "mint"), join(folder, "mint.go")], { stdio: "pipe" });
}, 120_000);

interface Language {
  readonly name: string;
  readonly command: string;
  /** Undefined: the command is the compiled snippet. */
  readonly file?: string;
}

const shell: Language = { name: "shell", command: "sh", file: "mint.sh" };
const languages: readonly Language[] = [
  shell,
  { name: "Python", command: "python3", file: "mint.py" },
  { name: "PHP", command: "php", file: "mint.php" },
  { name: "Node", command: process.execPath, file: "mint.mjs" },
  { name: "Go", command: join(built, "mint") },
];

const jwtSecret = "a-shared-secret-of-acme-32-bytes";
const secrets = { SIP_SECRET: "a-secret-of-acme-16", JWT_SECRET: jwtSecret, JWT_KEY_ID: "k2" };

function run({ command, file }: Language, args: readonly string[], env: Readonly<Record<string, string>> = secrets) {
  const { PATH = "", HOME = "" } = process.env;
  const argv = file === undefined ? args : [join(folder, file), ...args];
  return spawnSync(command, argv, { env: { PATH, HOME, ...env }, encoding: "utf8" });
}

interface Minted {
  readonly username: string;
  readonly password: string;
  readonly token: string;
}

function mint(language: Language, args: readonly string[], env: Readonly<Record<string, string>> = secrets): Minted {
  const { status, stdout, stderr } = run(language, args, env);
  expect([status, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout);
}

/** Public Kamailio issue 2963 (given there as base64url); the last is the TURN REST draft's user. */
const issue2963 = "ScdQfmaFh8eytDwrMshLnwb8cek5QmHhScdQfmaFh8eytDwrMshLnwb8cek5QmHh";
const vectors = [
  [undefined, issue2963, "1639478154:username@example.com", "ErvUEdFCJyE8vgPoa9D2PdbtT9I="],
  ["sha256", issue2963, "1639479006:username@example.com", "c2H1sEMW1+E2IlElficEbIBPFirNGLXqnDIwj0tkP9Y="],
  [
    "sha384",
    issue2963,
    "1639478516:username@example.com",
    "GCPuWHrqVd8XUxJCOmZyscRJCON92n5H0xfDbxD4XFiq6oeGU5YShrKQ04eXX2Nc",
  ],
  [
    "sha512",
    issue2963,
    "1639478053:username@example.com",
    "CkkikhoQ6m6pbKriwGEeLW70nRCn4zHYvOrJtFuClxGH1n+isKmlVLyiMO4dEdQUf8fkWIlTHgRVlsN5Ct5xQw==",
  ],
  ["sha1", "kamailio_rules", "1234567890:foo@bar.com", "SKRoqQ0atcnJqdEqMBKwYlKaBMM="],
] as const;

const now = (): number => Math.floor(Date.now() / 1000);

/** What the gateway says of it, where this is acme's secret. */
const verdict = ({ username, password }: Minted, secret: string, algorithm: HashName = "sha1") =>
  verify(new Customers([customer({ secrets: [{ id: "k1", secret, algorithm }] })]), { username, password }, now());

describe.each(languages)("the snippet in $name", (language) => {
  it.each(vectors)("mints the published credential: %s under %s", (algorithm, secret, username, password) => {
    const [expiry = "", user = ""] = username.split(":");
    const args = algorithm === undefined ? [user, expiry] : [user, expiry, algorithm];
    expect(mint(language, args, { ...secrets, SIP_SECRET: secret })).toMatchObject({ username, password });
  });

  it("mints a credential that the gateway takes, and not under another secret or hash", () => {
    const expiry = now() + 300;
    const minted = mint(language, ["alice@acme.example", String(expiry)]);
    expect(minted.username).toBe(`${expiry}:alice@acme.example`);
    expect(verdict(minted, secrets.SIP_SECRET)).toMatchObject({ accepted: true, user: "alice@acme.example" });
    const rejected = { accepted: false, code: "credential-rejected" };
    expect(verdict(minted, "another-secret-of-acme")).toMatchObject(rejected);
    expect(verdict(minted, secrets.SIP_SECRET, "sha256")).toMatchObject(rejected);
  });

  it("mints a JWT that the shared secret proves, and no other", async () => {
    const expiry = now() + 300;
    const { token } = mint(language, ["alice@acme.example", String(expiry)]);
    const { payload } = await jwtVerify(token, Buffer.from(jwtSecret), { algorithms: ["HS256"] });
    expect(payload).toEqual({
      sub: "alice@acme.example",
      exp: expiry,
      jti: expect.stringMatching(/^[0-9a-f-]{32,36}$/),
    });
    expect(decodeProtectedHeader(token)).toEqual({ alg: "HS256", typ: "JWT", kid: "k2" });
    expect(token).toMatch(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/);
    await expect(jwtVerify(token, Buffer.from("another-secret-of-acme-32-bytes!"))).rejects.toThrow("signature");
    const again = mint(language, ["alice@acme.example", String(expiry)]);
    expect(again.token).not.toBe(token);
  });

  it.each(["o'hara&co", "$HOME", "$(id)", "a*", "!x~y=(z),+-._", "'", "&&"])(
    "takes a user that shells would read otherwise: %s",
    async (name) => {
      const user = `${name}@acme.example`;
      const minted = mint(language, [user, String(now() + 300)]);
      expect(verdict(minted, secrets.SIP_SECRET)).toMatchObject({ accepted: true, user });
      expect((await jwtVerify(minted.token, Buffer.from(jwtSecret))).payload.sub).toBe(user);
    },
  );

  it.each([
    ["one that shells would read", "$(id) `id` \\n %s %% '\"; *"],
    ["one that is no ASCII", "geheimnis-äöü-秘密-🔑"],
    ["one of exactly a block", "x".repeat(64)],
    ["one that is longer than a block", "y".repeat(129)],
  ])("takes any secret: %s", async (_name, secret) => {
    const minted = mint(language, ["alice@acme.example", String(now() + 300)], {
      ...secrets,
      SIP_SECRET: secret,
      JWT_SECRET: secret,
    });
    expect(verdict(minted, secret)).toMatchObject({ accepted: true });
    await expect(jwtVerify(minted.token, Buffer.from(secret))).resolves.toBeDefined();
  });

  const future = "1893456000";
  it.each<[string, readonly string[], Readonly<Record<string, string>>?]>([
    ["a user that would write claims", ['a","admin":"b@acme.example', future]],
    ["a user with a backslash", ["a\\@acme.example", future]],
    ["a user with a newline at the end", ["alice@acme.example\n", future]],
    ["a user without domain", ["alice", future]],
    ["two domains", ["alice@acme.example@other.example", future]],
    ["milliseconds", ["alice@acme.example", "1893456000000"]],
    ["an expiry with a newline at the end", ["alice@acme.example", "1893456000\n"]],
    ["an unknown hash", ["alice@acme.example", future, "md5"]],
    ["nothing", []],
    ["no secret", ["alice@acme.example", future], { ...secrets, SIP_SECRET: "" }],
    ["no secret for JWTs", ["alice@acme.example", future], { ...secrets, JWT_SECRET: "" }],
    ["no key's id", ["alice@acme.example", future], { ...secrets, JWT_KEY_ID: "" }],
  ])("mints nothing for %s", (_name, args, env = secrets) => {
    const { status, stdout, stderr } = run(language, args, env);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^[A-Za-z].*\n$/);
    expect(stderr).not.toContain(jwtSecret);
  });
});

describe("the snippet in shell", () => {
  it("shows no secret in the argv of a program that it runs", () => {
    const log = join(built, "argv");
    for (const name of ["openssl", "od", "wc", "tr"]) {
      const real = execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
      const path = join(built, name);
      writeFileSync(path, `#!/bin/sh\nprintf '%s\\n' "${name} $*" >>${log}\nexec ${real} "$@"\n`);
      chmodSync(path, 0o755);
    }
    const PATH = `${built}:${process.env.PATH}`;
    mint(shell, ["alice@acme.example", "1893456000"], { ...secrets, PATH });
    const seen = readFileSync(log, "utf8");
    expect(seen).toMatch(/^openssl dgst -sha1 -binary$/m);
    for (const secret of [secrets.SIP_SECRET, jwtSecret]) {
      expect(seen).not.toContain(secret);
      expect(seen).not.toContain(Buffer.from(secret).toString("hex"));
    }
  });
});

describe("the snippets that no test runs", () => {
  it.each(["Mint.java", "Mint.cs", "mint.rb"])("say so in their first line: %s", (file) => {
    expect(existsSync(join(folder, file))).toBe(true);
    expect(readFileSync(join(folder, file), "utf8").split("\n")[0]).toMatch(/^(\/\/|#) untested\b/);
  });

  it("are no more than these", () => {
    for (const { file } of languages) {
      if (file !== undefined) expect(readFileSync(join(folder, file), "utf8")).not.toContain("untested");
    }
  });
});
