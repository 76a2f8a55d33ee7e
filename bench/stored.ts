import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { claimsOf } from "../src/store/claims.ts";
import { openStore } from "../src/store/open.ts";
import type { Edit } from "../src/store/port.ts";
import { type Postgres, startPostgres } from "../test/helpers/postgres.ts";
import { benchSecret, storeKey } from "./load.ts";
import { type ForkedPeer, forkPeer, type Peer } from "./peers.ts";
import { manyClients, type Plan } from "./plan.ts";
import { measureStub, posternNamed } from "./stub.ts";
import { type Series, table } from "./table.ts";
import { peakBytes, residentBytes } from "./usage.ts";

/** A gateway that has so many customers from a store. */
export interface StoredRow {
  readonly store: string;
  readonly customers: number;
  /** Seconds to write them, into an empty store, for the record. */
  readonly filled: number;
  /** Seconds from the start of its process until it listens. */
  readonly started: number;
  /** Bytes after a garbage collection, and the most so far. */
  readonly resident: number;
  readonly peak: number;
}

/** Customers of one change. */
const atOnce = 2_000;

interface Kept {
  readonly name: string;
  /** The URL of an empty store, for so many. */
  fresh(customers: number): Promise<string>;
  close(): Promise<void>;
}

/** Start, memory, and what a request costs, with few and with many customers in each kind of store. */
export async function measureStored(
  upstream: string,
  plan: Plan,
  dir: string,
  say: (series: Series) => void,
): Promise<StoredRow[]> {
  const rows: StoredRow[] = [];
  for (const open of [sqlite, postgres]) {
    const kept = await open(join(dir, open.name));
    if (!kept) continue;
    try {
      const peers: Peer[] = [await forkPeer("bare ws relay", "relay.ts", [upstream])];
      for (const customers of [plan.customers[0]!, plan.customers.at(-1)!]) {
        const [row, peer] = await start(kept, customers, upstream);
        rows.push(row);
        peers.push(peer);
      }
      for (const kind of ["register", "refused"] as const) {
        const series = await measureStub(peers, kind, manyClients, plan);
        say({ ...series, title: `${series.title}; customers in ${kept.name}` });
      }
    } finally {
      await kept.close();
    }
  }
  return rows;
}

async function start(kept: Kept, customers: number, upstream: string): Promise<[StoredRow, ForkedPeer]> {
  const url = await kept.fresh(customers);
  const began = performance.now();
  await fill(url, customers);
  const filled = (performance.now() - began) / 1000;
  const peer = await forkPeer(posternNamed(customers), "gateway.ts", [upstream, "0", "off", url]);
  await peer.settle();
  const memory = { resident: residentBytes(peer.pids), peak: peakBytes(peer.pids) };
  return [{ store: kept.name, customers, filled, started: peer.startSeconds, ...memory }, peer];
}

async function fill(url: string, customers: number): Promise<void> {
  const ports = await openStore({ store: url, storeNamed: true, storeKeys: [storeKey] }, { make: true, renew: false });
  if (!ports) throw new Error("the store was not made");
  for (let from = 0; from < customers; from += atOnce) {
    const edits = Array.from({ length: Math.min(atOnce, customers - from) }, (_, at) => putOf(from + at, customers));
    const written = await ports.store.write(edits, { by: "cli:bench", what: "customer.import" });
    if (written.kind !== "written") throw new Error(JSON.stringify(written));
  }
  await ports.store.close();
}

/** The one in the middle is the one that calls. */
function putOf(at: number, customers: number): Edit {
  const calls = at === customers >> 1;
  const id = calls ? "acme" : `c${at}`;
  const item = {
    id,
    domains: [`${id}.example`],
    secrets: [{ id: "k1", secret: calls ? benchSecret : `${benchSecret}-${at}` }],
    numbers: [`+999${at}*`],
    trunk: "sip:127.0.0.9:5060",
    limits: { connections: 0, calls: 0 },
  };
  return { kind: "put", id, item, claims: claimsOf(item) };
}

async function sqlite(dir: string): Promise<Kept> {
  mkdirSync(dir, { recursive: true });
  const fresh = async (customers: number): Promise<string> => `sqlite:${join(dir, `${customers}.db`)}`;
  return { name: "SQLite", fresh, close: async () => {} };
}

async function postgres(): Promise<Kept | undefined> {
  if (!existsSync("/usr/lib/postgresql")) {
    console.log("without PostgreSQL, which is not installed\n");
    return undefined;
  }
  // As it comes, but for where it lies: what a commit costs is the disk's.
  const server: Postgres = await startPostgres();
  const fresh = async (customers: number): Promise<string> => {
    await server.sql(`CREATE DATABASE of_${customers}`);
    return server.url(`of_${customers}`);
  };
  return { name: "PostgreSQL", fresh, close: () => server.remove() };
}

export function storedTable(rows: readonly StoredRow[]): string {
  const megabytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(0);
  const lines = rows.map(({ store, customers, filled, started, resident, peak }) => [
    `${store}, ${customers.toLocaleString("en")} customer${customers === 1 ? "" : "s"}`,
    started.toFixed(1),
    megabytes(resident),
    megabytes(peak),
    filled.toFixed(1),
  ]);
  return table("Customers in a store", ["", "start s", "memory MB", "at most MB", "written in s"], lines);
}
