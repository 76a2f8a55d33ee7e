import { LoadClient } from "./load.ts";
import type { Peer } from "./peers.ts";
import { residentBytes } from "./usage.ts";

export interface MemoryRow {
  readonly name: string;
  readonly connections: number;
  /** Bytes of resident memory for each connection, after a garbage collection. */
  readonly idle: number;
  /** After an accepted REGISTER on it; a relay has its upstream socket from the start. */
  readonly leg: number;
}

const batch = 50;

/** What a connection that is open and silent takes, and what one with an accepted REGISTER. The peer must be fresh. */
export async function measureMemory(peer: Peer, connections: number): Promise<MemoryRow> {
  const warm = await open(peer, batch);
  await eachOf(warm, (client) => client.settle("register"));
  await eachOf(warm, (client) => client.close());
  const before = await resident(peer);
  const clients = await open(peer, connections);
  const idle = await resident(peer);
  await eachOf(clients, (client) => client.settle("register"));
  const registered = await resident(peer);
  await eachOf(clients, (client) => client.close());
  return {
    name: peer.name,
    connections,
    idle: (idle - before) / connections,
    leg: (registered - before) / connections,
  };
}

async function open(peer: Peer, count: number): Promise<LoadClient[]> {
  const clients = Array.from({ length: count }, (_, at) => new LoadClient(peer.url, at));
  await eachOf(clients, (client) => client.connect());
  return clients;
}

async function eachOf(clients: readonly LoadClient[], act: (client: LoadClient) => Promise<void>): Promise<void> {
  for (let from = 0; from < clients.length; from += batch) {
    await Promise.all(clients.slice(from, from + batch).map(act));
  }
}

async function resident(peer: Peer): Promise<number> {
  await peer.settle();
  await peer.settle();
  return residentBytes(peer.pids);
}
