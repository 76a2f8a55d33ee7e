import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Running, start } from "../../src/main.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { posternHere, type Said } from "../helpers/cli-here.ts";
import { ConfigFolder } from "../helpers/config-file.ts";

vi.setConfig({ testTimeout: 60_000 });

const folder = new ConfigFolder();
const bare = new ConfigFolder();
let gateway: Running;

const yaml = `\
gateway: { listen: "ws://127.0.0.1:0" }
upstream: { urls: ["ws://127.0.0.1:1"], proxyProtocol: off }
chain: { secret: the-chain-secret-of-these-tests }
store: sqlite:./postern.db
admin: { listen: "http://127.0.0.1:0" }
`;

beforeAll(async () => {
  gateway = await start(folder.config(yaml), { log: createLog({ level: "silent" }) });
  bare.config(yaml.replace(/store: .*\n/, ""));
});
afterAll(async () => {
  await gateway?.close();
  folder.remove();
  bare.remove();
});

const postern = (...args: readonly string[]): Promise<Said> =>
  posternHere(...args, "-c", `${folder.path}/postern.yaml`);

interface Key {
  readonly kid: string;
  readonly state: string;
  readonly signs: string;
}

async function listed(): Promise<readonly Key[]> {
  const { exit, stdout } = await postern("signing-key", "list");
  expect(exit).toBe(0);
  expect(stdout).not.toMatch(/"d"|jwk|sealed/);
  return (JSON.parse(stdout) as { keys: Key[] }).keys;
}

async function published(): Promise<string[]> {
  const answer = await fetch(`${gateway.gatewayUrl.replace(/^ws/, "http")}/.well-known/jwks.json`);
  return ((await answer.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
}

describe("postern signing-key", () => {
  it("lists what the gateway has made at its first start and publishes", async () => {
    const keys = await listed();
    expect(keys.map(({ state }) => state)).toEqual(["signs"]);
    expect(keys.map(({ kid }) => kid)).toEqual(await published());
  });

  it("rotates: another key that signs in 15 minutes; once more is refused; --now takes its place; all in the audit", async () => {
    const [old] = await listed();
    const rotated = await postern("signing-key", "rotate", "--json");
    expect([rotated.exit, rotated.stderr]).toEqual([0, ""]);
    const { kid, signs } = JSON.parse(rotated.stdout) as { kid: string; signs: string };
    expect(Date.parse(signs) - Date.now()).toBeGreaterThan(14 * 60_000);
    expect((await listed()).map((one) => [one.kid, one.state])).toEqual([
      [old?.kid, "signs"],
      [kid, "next"],
    ]);
    const again = await postern("signing-key", "rotate");
    expect([again.exit, again.stdout]).toEqual([1, ""]);
    expect(again.stderr).toMatch(/a new key signs from .* on already/);
    const now = await postern("signing-key", "rotate", "--now");
    expect(now.exit).toBe(0);
    const urgent = (JSON.parse(now.stdout) as { kid: string }).kid;
    expect((await listed()).map((one) => [one.kid, one.state])).toEqual([[urgent, "signs"]]);
    const { stdout } = await postern("audit", "list", "--json");
    const { entries } = JSON.parse(stdout) as { entries: { by: string; what: string }[] };
    const about = entries.filter(({ what }) => what.startsWith("signing-key."));
    expect(about.map(({ what }) => what)).toEqual([
      `signing-key.add ${old?.kid}`,
      `signing-key.rotate ${kid}`,
      `signing-key.rotate ${urgent}`,
    ]);
    expect(about[1]?.by).toMatch(/^cli:/);
  });

  it("has nothing to say where there is no store, exit 1", async () => {
    for (const what of ["list", "rotate"]) {
      const said = await posternHere("signing-key", what, "-c", `${bare.path}/postern.yaml`);
      expect([said.exit, said.stdout]).toEqual([1, ""]);
      expect(said.stderr).toMatch(/there is no store/);
    }
  });

  it("leaves nothing private where it can be read: neither in the database nor in what is said", async () => {
    const database = ["", "-wal"].map((end) => readFileSync(`${folder.path}/postern.db${end}`, "latin1")).join();
    for (const { kid } of await listed()) expect(database).toContain(kid);
    expect(database).not.toMatch(/"crv":"P-256"/);
  });
});

describe("postern customer with --permission-url", () => {
  it("stores it, shows it without its query, and takes one with a query from the environment only", async () => {
    const made = await postern("customer", "add", "initech", "--permission-url", "https://initech.example/may");
    expect(made.exit).toBe(0);
    const shown = async (): Promise<string> => (await postern("customer", "show", "initech", "--json")).stdout;
    expect(await shown()).toContain('"permissionUrl":"https://initech.example/may"');
    const typed = await postern(
      "customer",
      "change",
      "initech",
      "--permission-url",
      "https://initech.example/may?token=secret",
    );
    expect(typed.exit).toBe(2);
    expect(typed.stderr).not.toContain("token=secret");
    vi.stubEnv("PERMISSION_URL", "https://initech.example/new?token=secret");
    const changed = await postern("customer", "change", "initech", "--permission-url", "env:PERMISSION_URL");
    expect(changed.exit).toBe(0);
    expect(await shown()).toContain('"permissionUrl":"https://initech.example/new"');
    expect(await shown()).not.toContain("token=");
    vi.unstubAllEnvs();
  });
});
