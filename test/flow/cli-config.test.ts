import { chmodSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.ts";
import { postern } from "../helpers/cli.ts";
import { ConfigFolder, least } from "../helpers/config-file.ts";

const folder = new ConfigFolder();
afterAll(() => folder.remove());

const mode = (file: string): number => statSync(file).mode & 0o777;

function fresh(): string {
  return mkdtempSync(join(folder.path, "init-"));
}

describe("postern", () => {
  it.each([[[]], [["frobnicate"]], [["--frobnicate"]], [["check", "extra"]]])("%j is wrong usage", async (args) => {
    const { exit, stdout, stderr } = await postern(args);
    expect([exit, stdout]).toEqual([2, ""]);
    expect(stderr).not.toBe("");
  });

  it.each([[], ["init"], ["serve"], ["check"], ["mint"], ["verify"], ["client"], ["client", "call"]])(
    "%s %s --help tells what there is, on stdout",
    async (...args) => {
      const { exit, stdout, stderr } = await postern([...args.filter(Boolean), "--help"]);
      expect([exit, stderr]).toEqual([0, ""]);
      expect(stdout).toMatch(/^Usage: postern/);
    },
  );

  it("--version prints the version", async () => {
    expect((await postern(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("postern check", () => {
  const bad = folder.write("bad.yaml", "upstream: { urls: [] }\nchain: { secret: short }\nextra: 1\n");
  const good = folder.write("good.yaml", `${least}state: redis://127.0.0.1\n`);

  it("says ok on stderr, exit 0, and what is not available yet", async () => {
    const { exit, stdout, stderr } = await postern(["check", "-c", good]);
    expect({ exit, stdout, stderr }).toEqual({ exit: 0, stdout: "", stderr: "not available yet: state\nok\n" });
  });

  it("prints every fault with file, line and path, exit 2", async () => {
    const { exit, stdout, stderr } = await postern(["check", "--config", bad]);
    expect([exit, stdout]).toEqual([2, ""]);
    expect(stderr).toBe(
      `${bad}:1: upstream.urls: needs at least one entry\n` +
        `${bad}:2: chain.secret: has fewer than 16 bytes: make one by openssl rand -base64 32\n` +
        `${bad}:3: extra: is not a known key\n`,
    );
  });

  it("prints the same as JSON on stdout", async () => {
    const { exit, stdout, stderr } = await postern(["check", "-c", bad, "--json"]);
    expect([exit, stderr]).toEqual([2, ""]);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, faults: [{ line: 1, path: "upstream.urls" }, {}, {}] });
    const fine = await postern(["check", "-c", good, "--json"]);
    expect([fine.exit, JSON.parse(fine.stdout)]).toEqual([0, { ok: true, faults: [], notAvailable: ["state"] }]);
  });

  it("looks for postern.yaml where it stands, and expands from the environment", async () => {
    folder.write("here/postern.yaml", least.replace("chain-secret-of-the-test", '"${' + 'CHAIN}"'));
    const cwd = join(folder.path, "here");
    expect((await postern(["check"], { cwd, env: { CHAIN: "a-chain-secret-of-16" } })).exit).toBe(0);
    expect((await postern(["check"], { cwd })).stderr).toMatch(/^postern.yaml:2: chain.secret: needs the environment/);
    expect((await postern(["check"], { cwd: folder.path })).stderr).toBe(
      "postern.yaml:1: the config file is not there\n",
    );
  });
});

describe("postern init", () => {
  it("writes a config that check takes as it is, for the owner alone", async () => {
    const dir = fresh();
    const { exit } = await postern(["init", "--dir", dir]);
    expect(exit).toBe(0);
    expect(readdirSync(dir).sort()).toEqual(["acme.secret", "kamailio-local.cfg", "postern.yaml"]);
    expect(readdirSync(dir).map((name) => mode(join(dir, name)))).toEqual([0o600, 0o600, 0o600]);
    const { exit: checked, stderr } = await postern(["check", "-c", join(dir, "postern.yaml")]);
    expect([checked, stderr]).toEqual([0, "ok\n"]);
  });

  it("has random secrets of 32 bytes, the chain's in Kamailio's file too", async () => {
    const secrets = new Set<string>();
    for (const dir of [fresh(), fresh()]) {
      await postern(["init", "--dir", dir, "--customer", "beta", "--domain", "Beta.example"]);
      const loaded = loadConfig(join(dir, "postern.yaml"), {});
      if (loaded.kind === "faults") throw new Error("init wrote a faulty config");
      const { chain, customers } = loaded.config;
      expect(customers).toMatchObject([
        { id: "beta", domains: ["beta.example"], secrets: [{ id: "k1", algorithm: "sha1" }] },
      ]);
      for (const secret of [chain.secret, customers[0]?.secrets[0]?.secret ?? ""]) {
        expect(Buffer.from(secret, "base64")).toHaveLength(32);
        secrets.add(secret);
      }
      const kamailio = readFileSync(join(dir, "kamailio-local.cfg"), "utf8");
      expect(kamailio).toContain(`\n#!define CHAIN_SECRET "${chain.secret}"\n`);
    }
    expect(secrets.size).toBe(4);
  });

  it("prints a servlet whose credential verify accepts, and JsSIP lines, without a secret", async () => {
    const dir = fresh();
    const { stdout, stderr } = await postern(["init", "--dir", dir, "--json"]);
    const { config, kamailio, servlet, jssip } = JSON.parse(stdout);
    expect([config, kamailio]).toEqual([join(dir, "postern.yaml"), join(dir, "kamailio-local.cfg")]);
    const loaded = loadConfig(config, {});
    const secrets =
      loaded.kind === "config"
        ? [loaded.config.chain.secret, loaded.config.customers[0]?.secrets[0]?.secret ?? ""]
        : [];
    expect(secrets).toHaveLength(2);
    for (const secret of secrets) expect(stdout + stderr).not.toContain(secret);

    process.env.SIP_SECRET = secrets[1];
    const { credential } = await import(`data:text/javascript,${encodeURIComponent(servlet)}`);
    const { username, password } = credential("alice");
    delete process.env.SIP_SECRET;
    const verified = await postern(["verify", "-c", config, "--username", username, "--password", "-"], {
      stdin: password,
    });
    expect(JSON.parse(verified.stdout)).toMatchObject({ accepted: true, user: "alice@acme.example" });
    expect(servlet).toContain("base64(HMAC-SHA1(secret, username))");
    expect(jssip).toContain("authorization_user: username");
  });

  it("prints the servlet and the lines as text, and words on stderr", async () => {
    const { stdout, stderr } = await postern(["init", "--dir", fresh()]);
    expect(stdout).toMatch(/createHmac[\s\S]*new JsSIP\.UA/);
    expect(stderr).toMatch(/^wrote .*postern\.yaml[\s\S]*wrote .*kamailio-local\.cfg/);
  });

  it.each(["postern.yaml", "kamailio-local.cfg", "acme.secret"])(
    "never overwrites %s without --force",
    async (name) => {
      const dir = fresh();
      writeFileSync(join(dir, name), "mine\n");
      const { exit, stdout, stderr } = await postern(["init", "--dir", dir]);
      expect([exit, stdout]).toEqual([1, ""]);
      expect(stderr).toBe(`error: ${join(dir, name)} is there already; --force replaces it, and the secrets in it\n`);
      expect(readdirSync(dir)).toEqual([name]);
      expect(readFileSync(join(dir, name), "utf8")).toBe("mine\n");
    },
  );

  it("replaces both with --force, the wider mode of an old file too", async () => {
    const dir = fresh();
    const config = join(dir, "postern.yaml");
    writeFileSync(config, "mine\n");
    chmodSync(config, 0o644);
    expect((await postern(["init", "--dir", dir, "--force"])).exit).toBe(0);
    expect([mode(config), readdirSync(dir).length]).toEqual([0o600, 3]);
    expect(loadConfig(config, {}).kind).toBe("config");
  });

  it.each([[["--customer", "A|b"]], [["--domain", "not a domain"]], [["--domain", 'x"]\nadmin: {}']]])(
    "refuses %j as usage",
    async (args) => {
      const dir = fresh();
      expect((await postern(["init", "--dir", dir, ...args])).exit).toBe(2);
      expect(readdirSync(dir)).toEqual([]);
    },
  );

  it("fails with a sentence where it cannot write", async () => {
    const dir = join(folder.write("a-file", ""), "below");
    const { exit, stderr } = await postern(["init", "--dir", dir]);
    expect([exit, stderr]).toEqual([1, `error: cannot write to ${dir}: ENOTDIR\n`]);
  });
});
