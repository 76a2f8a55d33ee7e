import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Running, start } from "../../src/main.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { posternHere, type Said } from "../helpers/cli-here.ts";
import { ConfigFolder } from "../helpers/config-file.ts";

vi.setConfig({ testTimeout: 60_000 });

const operatorSecret = "the-secret-of-the-operator-in-tests";
const broughtSecret = "a-secret-that-globex-brings-itself-01";
const folder = new ConfigFolder();
const file = `${folder.path}/postern.yaml`;
let gateway: Running;

const yaml = `\
gateway: { listen: "ws://127.0.0.1:0" }
upstream: { urls: ["ws://127.0.0.1:1"], proxyProtocol: off }
chain: { secret: the-chain-secret-of-these-tests }
store: sqlite:./postern.db
admin: { listen: "http://127.0.0.1:0", operators: [{ id: ops, secret: ${operatorSecret} }] }
customers: [{ id: acme, domains: [acme.example] }]
`;

beforeAll(async () => {
  vi.stubEnv("BROUGHT_globex", `${broughtSecret}-1`);
  vi.stubEnv("BROUGHT_hooli", `${broughtSecret}-2`);
  vi.stubEnv("OPERATOR", operatorSecret);
  gateway = await start(folder.config(yaml), { log: createLog({ level: "silent" }) });
});
afterAll(async () => {
  await gateway.close();
  folder.remove();
  vi.unstubAllEnvs();
});

const onStore = (...args: readonly string[]): Promise<Said> => posternHere(...args, "-c", file);
const overApi = (...args: readonly string[]): Promise<Said> =>
  posternHere(...args, "-c", file, "--api", gateway.adminUrl);

/** What differs from one customer to the other: its name and numbers, revisions, what was made by chance, and when. */
const alike = ({ exit, stdout, stderr }: Said, id: string, numbers: string): object => ({
  exit,
  stdout: same(stdout, id, numbers).replaceAll(/"secret":"[^"]{40,}"/g, '"secret":"made"'),
  stderr: same(stderr, id, numbers),
});

const same = (text: string, id: string, numbers: string): string =>
  text
    // Before the numbers: an instant may have their digits.
    .replaceAll(/\b\d{10}\b/g, "WHEN")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "WHEN")
    .replaceAll(/,?\s*"revision": ?\d+/g, "")
    .replaceAll(/,"uses":0,"lastUsed":null/g, "")
    .replaceAll(id, "ID")
    .replaceAll(numbers, "NUMBERS");

/** Of a customer, its telephone numbers beginning so. */
const commands = (id: string, numbers: string): readonly (readonly string[])[] => [
  ["customer", "add", id, "--domain", `${id}.example`, "--number", `+${numbers}*`, "--trunk", "sip:127.0.0.9"],
  ["customer", "add", id, "--domain", "not a domain", "--number", "*", "--json"],
  ["customer", "add", id, "--domain", "acme.example", "--trunk", "nonsense"],
  ["customer", "show", id],
  ["customer", "change", id, "--trunk", "sip:127.0.0.8", "--max-ttl", "600"],
  ["customer", "change", id, "--max-ttl", "0", "--origin", "nonsense", "--json"],
  ["secret", "add", id],
  ["secret", "add", id, "--id", "own", "--algorithm", "sha256", "--secret", `env:BROUGHT_${id}`, "--json"],
  ["secret", "add", id, "--algorithm", "md5"],
  ["secret", "promote", id, "k1"],
  ["secret", "list", id],
  ["secret", "retire", id, "own", "--grace", "60"],
  ["secret", "revoke", id, "own"],
  ["secret", "revoke", id, "own"],
  ["key", "add", id, "--id", "j1", "--alg", "HS256", "--secret", `env:BROUGHT_${id}`],
  ["key", "add", id, "--id", "j1", "--alg", "HS256", "--secret", `env:BROUGHT_${id}`],
  ["key", "list", id],
  ["key", "remove", id, "j1"],
  ["api-key", "add", id, "--id", `${id}-1`],
  ["api-key", "list", id],
  ["api-key", "remove", id, `${id}-1`],
  ["origin", "add", id, `https://www.${id}.example`],
  ["origin", "add", id, "https://www.example/path"],
  ["origin", "list", id],
  ["origin", "list", id, "--json"],
  ["origin", "remove", id, `https://www.${id}.example`, "--json"],
  ["number", "add", id, `+${numbers}9*`],
  ["number", "add", id, "+49800*", "--dial"],
  ["number", "add", id, `+${numbers}1`, "--inbound", "reception"],
  ["number", "list", id],
  ["number", "list", id, "--json"],
  ["number", "remove", id, `+${numbers}1`, "--inbound"],
  ["number", "remove", id, "+49800*", "--dial"],
  ["number", "remove", id, `+${numbers}9*`],
  ["revoke", id, "--user", `alice@${id}.example`],
  ["revoke", id, "--jti", "0c1b", "--until", "2100-01-01", "--calls", "finish", "--json"],
  ["revoke", id, "--user", "no user"],
  ["revocations", id, "--json"],
  ["revocations", id],
  ["restore", id, "--jti", "0c1b"],
  ["restore", id, "--jti", "0c1b"],
  ["customer", "suspend", id, "--calls", "finish"],
  ["customer", "show", id, "--json"],
  ["customer", "resume", id],
  ["number", "add", id, "nonsense", "--inbound", "no user"],
  ["customer", "remove", id],
];

describe("a command over the API", () => {
  it("says and does the same as straight on the store, refusals too", async () => {
    const ours = commands("globex", "4930");
    const [local, remote]: object[][] = [[], []];
    for (const [at, theirs] of commands("hooli", "4940").entries()) {
      const [here, there] = [await onStore(...ours[at]!), await overApi(...theirs)];
      local!.push({ asked: same(ours[at]!.join(" "), "globex", "4930"), ...alike(here, "globex", "4930") });
      remote!.push({ asked: same(theirs.join(" "), "hooli", "4940"), ...alike(there, "hooli", "4940") });
      expect(here.stdout + here.stderr + there.stdout + there.stderr).not.toContain(broughtSecret);
    }
    expect(remote).toEqual(local);
    const gone = [await onStore("customer", "show", "globex"), await overApi("customer", "show", "hooli")];
    for (const said of gone)
      expect(said).toMatchObject({ exit: 1, stdout: "", stderr: expect.stringMatching(/^error: there is no/) });
  });
});

describe("an import over the API", () => {
  const table = (id: string, more = ""): string =>
    folder.write(`${id}.csv`, `id,domains,calls\r\n${id},${id}.example,5\r\n${more}`);

  it("is told as one straight on the store: imported, replaced, checked, refused with each line", async () => {
    const steps: readonly (readonly [string, ...string[]])[] = [
      ["", "--check"],
      [""],
      ["", "--replace", "--json"],
      ["", "--json"],
      ["=1+1,x\n,,,\n", "--replace"],
    ];
    const [local, remote]: object[][] = [[], []];
    for (const [more, ...flags] of steps) {
      const [here, there] = [table("initech", more), table("umbrella", more)];
      local!.push(alike(await onStore("customer", "import", here, ...flags), "initech", "none"));
      remote!.push(alike(await overApi("customer", "import", there, ...flags), "umbrella", "none"));
    }
    expect(remote).toEqual(local);
    expect(JSON.stringify(local)).toContain("imported: 1, replaced: 0");
  });
});

describe("who asks", () => {
  const asked = (...args: readonly string[]): Promise<Said> => posternHere(...args, "--api", gateway.adminUrl);

  it("is a customer by its API key: itself alone, and what is the operator's is refused with each fault", async () => {
    const made = await onStore("customer", "add", "pied", "--domain", "pied.example");
    expect(made.exit).toBe(0);
    const key = JSON.parse((await onStore("api-key", "add", "pied", "--id", "pied-1")).stdout) as { secret: string };
    vi.stubEnv("PIED", key.secret);
    const own = ["--as", "pied-1", "--key", "env:PIED", "--ist", "project"];
    await expect
      .poll(async () => (await asked("customer", "show", "me", ...own)).stdout, { timeout: 20_000 })
      .toContain("pied.example");
    expect(await asked("origin", "add", "me", "https://www.pied.example", ...own)).toMatchObject({ exit: 0 });
    expect((await onStore("origin", "list", "pied")).stdout).toBe("https://www.pied.example\n");
    const refused = [
      await asked("number", "add", "me", "+4955*", ...own),
      await asked("origin", "list", "acme", ...own),
      await asked("customer", "list", ...own),
      await asked("customer", "show", "me", "--as", "pied-1", "--key", "env:PIED"),
    ];
    for (const said of refused) expect(said).toMatchObject({ exit: 1, stdout: "" });
    expect((await onStore("number", "list", "pied")).stdout).toBe("");
  });

  it.each([
    [1, ["customer", "list", "--api", "URL", "--as", "ops", "--key", "env:WRONG"], "the token is not right"],
    [1, ["customer", "list", "--api", "http://127.0.0.1:1"], "no answer from http://127.0.0.1:1"],
    [2, ["customer", "list", "--api", "URL", "--as", "ops"], "--as needs --key"],
    [2, ["customer", "list", "--api", "URL", "--key", "env:OPERATOR"], "--key is the secret of --as"],
    [2, ["customer", "list", "--as", "ops", "--key", "env:OPERATOR"], "--as and --key go with --api"],
    [2, ["customer", "list", "--api", "URL/v1", "--as", "ops", "--key", "env:OPERATOR"], "--api takes where"],
    [2, ["customer", "list", "--api", "URL", "--as", "ops", "--key", "env:OPERATOR", "--ist", "both"], "--ist takes"],
    [2, ["customer", "change", "acme"], "what is to change"],
    [2, ["sessions"], "admin.listen has port 0: say by --api"],
  ])("exit %i for %j: %s", async (exit, args, sentence) => {
    vi.stubEnv("WRONG", "another-secret-than-the-operators");
    const said = await posternHere(...args.map((arg) => arg.replace("URL", gateway.adminUrl)), "-c", file);
    expect(said).toMatchObject({ exit, stdout: "", stderr: expect.stringContaining(sentence) });
  });

  it("is the first operator of the config at its admin.listen; where there is none a sentence says what to add", async () => {
    const port = new URL(gateway.adminUrl).port;
    const other = new ConfigFolder();
    try {
      const there = other.write("postern.yaml", yaml.replace("http://127.0.0.1:0", `http://127.0.0.1:${port}`));
      expect(await posternHere("sessions", "--json", "-c", there)).toMatchObject({
        exit: 0,
        stdout: '{"sessions":[],"next":null}\n',
      });
      const nobody = other.write("nobody.yaml", yaml.replace(/, operators: \[.*?\]/, ""));
      expect(await posternHere("sessions", "--api", gateway.adminUrl, "-c", nobody)).toMatchObject({
        exit: 1,
        stderr: expect.stringContaining("add admin: { operators: [{ id: ops, secret: … }] }"),
      });
    } finally {
      other.remove();
    }
  });
});
