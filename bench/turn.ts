import type { BenchClient } from "./load.ts";
import type { Peer } from "./peers.ts";
import { cpuMicros } from "./usage.ts";

export interface Work {
  readonly kind: string;
  readonly client: (url: string, at: number) => BenchClient;
  readonly clients: number;
  /** Of all clients together. */
  readonly requests: number;
  /** How an answer must begin. */
  readonly expect: string;
}

/** What one turn of one peer cost. */
export interface Figures {
  /** Microseconds of CPU for each request with its answer: of the peer, and of what stands behind it. */
  readonly cpu: number;
  readonly behind: number;
  readonly perSecond: number;
  /** Milliseconds, from sending to the answer. */
  readonly p50: number;
  readonly p99: number;
}

/** Clients, each in lock-step with its own answers, ask a peer so often. Throws on an answer that is not the expected one. */
export async function takeTurn(peer: Peer, work: Work, behind: () => readonly number[]): Promise<Figures> {
  const all = Array.from({ length: work.clients }, (_, at) => work.client(peer.url, at));
  await Promise.all(all.map((client) => client.connect()));
  await Promise.all(all.map((client) => client.settle(work.kind)));
  const each = Math.ceil(work.requests / work.clients);
  const requests = all.map((client) => client.prepare(work.kind, each));
  const times = new Float64Array(each * work.clients);
  const [cpu, others, at] = [cpuMicros(peer.pids), cpuMicros(behind()), performance.now()];
  await Promise.all(all.map((client, index) => ask(client, requests[index]!, times, index * each, peer, work.expect)));
  const seconds = (performance.now() - at) / 1000;
  const figures = {
    cpu: (cpuMicros(peer.pids) - cpu) / times.length,
    behind: (cpuMicros(behind()) - others) / times.length,
    perSecond: times.length / seconds,
    ...percentiles(times),
  };
  await Promise.all(all.map((client) => client.close()));
  return figures;
}

async function ask(
  client: BenchClient,
  requests: readonly Buffer[],
  times: Float64Array,
  from: number,
  peer: Peer,
  expect: string,
): Promise<void> {
  for (const [index, request] of requests.entries()) {
    const sent = performance.now();
    const answer = await client.ask(request);
    times[from + index] = performance.now() - sent;
    if (answer.toString("latin1", 0, expect.length) !== expect) throw new Error(`${peer.name}: ${answer}`);
  }
}

function percentiles(times: Float64Array): { p50: number; p99: number } {
  const sorted = times.sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { p50: at(0.5), p99: at(0.99) };
}
