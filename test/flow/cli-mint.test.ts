import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { decodeProtectedHeader, jwtVerify } from "jose";
import { describe, expect, it } from "vitest";
import { readClaims } from "../../src/auth/claims.ts";
import { isJsonObject, parseStrictJson } from "../../src/core/strict-json.ts";
import { postern } from "../helpers/cli.ts";

const secret = "a-shared-secret-of-acme-32-bytes";
const pem = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();

async function mint(args: readonly string[], signWith = secret) {
  const { exit, stdout, stderr } = await postern(["mint", "--secret", "env:S", ...args], { env: { S: signWith } });
  return { exit, stdout, stderr };
}

async function token(args: readonly string[], signWith = secret): Promise<string> {
  const { exit, stdout, stderr } = await mint(args, signWith);
  expect([exit, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout).token;
}

const claimsIn = (jwt: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(jwt.split(".")[1]!, "base64url").toString());

const alice = ["--jwt", "--user", "alice@acme.example"];

describe("postern mint --jwt", () => {
  it("prints a token that the shared secret proves, for 300 s from now", async () => {
    const before = Math.floor(Date.now() / 1000);
    const { exit, stdout, stderr } = await mint([...alice, "--customer", "acme", "--key", "k2"]);
    expect([exit, stderr]).toEqual([0, ""]);
    const { token: jwt, ...rest } = JSON.parse(stdout);
    expect(rest).toEqual({ ttl: 300 });
    const { payload, protectedHeader } = await jwtVerify(jwt, Buffer.from(secret), { algorithms: ["HS256"] });
    expect(protectedHeader).toEqual({ alg: "HS256", typ: "JWT", kid: "k2" });
    const { iat = 0, jti, ...claims } = payload;
    expect(claims).toEqual({ iss: "acme", sub: "alice@acme.example", exp: iat + 300 });
    expect(iat - before).toBeOneOf([0, 1, 2, 3]);
    expect(jti).toMatch(/^[0-9a-f-]{36}$/);
    await expect(jwtVerify(jwt, Buffer.from(secret.replace("a", "b")))).rejects.toThrow("signature");
  });

  it("counts from the given time, and says no key and no customer where none is given", async () => {
    const jwt = await token([...alice, "--now", "1700000000", "--ttl", "60"]);
    expect(claimsIn(jwt)).toMatchObject({ iat: 1_700_000_000, exp: 1_700_000_060 });
    expect(claimsIn(jwt)).not.toHaveProperty("iss");
    expect(decodeProtectedHeader(jwt)).toEqual({ alg: "HS256", typ: "JWT" });
  });

  it.each([
    ["HS256", 31],
    ["HS384", 47],
    ["HS512", 63],
  ])("warns of a secret that is shorter than it should be for %s", async (algorithm, bytes) => {
    const short = await mint([...alice, "--algorithm", algorithm], "x".repeat(bytes));
    const warning = `warning: the secret has fewer than the ${bytes + 1} bytes that RFC 7518 asks for\n`;
    expect([short.exit, short.stderr]).toEqual([0, warning]);
    expect((await mint([...alice, "--algorithm", algorithm], "x".repeat(bytes + 1))).stderr).toBe("");
  });

  it("never gives the same jti twice", async () => {
    const [one, other] = await Promise.all([token(alice), token(alice)]);
    expect(claimsIn(one).jti).not.toBe(claimsIn(other).jti);
  });

  const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const p521 = generateKeyPairSync("ec", { namedCurve: "P-521" });
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ed25519 = generateKeyPairSync("ed25519");

  it.each([
    ["ES256", p256],
    ["ES384", p384],
    ["ES512", p521],
    ["RS256", rsa],
    ["RS512", rsa],
    ["PS256", rsa],
    ["PS384", rsa],
    ["EdDSA", ed25519],
  ] as const)("signs with a private key in PEM: %s", async (algorithm, { privateKey, publicKey }) => {
    const jwt = await token([...alice, "--algorithm", algorithm], pem(privateKey));
    const { payload } = await jwtVerify(jwt, publicKey, { algorithms: [algorithm] });
    expect(payload.sub).toBe("alice@acme.example");
  });

  it.each(["HS384", "HS512"])("signs with a shared secret: %s", async (algorithm) => {
    const long = secret.repeat(2);
    const jwt = await token([...alice, "--algorithm", algorithm], long);
    await expect(jwtVerify(jwt, Buffer.from(long), { algorithms: [algorithm] })).resolves.toBeDefined();
  });

  it("takes an older form of PEM, as openssl ecparam writes it", async () => {
    const sec1 = p256.privateKey.export({ type: "sec1", format: "pem" }).toString();
    const jwt = await token([...alice, "--algorithm", "ES256"], sec1);
    await expect(jwtVerify(jwt, p256.publicKey)).resolves.toBeDefined();
  });

  it("narrows by claims that the gateway understands: JSON where it parses, else text", async () => {
    const claims = [
      'methods=["INVITE","ACK"]',
      'numbers=["+3225887*"]',
      "oneCall=true",
      "maxSeconds=60",
      "callerId=+3225887000",
      'permissions=["CreateConference"]',
      "aud=postern",
      "appID=12345",
      "jti=one",
    ];
    const jwt = await token([...alice, ...claims.flatMap((claim) => ["--claim", claim])]);
    expect(claimsIn(jwt)).toMatchObject({ maxSeconds: 60, callerId: "+3225887000", aud: "postern", jti: "one" });
    const payload = parseStrictJson(JSON.stringify(claimsIn(jwt)));
    if (payload.kind !== "value" || !isJsonObject(payload.value)) throw new Error("the token holds no claims");
    const read = readClaims(payload.value);
    if (read.kind !== "claims") throw new Error(read.refusal.sentence);
    expect(read.claims).toMatchObject({ user: "alice", domain: "acme.example", appId: "12345", oneCall: true });
    expect(read.claims.narrowing).toEqual({
      methods: ["INVITE", "ACK"],
      numbers: ["+3225887*"],
      maxSeconds: 60,
      callerId: "+3225887000",
      permissions: ["CreateConference"],
    });
  });

  it.each([
    ["no user", ["--jwt"], "required option '--user <user>' not specified"],
    ["a user that no verifier takes", ["--jwt", "--user", "al ice"], "the user is not"],
    ["a domain that is none", ["--jwt", "--user", "alice@acme..example"], "what follows the @"],
    ["a ttl of 0", [...alice, "--ttl", "0"], "the ttl is not"],
    ["a time beyond 32 bits", [...alice, "--now", "9999999999"], "does not fit 32 bits"],
    ["a hash as algorithm", [...alice, "--algorithm", "sha1"], "--algorithm takes one of HS256"],
    ["none as algorithm", [...alice, "--algorithm", "none"], "--algorithm takes one of HS256"],
    ["a name of Object's as algorithm", [...alice, "--algorithm", "toString"], "--algorithm takes one of HS256"],
    ["another expiry", [...alice, "--claim", "exp=9999999999"], "--claim takes methods"],
    ["another user", [...alice, "--claim", "sub=bob"], "--claim takes methods"],
    ["another user's id", [...alice, "--claim", "userID=bob"], "--claim takes methods"],
    ["a claim that nobody reads", [...alice, "--claim", "maxSecond=60"], "--claim takes methods"],
    ["a claim without a value", [...alice, "--claim", "oneCall"], "--claim takes <name>=<value>"],
    ["a claim twice", [...alice, "--claim", "maxSeconds=60", "--claim", "maxSeconds=6000"], "maxSeconds twice"],
    ["a claim of another type", [...alice, "--claim", "numbers=+3225887000"], "the token's numbers is no list"],
    ["an unknown permission", [...alice, "--claim", 'permissions=["Dance"]'], "the token's permissions"],
    ["two issuers", [...alice, "--customer", "acme", "--claim", "iss=other"], "--customer is iss already"],
    ["a secret in argv", [...alice, "--secret", "hunter2hunter2hunter2"], "never the secret itself"],
    ["another form's option", [...alice, "--ist", "project"], "--ist goes with --opentok alone"],
    ["both forms", [...alice, "--opentok"], "give one of them"],
  ])("refuses %s as usage, in a sentence", async (_name, args, sentence) => {
    const { exit, stdout, stderr } = await mint(args);
    expect([exit, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^error: /);
    expect(stderr).toContain(sentence);
    expect(stderr).not.toContain("hunter2");
  });

  it.each([
    ["a private key where a secret belongs", "HS256", pem(p256.privateKey), "HS256 takes a shared secret, this is PEM"],
    ["a secret where a private key belongs", "ES256", secret, "ES256 takes a private key in PEM form"],
    [
      "a public key",
      "ES256",
      p256.publicKey.export({ type: "spki", format: "pem" }).toString(),
      "takes a private key in PEM",
    ],
    ["a key of another curve", "ES256", pem(p384.privateKey), "the private key is not one for ES256"],
    ["a key of another kind", "RS256", pem(p256.privateKey), "the private key is not one for RS256"],
    [
      "a short RSA key",
      "PS256",
      pem(generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey),
      "fewer than 2048 bits",
    ],
    [
      "a locked key",
      "ES256",
      p256.privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" }).toString(),
      "without passphrase",
    ],
  ])("refuses %s", async (_name, algorithm, given, sentence) => {
    const { exit, stdout, stderr } = await mint([...alice, "--algorithm", algorithm], given);
    expect([exit, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(sentence);
    expect(stderr).not.toContain(given.split("\n")[1] ?? given);
  });
});

describe("postern mint --opentok", () => {
  const project = ["--opentok", "--key", "12345"];

  it("prints a token in OpenTok's form, for 180 s", async () => {
    const { exit, stdout, stderr } = await mint(project);
    expect([exit, stderr]).toEqual([0, ""]);
    const { token: jwt, ttl } = JSON.parse(stdout);
    expect(ttl).toBe(180);
    const { payload, protectedHeader } = await jwtVerify(jwt, Buffer.from(secret), { algorithms: ["HS256"] });
    expect(protectedHeader).toEqual({ alg: "HS256", typ: "JWT" });
    const { iat = 0, jti, ...claims } = payload;
    expect(claims).toEqual({ iss: "12345", ist: "project", exp: iat + 180 });
    expect(jti).toMatch(/^[0-9a-f-]{36}$/);
    await expect(jwtVerify(jwt, Buffer.from("another-secret-of-32-bytes-and-so"))).rejects.toThrow("signature");
  });

  it("is an account's where that is asked for, and lives up to 300 s", async () => {
    const jwt = await token([...project, "--ist", "account", "--ttl", "300", "--now", "1700000000"]);
    expect(claimsIn(jwt)).toMatchObject({ ist: "account", iat: 1_700_000_000, exp: 1_700_000_300 });
  });

  it.each([
    ["no API key", ["--opentok"], "--opentok needs --key"],
    ["301 s", [...project, "--ttl", "301"], "lives 1 to 300 s"],
    ["0 s", [...project, "--ttl", "0"], "lives 1 to 300 s"],
    ["another kind", [...project, "--ist", "admin"], "--ist takes project or account"],
    ["a visitor", [...project, "--user", "alice"], "--user does not go with --opentok"],
    ["an algorithm", [...project, "--algorithm", "HS512"], "--algorithm does not go with --opentok"],
    ["a claim", [...project, "--claim", "oneCall=true"], "--claim goes with --jwt alone"],
  ])("refuses %s as usage, in a sentence", async (_name, args, sentence) => {
    const { exit, stdout, stderr } = await mint(args);
    expect([exit, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(`error: ${sentence.startsWith("lives") ? "a management token " : ""}${sentence}`);
  });
});

describe("postern mint without a form", () => {
  it.each([
    ["--key", "k1"],
    ["--claim", "oneCall=true"],
    ["--customer", "acme"],
    ["--ist", "project"],
  ])("does not pass over %s, which an ephemeral credential cannot hold", async (option, value) => {
    const { exit, stdout, stderr } = await mint(["--user", "alice", option, value]);
    expect([exit, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(`error: ${option} goes with`);
  });

  it("says of a hash that is none, and of a user that is missing, what it always said", async () => {
    const hash = await mint(["--user", "alice", "--algorithm", "md5"]);
    const sentence = "argument 'md5' is invalid. It must be one of sha1, sha256, sha384, sha512.";
    expect(hash.stderr).toBe(`error: option '--algorithm <hash>' ${sentence}\n(--help tells more)\n`);
    expect((await mint([])).stderr).toBe("error: required option '--user <user>' not specified\n(--help tells more)\n");
  });
});
