import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { readPostgresUrl } from "../../src/config/store-url.ts";
import { claimsOf } from "../../src/store/claims.ts";
import type { Edit, Ports } from "../../src/store/port.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { SealKeys } from "../../src/store/seal.ts";
import { verifyChain } from "../../src/store/verify-chain.ts";
import { type Postgres, startPostgres } from "../helpers/postgres.ts";

// Most tests start several processes, one after the other.
vi.setConfig({ testTimeout: 90_000 });

const key = "the-key-of-this-store";
const act = { by: "cli:test", what: "customer.change" };

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres?.remove());
afterEach(() => postgres.sql("DROP SCHEMA IF EXISTS postern CASCADE"));

async function open(): Promise<Ports> {
  const read = readPostgresUrl(postgres.url());
  if (read.kind === "fault") throw new Error(read.sentence);
  const ports = await openPostgres({ target: read.target, keys: [key], renew: false, make: true });
  if (!ports) throw new Error("it was not made");
  return ports;
}

describe("SQL in a text", () => {
  let ports: Ports;
  beforeEach(async () => {
    ports = await open();
    await ports.store.write([put("globex")], act);
  });
  afterEach(() => ports.store.close());

  const put = (id: string, more: object = {}): Edit => {
    const item = { id, domains: [`${id}.example`], ...more };
    return { kind: "put", id, item, claims: claimsOf(item) };
  };
  const evil = [
    "x'; DROP TABLE postern.customers; --",
    "\"}'); DELETE FROM postern.claims; --",
    "$1",
    "\\'; SELECT 1; --",
    "{a,b}",
    '{"a"}',
    "NULL",
    "\0'; --",
    "\\000",
    "E'\\\\'",
    "');--\\",
    "%'",
  ];

  it("is a value wherever it may stand: as an id, a claim, a secret's name, an entry of the audit, a call, a use", async () => {
    const { store, audit, calls, uses } = ports;
    for (const [at, text] of evil.entries()) {
      const more = { domains: [text], secrets: [{ id: text, secret: `${text} and sixteen more` }], trunk: text };
      expect(
        await store.write([put(text, more)], { by: text, what: text, customer: text, address: text }),
      ).toMatchObject({ kind: "written" });
      expect(await store.get(text)).toMatchObject({ kind: "stored", id: text, item: { id: text, ...more } });
      expect(await store.taken([{ kind: "domain", value: text.toLowerCase() }])).toEqual([{ claim: 0, owner: text }]);
      await audit.append([{ by: text, what: text, customer: text }]);
      const entries = await audit.read({ limit: 9, customer: text.replaceAll("\0", "\ufffd") });
      expect(entries).toHaveLength(2);
      const record = {
        id: `0199-${at}`,
        gateway: text,
        callId: text,
        customer: text,
        user: text,
        direction: "in",
        start: 1,
      } as const;
      await calls.write([{ record, owed: false }], { gateway: text, at });
      expect(await calls.find({ limit: 9, callId: text, user: text, customer: text, after: "1" })).toEqual([record]);
      await uses.add([{ customer: text, kind: "secret", id: text, count: 1, last: 1 }]);
      expect(await uses.of(text)).toEqual([{ customer: text, kind: "secret", id: text, count: 1, last: 1 }]);
    }
    expect((await store.list("", 100)).map(({ id }) => id).toSorted()).toEqual([...evil, "globex"].toSorted());
    expect((await verifyChain(audit, new SealKeys([key]))).broken).toBeUndefined();
  });

  it("finds nothing that it was not given", async () => {
    const { store, audit, calls } = ports;
    for (const text of [...evil, "' OR '1'='1", "globex' --", "glob%"]) {
      expect(await store.get(text)).toBeUndefined();
      expect(await audit.read({ limit: 9, customer: text, by: text })).toEqual([]);
      expect(await calls.find({ limit: 9, customer: text })).toEqual([]);
      expect(await store.taken([{ kind: "domain", value: text }])).toEqual([]);
    }
    expect(await audit.read({ limit: 9, customer: "globex" })).toHaveLength(1);
    expect(await store.get("globex")).toMatchObject({ kind: "stored" });
  });
});

describe("an audit in PostgreSQL", () => {
  it("is neither changed nor cut by a statement, and not unseen by who takes the triggers away", async () => {
    const ports = await open();
    const item = { id: "acme", domains: ["acme.example"] };
    await ports.store.write([{ kind: "put", id: "acme", item, claims: claimsOf(item) }], act);
    await ports.audit.append([act]);
    for (const sql of ["UPDATE postern.audit SET entry = 'x'", "DELETE FROM postern.audit", "TRUNCATE postern.audit"]) {
      await expect(postgres.sql(sql)).rejects.toThrow(/never changed or removed/);
    }
    await expect(postgres.sql("INSERT INTO postern.audit VALUES (9, '{}', 'x')")).rejects.toThrow(
      /follows the last one/,
    );
    const keys = new SealKeys([key]);
    expect((await verifyChain(ports.audit, keys)).broken).toBeUndefined();
    await postgres.sql(
      "ALTER TABLE postern.audit DISABLE TRIGGER ALL; UPDATE postern.audit SET entry = replace(entry, 'acme', 'evil') WHERE seq = 1",
    );
    expect((await verifyChain(ports.audit, keys)).broken).toMatchObject({ seq: 1 });
    await ports.store.close();
  });
});

const writer = fileURLToPath(new URL("../helpers/store-writer.ts", import.meta.url));

interface Writer {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** The last revision that it was told to be written. */
  told(): number;
}

/** One that has begun. */
async function writing(): Promise<Writer> {
  const env = { ...process.env, STORE: postgres.url(), STORE_KEY: key };
  const child = spawn(process.execPath, [writer], { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  child.stderr.resume();
  await once(child.stdout, "data");
  return { child, told: () => Number(said.trimEnd().split("\n").at(-1)) };
}

/** All of the last change is there, and all of it stands together. */
async function whole(): Promise<number> {
  const [row] = await postgres.sql("SELECT value FROM postern.meta WHERE name = 'revision'");
  const revision = Number(row?.value);
  const rows = await postgres.sql("SELECT id, revision, item FROM postern.customers ORDER BY id");
  expect(rows.map((one) => Number(one.revision))).toEqual([revision, revision]);
  const domains = rows.map(({ item }) => (JSON.parse(String(item)) as { domains: string[] }).domains[0]);
  const owners = await postgres.sql("SELECT value FROM postern.claims WHERE kind = 'domain' ORDER BY customer");
  expect(owners.map(({ value }) => value)).toEqual(domains);
  expect(new Set(domains).size).toBe(2);
  const [entries] = await postgres.sql("SELECT count(*)::int AS count FROM postern.audit");
  expect(entries?.count).toBe(2 * revision);
  return revision;
}

describe("what is killed in the middle of changes", () => {
  it("leaves the whole of each or nothing, and all that was told to be written: a process that writes", async () => {
    for (let round = 0; round < 6; round++) {
      const { child, told } = await writing();
      const closed = once(child, "close");
      setTimeout(() => child.kill("SIGKILL"), 1 + round * 11);
      expect((await closed)[1]).toBe("SIGKILL");
      const known = told();
      // What was asked for before its end may still be made whole.
      const others = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'postern'";
      await expect.poll(() => postgres.sql(others), { timeout: 20_000 }).toEqual([{ count: 0 }]);
      expect(await whole()).toBeGreaterThanOrEqual(known);
    }
  });

  it("leaves the same: the server, of which who writes is told in words", async () => {
    const { child, told } = await writing();
    const closed = once(child, "close");
    await postgres.halt("immediate");
    await closed;
    await postgres.resume();
    expect(await whole()).toBeGreaterThanOrEqual(told());
    const ports = await open();
    expect((await verifyChain(ports.audit, new SealKeys([key]))).broken).toBeUndefined();
    await ports.store.close();
  });
});
