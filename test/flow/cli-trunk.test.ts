import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { posternHere, type Said } from "../helpers/cli-here.ts";
import { ConfigFolder } from "../helpers/config-file.ts";

const folder = new ConfigFolder();
const password = "what-acme-is-known-by";

beforeAll(() => {
  folder.config(`\
upstream: { urls: ["ws://127.0.0.1:1"], proxyProtocol: off }
chain: { secret: the-chain-secret-of-these-tests }
store: sqlite:./postern.db
`);
  vi.stubEnv("TRUNK_PASSWORD", password);
});
afterAll(() => {
  vi.unstubAllEnvs();
  folder.remove();
});

const postern = (...args: readonly string[]): Promise<Said> =>
  posternHere(...args, "-c", join(folder.path, "postern.yaml"));

async function shown(): Promise<unknown> {
  const { stdout } = await postern("customer", "show", "acme");
  expect(stdout).not.toContain(password);
  return (JSON.parse(stdout) as { trunkAuth?: unknown }).trunkAuth;
}

/** --file takes a merge patch. */
function patch(change: unknown): string {
  const file = join(folder.path, "patch.json");
  writeFileSync(file, JSON.stringify(change));
  return file;
}

describe("postern customer, of a trunk that challenges", () => {
  it("takes the password from where it is, shows and lists it nowhere, and keeps it when the rest is changed", async () => {
    const credential = ["--trunk-user", "acme-trunk", "--trunk-password", "env:TRUNK_PASSWORD"];
    const added = await postern(
      "customer",
      "add",
      "acme",
      "--domain",
      "acme.example",
      "--trunk",
      "sip:a",
      ...credential,
    );
    expect(added.exit, added.stderr).toBe(0);
    expect(await shown()).toEqual({ username: "acme-trunk" });
    await postern("customer", "change", "acme", "--file", patch({ trunkAuth: { realm: "pbx.acme.example" } }));
    await postern("customer", "change", "acme", "--trunk-user", "acme-2");
    expect(await shown()).toEqual({ username: "acme-2", realm: "pbx.acme.example" });
    const said = [
      added,
      await postern("customer", "export"),
      await postern("audit", "list", "--json"),
      await postern("customer", "list"),
    ];
    for (const { stdout, stderr } of said) expect(stdout + stderr).not.toContain(password);
    expect(said[1]?.stdout).toMatch(/"password":"sealed:/);
    expect(said[2]?.stdout).toMatch(/"changed":\[[^\]]*"trunkAuth"/);
    const files = readdirSync(folder.path).filter((name) => name.startsWith("postern.db"));
    for (const name of files) expect(readFileSync(join(folder.path, name), "latin1").includes(password)).toBe(false);
  });

  it("comes back by an import of what was exported, and is the same", async () => {
    const { stdout } = await postern("customer", "export");
    const file = join(folder.path, "all.jsonl");
    writeFileSync(file, stdout);
    const again = await postern("customer", "import", file, "--replace");
    expect(again.exit, again.stderr).toBe(0);
    expect(await shown()).toEqual({ username: "acme-2", realm: "pbx.acme.example" });
    expect((await postern("customer", "export")).stdout).toMatch(/"password":"sealed:/);
  });

  it.each([
    ["a password in argv", ["--trunk-password", password], /takes env:NAME, file:PATH or - for stdin/],
    ["a variable that is not set", ["--trunk-password", "env:NO_SUCH"], /not set or empty/],
  ])("refuses %s, exit 2", async (_, options, sentence) => {
    const { exit, stderr } = await postern("customer", "change", "acme", ...options);
    expect([exit, stderr.includes(password)]).toEqual([2, false]);
    expect(stderr).toMatch(sentence);
  });

  it("refuses what the digest cannot hold, with every fault", async () => {
    const bad = { trunkAuth: { username: 'a"b', password: "", realm: "x\\y" }, trunkFormat: "national" };
    const { exit, stderr } = await postern("customer", "change", "acme", "--file", patch(bad));
    expect(exit).toBe(1);
    for (const path of ["trunkAuth.username", "trunkAuth.password", "trunkAuth.realm", "trunkFormat"])
      expect(stderr).toContain(path);
  });
});
