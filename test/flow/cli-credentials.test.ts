import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { postern, startPostern } from "../helpers/cli.ts";
import { ConfigFolder, least } from "../helpers/config-file.ts";

const folder = new ConfigFolder();
afterAll(() => folder.remove());

/** Kamailio issue 2963; the last is the TURN REST draft's user under the secret that Kamailio's documentation uses. */
const issue2963 = "ScdQfmaFh8eytDwrMshLnwb8cek5QmHhScdQfmaFh8eytDwrMshLnwb8cek5QmHh";
const vectors = [
  ["sha1", issue2963, "1639478154:username@example.com", "ErvUEdFCJyE8vgPoa9D2PdbtT9I="],
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

describe("postern mint", () => {
  it.each(vectors)("prints the published credential: %s under %s", async (algorithm, secret, username, password) => {
    const [expiry, user] = username.split(":");
    const now = String(Number(expiry) - 300);
    const args = ["mint", "--secret", "env:S", "--user", user ?? "", "--algorithm", algorithm, "--now", now];
    const { exit, stdout, stderr } = await postern(args, { env: { S: secret } });
    expect([exit, stdout]).toEqual([0, `${JSON.stringify({ username, password, ttl: 300 })}\n`]);
    expect(stderr).toBe(secret.length < 16 ? "warning: the secret has fewer than 16 bytes; no config takes it\n" : "");
  });

  it("takes the secret from stdin, and counts from now", async () => {
    const args = ["mint", "--secret", "-", "--user", "alice@acme.example", "--ttl", "60"];
    const before = Math.floor(Date.now() / 1000);
    const { stdout } = await postern(args, { stdin: "a-secret-of-acme-16\n" });
    const { username, password, ttl } = JSON.parse(stdout);
    expect(password).toBe(createHmac("sha1", "a-secret-of-acme-16").update(username).digest("base64"));
    expect(ttl).toBe(60);
    expect(Number(username.split(":")[0]) - 60 - before).toBeOneOf([0, 1, 2]);
  });

  it.each([
    ["a secret in argv", ["--secret", "hunter2hunter2hunter2", "--user", "alice"]],
    ["no secret", ["--user", "alice"]],
    ["no user", ["--secret", "env:S"]],
    ["a user that no verifier takes", ["--secret", "env:S", "--user", "al ice"]],
    ["an unknown hash", ["--secret", "env:S", "--user", "alice", "--algorithm", "md5"]],
    ["a ttl of 0", ["--secret", "env:S", "--user", "alice", "--ttl", "0"]],
    ["a ttl with a unit", ["--secret", "env:S", "--user", "alice", "--ttl", "5m"]],
    ["milliseconds as now", ["--secret", "env:S", "--user", "alice", "--now", "1639478154000"]],
    ["an unknown option", ["--secret", "env:S", "--user", "alice", "--frobnicate"]],
  ])("refuses %s as usage", async (_name, args) => {
    const { exit, stdout, stderr } = await postern(["mint", ...args], { env: { S: "a-secret-of-acme-16" } });
    expect([exit, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^error: /);
    expect(stderr).not.toContain("hunter2");
  });

  it("has no secret in an argv that ps shows, while it waits for one", async () => {
    const child = startPostern(["mint", "--secret", "-", "--user", "alice"]);
    const argv = readFileSync(`/proc/${child.pid}/cmdline`, "utf8");
    child.stdin.end("a-secret-of-acme-16\n");
    const [output] = await child.stdout.toArray();
    expect(argv.split("\0").slice(2, -1)).toEqual(["mint", "--secret", "-", "--user", "alice"]);
    expect(JSON.parse(String(output)).ttl).toBe(300);
  });
});

describe("postern verify", () => {
  const config = folder.write(
    "postern.yaml",
    `${least}customers: [{ id: acme, domains: [acme.example], secrets: [{ id: k1, secret: a-secret-of-acme-16 }] }]\n`,
  );
  const credential = (expiry: number, secret = "a-secret-of-acme-16"): [username: string, password: string] => {
    const username = `${expiry}:alice@acme.example`;
    return [username, createHmac("sha1", secret).update(username).digest("base64")];
  };
  const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

  async function verify([username, password]: [string, string], ...more: string[]) {
    const args = ["verify", "-c", config, "--username", username, "--password", "-", ...more];
    const { exit, stdout, stderr } = await postern(args, { stdin: `${password}\n` });
    return { exit, verdict: JSON.parse(stdout), stderr };
  }

  it("accepts what the customer minted, and says who it is", async () => {
    const { exit, verdict } = await verify(credential(inSeconds(300)));
    expect(exit).toBe(0);
    expect(verdict).toMatchObject({
      accepted: true,
      code: null,
      customer: "acme",
      secret: "k1",
      user: "alice@acme.example",
    });
    expect(verdict.secondsLeft).toBeOneOf([298, 299, 300]);
    expect(Object.keys(verdict)).toEqual(["accepted", "code", "customer", "secret", "user", "secondsLeft", "sentence"]);
  });

  it("accepts what postern mint prints", async () => {
    const args = ["mint", "--secret", "env:S", "--user", "alice@acme.example"];
    const { stdout } = await postern(args, { env: { S: "a-secret-of-acme-16" } });
    const { username, password } = JSON.parse(stdout);
    expect((await verify([username, password])).exit).toBe(0);
  });

  it.each([
    ["credential-expired", credential(inSeconds(-10))],
    ["credential-ttl", credential(inSeconds(4000))],
    ["credential-rejected", credential(inSeconds(300), "another-secret-of-16")],
    ["credential-malformed", [`${Date.now()}:alice@acme.example`, "x"] as [string, string]],
  ])("refuses with exit 1: %s", async (code, given) => {
    const { exit, verdict, stderr } = await verify(given);
    expect([exit, verdict.accepted, verdict.code]).toEqual([1, false, code]);
    expect(stderr).toBe(`${verdict.sentence}\n`);
  });

  it("says nothing of a customer before the proof", async () => {
    const { verdict } = await verify(credential(inSeconds(300), "another-secret-of-16"));
    expect(verdict).toMatchObject({ customer: null, secret: null, user: null, secondsLeft: null });
  });

  it("prints nothing but JSON with --json", async () => {
    expect((await verify(credential(inSeconds(300)), "--json")).stderr).toBe("");
  });

  it.each([
    ["neither password nor token", ["--username", "1:a@acme.example"]],
    ["both", ["--username", "1:a@acme.example", "--password", "-", "--token", "-"]],
    ["a password without its username", ["--password", "-"]],
    ["a password in argv", ["--username", "1:a@acme.example", "--password", "hunter2hunter2"]],
  ])("refuses %s as usage", async (_name, args) => {
    const { exit, stdout, stderr } = await postern(["verify", "-c", config, ...args], { stdin: "x" });
    expect([exit, stdout]).toEqual([2, ""]);
    expect(stderr).not.toContain("hunter2");
  });

  it("tells every fault of its config, exit 2", async () => {
    const bad = folder.write("bad.yaml", "upstream: {}\nextra: 1\n");
    const args = ["verify", "-c", bad, "--username", "1:a@acme.example", "--password", "env:P"];
    const { exit, stdout, stderr } = await postern(args, { env: { P: "x" } });
    expect([exit, stdout]).toEqual([2, ""]);
    expect(stderr.split("\n")).toHaveLength(4);
  });
});
