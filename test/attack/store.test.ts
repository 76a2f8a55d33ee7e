import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SealKeys } from "../../src/store/seal.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import { verifyChain } from "../../src/store/verify-chain.ts";
import { ConfigFolder, least } from "../helpers/config-file.ts";
import { Secrets } from "../helpers/secrets.ts";
import { change, onStore, type Said } from "../helpers/stored.ts";

// Most tests start several processes, one after the other.
vi.setConfig({ testTimeout: 90_000 });

let folder: ConfigFolder;
let database: string;

beforeEach(() => {
  folder = new ConfigFolder();
  database = join(folder.path, "postern.db");
  folder.write(
    "postern.yaml",
    `${least}gateway: { domains: [voxout.postern.example] }
customers:
  - { id: acme, domains: [acme.example], numbers: ["+3225887*"], secrets: [{ id: k1, secret: the-secret-of-acme-in-tests }] }
`,
  );
});
afterEach(() => folder.remove());

/** As JSON lines on stdin, so that nothing of it is an argument. */
const bring = (items: readonly unknown[], ...more: readonly string[]): Promise<Said> =>
  onStore(
    folder.path,
    ["customer", "import", "-", "--json", ...more],
    items.map((item) => (typeof item === "string" ? item : JSON.stringify(item))).join("\n"),
  );

const faultsOf = ({ data }: Said): { line: number; path: string; message: string }[] =>
  data.faults as { line: number; path: string; message: string }[];

const ids = async (): Promise<string[]> => {
  const { customers } = (await change(folder.path, "customer", "list", "--json")).data;
  return (customers as { id: string; declared: boolean }[]).filter(({ declared }) => !declared).map(({ id }) => id);
};

const globex = {
  id: "globex",
  domains: ["globex.example"],
  numbers: ["+4930*", "+49301"],
  secrets: [{ id: "k1", secret: "the-secret-of-globex-in-tests" }],
};

describe("SQL in a text", () => {
  let made = 0;
  const fresh = (): string => `the-secret-number-${made++}-of-32-bytes-or-more`;
  const sql = "x'); DROP TABLE customers; UPDATE claims SET customer='evil' --";

  const places: readonly (readonly [string, object])[] = [
    ["id", { id: sql }],
    ["domains[0]", { domains: [sql] }],
    ["origins[0]", { origins: [sql] }],
    ["callFrom[0]", { callFrom: [sql] }],
    ["numbers[0]", { numbers: [sql] }],
    ["dial[0]", { dial: [sql] }],
    ["methods[0]", { methods: [sql] }],
    ["trunk", { trunk: sql }],
    ["trunk2", { trunk: "sip:127.0.0.9", trunk2: sql }],
    ["callerId", { callerId: sql }],
    ['inbound["+49301"]', { inbound: { "+49301": sql } }],
    ["passHeaders[0]", { passHeaders: [sql] }],
    ["permissionUrl", { permissionUrl: sql }],
    ["secrets[0].id", { secrets: [{ id: sql, secret: fresh() }] }],
    ["secrets[0].algorithm", { secrets: [{ id: "k", secret: fresh(), algorithm: sql }] }],
    ["secrets[0].notAfter", { secrets: [{ id: "k", secret: fresh(), notAfter: sql }] }],
    ["keys[0].id", { keys: [{ id: sql, alg: "HS256", secret: fresh() }] }],
    ["keys[0].alg", { keys: [{ id: "k", alg: sql, secret: fresh() }] }],
    ["apiKeys[0].id", { apiKeys: [{ id: sql, secret: fresh() }] }],
  ];

  it("is refused wherever a text has a form, each in its place", async () => {
    const items = places.map(([, more], at) => ({ id: `evil${at}`, ...more }));
    const refused = await bring([globex, ...items]);
    expect(refused.exit).toBe(1);
    expect(faultsOf(refused).map(({ line, path }) => [line, path])).toEqual(places.map(([path], at) => [at + 2, path]));
    expect((await bring([globex])).exit).toBe(0);
    expect(await ids()).toEqual(["globex"]);
  });

  it("is a text where any text may stand, and where a customer is asked for", async () => {
    const keys = [{ id: "k", alg: "HS256", secret: `${sql} of 32 bytes`, issuer: sql, audience: sql }];
    expect((await bring([{ ...globex, keys, secrets: [{ id: "k1", secret: sql }] }])).exit).toBe(0);
    for (const args of [
      ["customer", "show", sql],
      ["customer", "remove", "' OR '1'='1"],
      ["secret", "list", sql],
      ["secret", "revoke", "globex", sql],
    ]) {
      expect((await onStore(folder.path, args)).exit, args.join(" ")).toBe(1);
    }
    await change(folder.path, "customer", "list", "--after", "' OR 1=1; --");
    expect(await ids()).toEqual(["globex"]);
    expect((await change(folder.path, "customer", "show", "globex")).data.keys).toMatchObject([{ issuer: sql }]);
  });
});

describe("what a customer is given besides", () => {
  const besides: readonly (readonly [string, object])[] = [
    ["operator", { operator: true }],
    ["revision", { revision: 0 }],
    ["claims", { claims: [{ kind: "domain", value: "acme.example" }] }],
    ["secrets[0].lastUsed", { secrets: [{ id: "k", secret: "0123456789abcdef", lastUsed: 1 }] }],
    ["limits.everything", { limits: { calls: 1, everything: 1 } }],
    ["keys[0].d", { keys: [{ id: "k", alg: "HS256", secret: "a-key-of-32-bytes-for-one-customer", d: "x" }] }],
  ];

  it("is refused where a customer has no such thing, each in its place", async () => {
    const refused = await bring(besides.map(([, more], at) => ({ id: `c${at}`, ...more })));
    expect(refused.exit).toBe(1);
    expect(faultsOf(refused).map(({ line, path }) => [line, path])).toEqual(
      besides.map(([path], at) => [at + 1, path]),
    );
    expect(await ids()).toEqual([]);
  });

  it("is refused where two readers could take a line differently", async () => {
    const lines = [
      '{"id":"globex","domains":["globex.example"],"id":"acme"}',
      '{"id":"globex","__proto__":{"domains":["globex.example"]}}',
      '["globex"]',
      '{"id":"globex"}{"id":"initech"}',
    ];
    const refused = await bring(lines);
    expect([refused.exit, faultsOf(refused).map(({ line }) => line)]).toEqual([1, [1, 2, 3, 4]]);
    expect(await ids()).toEqual([]);
    expect((await bring([globex])).exit).toBe(0);
  });

  it("is refused where it names a file or a variable, which would be read as what they name, or kept as a secret", async () => {
    const refused = await bring([
      { ...globex, secrets: [{ id: "k1", secret: "file:/etc/postern/acme.secret" }] },
      { id: "initech", keys: [{ id: "k", alg: "ES256", pem: "file:initech.pem" }] },
      { id: "hooli", apiKeys: [{ id: "k", secret: "${POSTERN_CHAIN_SECRET}" }] },
    ]);
    expect(faultsOf(refused).map(({ line, path }) => [line, path])).toEqual([
      [1, "secrets[0].secret"],
      [2, "keys[0].pem"],
      [3, "apiKeys[0].secret"],
    ]);
  });
});

describe("what is another's", () => {
  const wanted: readonly (readonly [string, object])[] = [
    ["domains[0]", { domains: ["acme.example"] }],
    ["domains[0]", { domains: ["voxout.postern.example"] }],
    ["domains[1]", { domains: ["x.example", "GLOBEX.Example"] }],
    ["numbers[0]", { numbers: ["4930*"] }],
    ['inbound["0049301"]', { inbound: { "0049301": "x" } }],
    ["secrets[0].secret", { secrets: [{ id: "k", secret: "the-secret-of-acme-in-tests" }] }],
    ["apiKeys[0].secret", { apiKeys: [{ id: "k", secret: "the-secret-of-globex-in-tests" }] }],
    ["secrets[0].secret", { secrets: [{ id: "k", secret: "chain-secret-of-the-test" }] }],
    ["id", { id: "acme" }],
  ];

  it("is not given to a second, whether the config or the store has it", async () => {
    expect((await bring([globex])).exit).toBe(0);
    const refused = await bring(
      wanted.map(([, more], at) => ({ id: `evil${at}`, ...more })),
      "--replace",
    );
    expect(refused.exit).toBe(1);
    expect(faultsOf(refused).map(({ line, path }) => [line, path])).toEqual(wanted.map(([path], at) => [at + 1, path]));
    expect(await ids()).toEqual(["globex"]);
  });

  it("is not given to two of one file either", async () => {
    const refused = await bring([globex, { ...globex, id: "evil" }]);
    expect(faultsOf(refused).map(({ line, path }) => [line, path])).toEqual([
      [2, "secrets[0].secret"],
      [2, "domains[0]"],
      [2, "numbers[0]"],
      [2, "numbers[1]"],
    ]);
  });
});

describe("a sealed secret", () => {
  it("opens for nobody but its own customer: in an export, nor put there by hand", async () => {
    await bring([globex, { id: "initech", secrets: [{ id: "k1", secret: "the-secret-of-initech-01" }] }]);
    const { stdout } = await change(folder.path, "customer", "export");
    const [theirs] = stdout.split("\n");
    const moved = await bring([{ ...(JSON.parse(theirs ?? "") as object), id: "evil", domains: [], numbers: [] }]);
    expect(faultsOf(moved).map(({ path }) => path)).toEqual(["secrets[0].secret"]);
    const db = new DatabaseSync(database);
    db.exec(`UPDATE customers SET item = replace((SELECT item FROM customers WHERE id = 'globex'), 'globex"', 'initech"')
      WHERE id = 'initech'`);
    db.close();
    const shown = await onStore(folder.path, ["customer", "show", "initech"]);
    expect([shown.exit, shown.stderr]).toEqual([1, expect.stringContaining("a secret of it does not open")]);
    expect((await change(folder.path, "customer", "show", "globex")).data.secrets).toEqual([
      { id: "k1", algorithm: "sha1" },
    ]);
  });
});

describe("secrets of the store", () => {
  it("are in none of its files, listings, exports and words", async () => {
    const secrets = new Secrets();
    const url = (name: string): string => `https://globex.example/${name}?token=${secrets.make(name)}`;
    const keys = [
      { id: "j", alg: "HS256", secret: secrets.make("key") },
      { id: "set", alg: "ES256", jwksUri: url("jwksUri"), issuer: "globex", audience: "postern" },
    ];
    const apiKeys = [{ id: "a", secret: secrets.make("API key") }];
    const webhook = { url: url("webhook"), secret: secrets.make("webhook's secret") };
    const all = { keys, apiKeys, webhook, permissionUrl: url("permissionUrl") };
    const item = { ...globex, secrets: [{ id: "k1", secret: secrets.make("secret") }], ...all };
    secrets.given(JSON.stringify(item));
    const db = new DatabaseSync(database);
    const look = (): void => {
      for (const end of ["", "-wal", "-shm"]) {
        if (existsSync(database + end)) secrets.said(`postern.db${end}`, readFileSync(database + end, "latin1"));
      }
    };
    const say = async (...args: readonly string[]): Promise<Said> => {
      const said = await onStore(folder.path, args);
      secrets.said(args.join(" "), said.stdout + said.stderr, args.includes("add") ? ["made"] : []);
      look();
      return said;
    };
    const imported = await bring([item]);
    secrets.said("import", imported.stdout + imported.stderr);
    db.exec("PRAGMA journal_mode"); // another reader keeps the write-ahead log
    const made = secrets.keep("made", String((await say("secret", "add", "globex")).data.secret));
    secrets.given(made);
    await say("secret", "list", "globex");
    await say("customer", "list", "--json");
    await say("customer", "show", "globex");
    await say("customer", "export");
    await say("secret", "revoke", "globex", "k2");
    secrets.said("a refused import", (await bring([{ ...item, id: "evil" }])).stdout);
    await say("customer", "remove", "globex");
    db.close();
    expect(secrets.unused()).toEqual([]);
    expect(secrets.places.get("postern.db")).toBeGreaterThan(10_000);
    expect(secrets.leaks()).toEqual([]);
  });
});

describe("a process killed in the middle of changes", () => {
  const writer = fileURLToPath(new URL("../helpers/store-writer.ts", import.meta.url));
  const key = "the-key-of-this-store";

  /** Lets it write for so long, kills it, and gives the last revision that it was told to be written. */
  async function killed(afterMs: number): Promise<number> {
    const child = spawn(process.execPath, [writer], {
      env: { ...process.env, STORE: `sqlite:${database}`, STORE_KEY: key },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    const closed = once(child, "close");
    await once(child.stdout, "data");
    setTimeout(() => child.kill("SIGKILL"), afterMs);
    expect((await closed)[1]).toBe("SIGKILL");
    return Number(said.trimEnd().split("\n").at(-1));
  }

  it("leaves the whole of each or nothing, and all that was told to be written", async () => {
    for (let round = 0; round < 12; round++) {
      const told = await killed(1 + round * 7);
      const db = new DatabaseSync(database);
      expect(db.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
      const revision = Number(db.prepare("SELECT value FROM meta WHERE name = 'revision'").get()?.value);
      expect(revision).toBeGreaterThanOrEqual(told);
      const rows = db.prepare("SELECT id, revision, item FROM customers ORDER BY id").all();
      expect(rows.map((row) => row.revision)).toEqual([revision, revision]);
      const owners = db.prepare("SELECT value, customer FROM claims WHERE kind = 'domain' ORDER BY customer").all();
      const domains = rows.map(({ item }) => (JSON.parse(String(item)) as { domains: string[] }).domains[0]);
      expect(owners.map(({ value }) => value)).toEqual(domains);
      expect(new Set(domains).size).toBe(2);
      db.close();
      const { store, audit } = await openSqlite({ path: database, keys: [key], renew: false });
      const { head, broken } = await verifyChain(audit, new SealKeys([key]));
      expect([head.seq, broken], "an entry for each of the two, with each change").toEqual([2 * revision, undefined]);
      await store.close();
    }
  });

  it("by a full disk changes nothing and says so", async () => {
    expect((await bring([globex])).exit).toBe(0);
    const many = Array.from({ length: 3_000 }, (_, at) =>
      JSON.stringify({ id: `c${at}`, domains: [`c${at}.example`] }),
    );
    const file = folder.write("many.jsonl", many.join("\n"));
    const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
    // A file may have 200 KiB: the same as no room to SQLite.
    const command = `ulimit -f 400; exec "$0" "$@"`;
    const args = [
      "-c",
      command,
      process.execPath,
      main,
      "customer",
      "import",
      file,
      "-c",
      join(folder.path, "postern.yaml"),
    ];
    const refused = await promisify(execFile)("sh", args).catch(
      (error: unknown) => error as { code: number; stderr: string },
    );
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/disk.*nothing was changed/) });
    expect(await ids()).toEqual(["globex"]);
    expect((await bring(many)).exit).toBe(0);
  });
});
