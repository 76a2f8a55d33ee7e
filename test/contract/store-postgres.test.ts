import { createServer, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type PostgresTarget, readPostgresUrl } from "../../src/config/store-url.ts";
import { claimsOf } from "../../src/store/claims.ts";
import type { Edit, Ports, Store } from "../../src/store/port.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { PostgresPool, patience } from "../../src/store/postgres-pool.ts";
import { type Postgres, startPostgres } from "../helpers/postgres.ts";
import { describeAudit } from "./audit.ts";
import { describeCalls } from "./calls.ts";
import { describeStore } from "./store.ts";
import { describeUses } from "./uses.ts";

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
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
describeCalls("PostgreSQL", async () => ({ database: await open(), again: () => open(), remove }));

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
    await vi.waitFor(() => expect(mute.listening).toBe(true));
    const { port } = mute.address() as { port: number };
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const pool = new PostgresPool({ ...targetOf(server.url()), port });
      const asked = Promise.allSettled(Array.from({ length: 5 }, () => pool.run((one) => one.query("SELECT 1"))));
      await vi.advanceTimersByTimeAsync(patience);
      expect((await asked).map((one) => one.status === "rejected" && one.reason.code)).toEqual(
        Array(5).fill("TOO_LATE"),
      );
      await vi.waitUntil(() => [...sockets].every((socket) => socket.destroyed || socket.readableEnded));
      await pool.close();
    } finally {
      vi.useRealTimers();
      for (const socket of sockets) socket.destroy();
      mute.close();
    }
  });
});

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
