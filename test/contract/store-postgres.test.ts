import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { type PostgresTarget, readPostgresUrl } from "../../src/config/store-url.ts";
import { claimsOf } from "../../src/store/claims.ts";
import { beginning, type Edit, type Ports, type Store, type StoreEvent } from "../../src/store/port.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { PostgresPool, patience } from "../../src/store/postgres-pool.ts";
import { type Postgres, startPostgres } from "../helpers/postgres.ts";
import { describeAudit } from "./audit.ts";
import { describeCalls } from "./calls.ts";
import { describeQuality } from "./quality.ts";
import { describeSigningKeys } from "./signing-keys.ts";
import { describeStore } from "./store.ts";
import { describeUses } from "./uses.ts";

// Some of them start PostgreSQL again.
vi.setConfig({ testTimeout: 60_000 });

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres({ tls: true });
});
afterAll(() => server?.remove());

const key = "the-key-of-this-store";

function targetOf(url: string): PostgresTarget {
  const read = readPostgresUrl(url);
  if (read.kind === "fault") throw new Error(read.sentence);
  return read.target;
}

async function open(keys: readonly string[] = [key], renew = false): Promise<Ports> {
  const ports = await openPostgres({ target: targetOf(server.url()), keys, renew, make: true });
  if (!ports) throw new Error("it was not made");
  return ports;
}

const remove = async (): Promise<void> => {
  await server.sql("DROP SCHEMA IF EXISTS postern CASCADE");
};

describeStore("PostgreSQL", async () => ({
  store: (await open()).store,
  again: async () => (await open()).store,
  remove,
}));
describeAudit("PostgreSQL", async () => ({ open, remove }));
describeUses("PostgreSQL", async () => ({ ports: await open(), remove }));
describeSigningKeys("PostgreSQL", async () => ({
  open,
  contents: async () => JSON.stringify(await server.sql("SELECT * FROM postern.signing_keys")),
  remove,
}));
describeCalls("PostgreSQL", async () => ({ database: await open(), again: () => open(), remove }));
describeQuality("PostgreSQL", async () => ({ ports: await open(), remove }));

const put = (id: string, more: object = {}): Edit => {
  const item = { id, secrets: [{ id: "k1", secret: `the-secret-of-${id}-0123` }], ...more };
  return { kind: "put", id, item, claims: claimsOf(item) };
};

const act = { by: "cli:test", what: "customer.change" };

/** Opens it, does something, and closes it. */
async function opened<T>(
  work: (store: Store, ports: Ports) => Promise<T>,
  ...how: Parameters<typeof open>
): Promise<T> {
  const ports = await open(...how);
  try {
    return await work(ports.store, ports);
  } finally {
    await ports.store.close();
  }
}

describe("a store in PostgreSQL", () => {
  afterEach(remove);

  it("is made once by several that start at once", async () => {
    const stores = (await Promise.all(Array.from({ length: 6 }, () => open()))).map(({ store }) => store);
    const written = await Promise.all(stores.map((store, at) => store.write([put(`c${at}`)], act)));
    expect(written.map((one) => one.kind === "written" && one.revision).toSorted()).toEqual([1, 2, 3, 4, 5, 6]);
    await Promise.all(stores.map((store) => store.close()));
  });

  it("is not made by who only looks", async () => {
    const looked = await openPostgres({ target: targetOf(server.url()), keys: [key], renew: false, make: false });
    expect(looked).toBeUndefined();
    expect(await server.sql("SELECT to_regnamespace('postern') AS made")).toEqual([{ made: null }]);
  });

  it("has three connections at most, by the name of postern, whatever waits", async () => {
    await opened(async (store) => {
      const release = Promise.withResolvers<void>();
      const held = holdRevision(release.promise);
      await held.isHeld;
      const written = Promise.all(Array.from({ length: 20 }, (_, at) => store.write([put(`c${at}`)], act)));
      const ours = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'postern'";
      await expect.poll(() => server.sql(ours)).toEqual([{ count: 3 }]);
      release.resolve();
      await held.ended;
      expect(new Set((await written).map(({ kind }) => kind))).toEqual(new Set(["written"]));
      expect(await server.sql(ours)).toEqual([{ count: 3 }]);
    });
  });

  it("waits for no answer for ever, and is not held up by what did not answer", async () => {
    const sockets = new Set<Socket>();
    const mute = createServer((socket) => sockets.add(socket.on("error", () => socket.destroy()).resume())).listen(
      0,
      "127.0.0.1",
    );
    await once(mute, "listening");
    const { port } = mute.address() as { port: number };
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const pool = new PostgresPool({ ...targetOf(server.url()), port });
      const asked = Promise.allSettled(Array.from({ length: 5 }, () => pool.run((one) => one.query("SELECT 1"))));
      await vi.advanceTimersByTimeAsync(patience);
      expect((await asked).map((one) => one.status === "rejected" && one.reason.code)).toEqual(
        Array(5).fill("TOO_LATE"),
      );
      await vi.waitUntil(() => [...sockets].every((socket) => socket.destroyed || socket.readableEnded), deadline);
      await pool.close();
    } finally {
      vi.useRealTimers();
      for (const socket of sockets) socket.destroy();
      mute.close();
    }
  });

  it("brings an older schema forward, and leaves a newer one, another program's and one that loses texts alone", async () => {
    await opened(async (store) => {
      await store.write([put("acme")], act);
      for (const edit of [put("globex"), { kind: "remove", id: "globex" } as const, put("globex")])
        await store.write([edit], act);
    });
    await server.sql(
      `DROP TABLE postern.uses, postern.quality, postern.signing_keys; ALTER TABLE postern.customers DROP COLUMN since;
       UPDATE postern.meta SET value = '3' WHERE name = 'schema'`,
    );
    await opened(async (store, { uses }) => {
      expect(await store.get("acme")).toMatchObject({ kind: "stored", revision: 1 });
      expect(await store.get("acme")).not.toHaveProperty("since");
      expect(await store.get("globex")).toMatchObject({ revision: 4, since: expect.any(Number) });
      expect(await uses.of("acme")).toEqual([]);
    });
    await server.sql("UPDATE postern.meta SET value = '99' WHERE name = 'schema'");
    await expect(open()).rejects.toThrow(/has schema version 99, and this Postern knows 7: run the newer Postern/);
    await server.sql("UPDATE postern.meta SET value = 'x' WHERE name = 'application'");
    await expect(open()).rejects.toThrow(/another program's database/);
    for (const theirs of ["CREATE TABLE postern.meta (a int)", "CREATE TABLE postern.theirs (a int)"]) {
      await remove();
      await server.sql(`CREATE SCHEMA postern; ${theirs}`);
      await expect(open()).rejects.toThrow(/another program's database/);
    }
    await server.sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
    await expect(openAt(server.url("latin"))).rejects.toThrow(/cannot keep every text: .* ENCODING 'UTF8'/);
  });

  it("changes nothing for a gateway whose version is the older one now, which goes on reading", async () => {
    await opened(async (store, { audit, calls, quality }) => {
      await store.write([put("acme")], act);
      await server.sql("UPDATE postern.meta SET value = '99' WHERE name = 'schema'");
      const written = await store.write([put("globex")], act);
      expect(written).toMatchObject({ kind: "unavailable", sentence: expect.stringMatching(/schema version 99/) });
      await expect(audit.append([act])).rejects.toThrow(/schema version 99/);
      await expect(calls.write([], { gateway: "g1", at: 0 })).rejects.toThrow(/schema version 99/);
      await expect(quality.forget(0, 1)).rejects.toThrow(/schema version 99/);
      expect((await store.changes(beginning)).records).toHaveLength(1);
    });
  });

  it.each([
    [
      "a wrong password",
      (url: string) => url.replace(/postern:[^@]*/, "postern:s3cret-and-wrong"),
      /refuses this user or its password$/,
    ],
    [
      "no such database",
      (url: string) => url.replace(/postgres$/, "nowhere"),
      /\/nowhere is not there: createdb makes it$/,
    ],
    [
      "nothing that listens",
      (url: string) => url.replace(/:\d+\//, ":1/"),
      /:1\/postgres cannot be reached: nothing listens there$/,
    ],
    [
      "no socket",
      (url: string) => `${url.replace(/127.0.0.1:\d+/, "localhost")}?host=/nowhere`,
      /cannot be reached: there is no socket$/,
    ],
    [
      "a certificate of nobody known",
      (url: string) => `${url}?sslmode=verify-full`,
      /shows a certificate of nobody who is believed: set sslrootcert, or sslmode$/,
    ],
    [
      "a certificate for another host",
      (url: string) => `${url.replace("127.0.0.1", "localhost")}?sslmode=verify-full&sslrootcert=${server.certificate}`,
      /shows a certificate for another host$/,
    ],
    [
      "no file of certificates",
      (url: string) => `${url}?sslmode=verify-full&sslrootcert=/nowhere/ca.pem`,
      /cannot be reached: the file of sslrootcert cannot be read$/,
    ],
    [
      "no name",
      (url: string) => `${url.replace("127.0.0.1", "db.invalid")}?sslmode=disable`,
      /cannot be reached: (its host has no address|nobody says which)/,
    ],
  ])("says of %s what it is, and never the password", async (_, changed, sentence) => {
    const error = await openAt(changed(server.url())).catch((one: unknown) => one as Error);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toMatch(sentence);
    expect((error as Error).message).toMatch(/^the store postgres:\/\/postern@/);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/s3cret|the-password|the%2Dpassword/);
  });

  it.each<[string, (url: string) => string]>([
    ["by TLS, its certificate verified", (url) => `${url}?sslmode=verify-full&sslrootcert=${server.certificate}`],
    ["by TLS with whomever", (url) => `${url}?sslmode=require`],
  ])("is reached %s, and is told of changes there", async (_, changed) => {
    const ports = await openAt(changed(server.url()));
    const heard = new Promise((resolve) => ports.store.watch(resolve));
    await opened((store) => store.write([put("acme")], act));
    expect(await heard).toEqual({ kind: "changed" });
    const encrypted =
      "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'postern'";
    expect(await server.sql(encrypted)).toEqual([{ ssl: true }]);
    expect(await ports.store.write([put("globex")], act)).toMatchObject({ kind: "written" });
    await ports.store.close();
  });

  it("is reached by a unix socket", async () => {
    const url = server.url().replace("127.0.0.1", "localhost");
    const ports = await openAt(`${url}?host=${server.folder}`);
    expect(await ports.store.write([put("acme")], act)).toMatchObject({ kind: "written" });
    const [row] = await server.sql(
      "SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'postern' AND client_addr IS NULL",
    );
    expect(row?.count).toBeGreaterThan(0);
    await ports.store.close();
  });

  it("is never spoken to in the clear where TLS is wanted and it has none", async () => {
    const heard: Buffer[] = [];
    const plain = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.on("data", (data) => heard.push(data));
      socket.once("data", () => {
        socket.write("N");
        socket.once("data", () => socket.destroy());
      });
    }).listen(0, "127.0.0.1");
    await once(plain, "listening");
    const { port } = plain.address() as AddressInfo;
    const url = server.url().replace(`:${server.port}/`, `:${port}/`);
    for (const mode of ["require", "verify-full"]) {
      await expect(openAt(`${url}?sslmode=${mode}`)).rejects.toThrow(
        /does not speak TLS as it should: turn ssl on there/,
      );
    }
    plain.close();
    expect(heard.length).toBeGreaterThanOrEqual(4);
    expect(Buffer.concat(heard).includes("postern")).toBe(false);
  });

  it("shows the server a name and no secret", async () => {
    await opened(async (store) => {
      await store.write([put("acme")], act);
      const rows = await server.sql(
        "SELECT query, application_name FROM pg_stat_activity WHERE application_name = 'postern'",
      );
      expect(rows.length).toBeGreaterThan(0);
      expect(JSON.stringify(rows)).not.toMatch(/the-password|the-secret-of/);
    });
    const everything = await server.sql(
      "SELECT item FROM postern.customers UNION ALL SELECT entry FROM postern.audit UNION ALL SELECT value FROM postern.claims",
    );
    expect(JSON.stringify(everything)).toMatch(/sealed:/);
    expect(JSON.stringify(everything)).not.toMatch(/the-secret-of/);
    expect(server.log()).not.toMatch(/the-password|the-secret-of/);
  });

  it("has its key changed in two rounds, while others go on", async () => {
    const [old, fresh] = ["the-old-key-of-the-store", "the-fresh-key-of-the-store"];
    const other = await open([old, fresh]);
    await other.store.write([put("acme")], act);
    await opened(
      async (store) => {
        await store.write([put("globex")], act);
        expect(await other.store.get("globex")).toMatchObject({ kind: "stored" });
        expect(await other.store.write([put("initech")], act)).toMatchObject({ kind: "written" });
        const same = put("hooli", { secrets: [{ id: "x", secret: "the-secret-of-acme-0123" }] });
        expect(await other.store.write([same], act)).toMatchObject({ kind: "taken", owner: "acme" });
      },
      [fresh, old],
      true,
    );
    await other.store.close();
    await opened(
      async (store) => {
        const { records } = await store.changes(beginning);
        expect(records.map(({ kind, id }) => [kind, id])).toEqual(
          ["acme", "globex", "initech"].map((id) => ["stored", id]),
        );
      },
      [fresh],
    );
  });

  it("fails in words while its server is gone, tells so once, and is well again by itself", async () => {
    await opened(async (store, ports) => {
      await store.write([put("acme")], act);
      const events: StoreEvent[] = [];
      store.watch((event) => events.push(event));
      const kinds = (): string[] => events.map(({ kind }) => kind);
      await server.halt("immediate");
      onTestFinished(() => server.resume());
      await expect.poll(kinds, deadline).toEqual(["troubled"]);
      expect(events[0]).toMatchObject({
        sentence: expect.stringMatching(gone),
      });
      const written = await store.write([put("globex")], act);
      expect(written).toMatchObject({ kind: "unavailable", sentence: expect.stringMatching(gone) });
      await expect(store.get("acme")).rejects.toThrow(gone);
      await expect(ports.calls.find({ limit: 1 })).rejects.toThrow(gone);
      await expect(ports.audit.append([act])).rejects.toThrow(gone);
      await server.resume();
      await expect.poll(kinds, deadline).toEqual(["troubled", "well"]);
      expect(await store.write([put("globex")], act)).toEqual({ kind: "written", revision: 2 });
      expect(kinds()).toEqual(["troubled", "well", "changed"]);
    });
  });

  it("is told of each change by a notice, and does not wait until it looks itself", async () => {
    const other = await open();
    await opened(async (store) => {
      let heard = 0;
      store.watch(() => heard++);
      const took: number[] = [];
      for (let at = 1; at <= 10; at++) {
        const began = performance.now();
        await other.store.write([put("acme", { maxTtl: at })], act);
        await vi.waitUntil(() => heard >= at, { ...deadline, interval: 5 });
        took.push(performance.now() - began);
      }
      // It looks itself once a second, and would see each but the first nearly a second late; a busy machine may delay some.
      expect(took.filter((ms) => ms < 500).length, took.join()).toBeGreaterThanOrEqual(3);
    });
    await other.store.close();
  });

  it("looks itself where a notice is lost, and says so where it was put back to an earlier state", async () => {
    await opened(async (store) => {
      await store.write([put("acme")], act);
      const events: StoreEvent[] = [];
      store.watch((event) => events.push(event));
      await server.sql("UPDATE postern.meta SET value = '7' WHERE name = 'revision'");
      await expect.poll(() => events, deadline).toEqual([{ kind: "changed" }]);
      await server.sql("UPDATE postern.meta SET value = '5' WHERE name = 'revision'");
      const sentence = expect.stringMatching(/was put back to an earlier state: restart the gateway/);
      await expect.poll(() => events.at(-1), deadline).toEqual({ kind: "troubled", sentence });
    });
  });

  it("says that it does not know, where the connection is lost while it is asked to keep a change", async () => {
    await opened((store) => store.write([put("acme")], act));
    const proxy = await cuttingAfter("COMMIT\0", server.port);
    const ports = await openAt(server.url().replace(`:${server.port}/`, `:${proxy.port}/`));
    await expect(ports.store.write([put("globex")], act)).rejects.toThrow(/look whether it was before you try again$/);
    const early = await cuttingAfter("pg_notify", server.port);
    const others = await openAt(server.url().replace(`:${server.port}/`, `:${early.port}/`));
    expect(await others.store.write([put("initech")], act)).toMatchObject({ kind: "unavailable" });
    await Promise.all([ports.store.close(), others.store.close()]);
    await Promise.all([proxy.close(), early.close()]);
    await opened(async (store) => expect(await store.get("initech")).toBeUndefined());
  });
});

/** Who noticed nothing yet still has a connection, which is closed. */
const gone =
  /^the store postgres:.* (cannot be reached: nothing listens there|closed the connection: .*|is starting or stopping: .*)$/;

const deadline = { timeout: 20_000 };

async function openAt(url: string): Promise<Ports> {
  const ports = await openPostgres({ target: targetOf(url), keys: [key], renew: false, make: true });
  if (!ports) throw new Error("it was not made");
  return ports;
}

/** A way to the server on which the connection ends with the packet, of the way there, that holds a word. */
async function cuttingAfter(word: string, port: number): Promise<{ port: number; close(): Promise<void> }> {
  const way = createServer((socket) => {
    const there = connect(port, "127.0.0.1");
    for (const [one, other] of [
      [socket, there],
      [there, socket],
    ] as const) {
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
    }
    there.pipe(socket);
    socket.on("data", (data) => {
      if (!data.includes(word)) return void there.write(data);
      there.write(data, () => socket.resetAndDestroy());
    });
  }).listen(0, "127.0.0.1");
  await once(way, "listening");
  const close = () => new Promise<void>((resolve) => way.close(() => resolve()));
  return { port: (way.address() as AddressInfo).port, close };
}

/** Another program's change that has the row which each change needs. */
function holdRevision(until: Promise<void>): { isHeld: Promise<void>; ended: Promise<unknown> } {
  const isHeld = Promise.withResolvers<void>();
  const pool = new PostgresPool(targetOf(server.url()));
  const ended = pool.run(async (connection) => {
    await connection.query("BEGIN; SET application_name = 'another'; SELECT value FROM postern.meta FOR UPDATE");
    isHeld.resolve();
    await until;
    await connection.query("COMMIT");
  });
  return { isHeld: isHeld.promise, ended: ended.then(() => pool.close()) };
}
