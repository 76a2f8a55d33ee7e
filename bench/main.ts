import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { LoadClient } from "./load.ts";

/**
 * Authenticated and refused REGISTER through Postern with 1 and with 50,000 customers, beside a bare `ws` relay with
 * the same messages and the same upstream, in turns. CPU is of the process in the middle alone.
 */
const clients = 32;
const perTurn = Number(process.env.POSTERN_BENCH_REQUESTS ?? 20_000);
const turns = 5;
const crowd = 50_000;

interface Peer {
  readonly name: string;
  readonly child: ChildProcess;
  readonly port: number;
  readonly ask: (client: LoadClient) => Promise<string>;
  readonly expect: string;
  readonly cpu: number[];
  readonly rate: number[];
}

const children: ChildProcess[] = [];

async function launch(file: string, ...args: string[]): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, {
    stdio: ["ignore", "inherit", "ignore", "ipc"],
  });
  children.push(child);
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  return { child, port };
}

async function cpuOf(child: ChildProcess): Promise<number> {
  child.send("usage");
  const [{ cpu }] = (await once(child, "message")) as [{ cpu: number }];
  return cpu;
}

async function turn(peer: Peer): Promise<void> {
  const all = Array.from({ length: clients }, (_, at) => new LoadClient(`ws://127.0.0.1:${peer.port}`, at));
  await Promise.all(all.map((client) => client.open()));
  const each = Math.ceil(perTurn / clients);
  const [cpu, at] = [await cpuOf(peer.child), performance.now()];
  await Promise.all(all.map((client) => work(client, peer, each)));
  const seconds = (performance.now() - at) / 1000;
  peer.cpu.push(((await cpuOf(peer.child)) - cpu) / (each * clients));
  peer.rate.push((each * clients) / seconds);
  for (const client of all) client.close();
}

async function work(client: LoadClient, peer: Peer, count: number): Promise<void> {
  for (let done = 0; done < count; done++) {
    const answer = await peer.ask(client);
    if (!answer.startsWith(peer.expect)) throw new Error(`${peer.name}: ${answer}`);
  }
}

const median = (values: number[]): number => [...values].sort((one, other) => one - other)[values.length >> 1]!;

async function main(): Promise<void> {
  const upstream = await launch("upstream.ts");
  const url = `ws://127.0.0.1:${upstream.port}`;
  const relay = await launch("relay.ts", url);
  const one = await launch("gateway.ts", url, "1");
  const many = await launch("gateway.ts", url, String(crowd));
  const register = (client: LoadClient): Promise<string> => client.register();
  const measured = { cpu: [], rate: [] };
  const peer = (name: string, of: typeof relay, ask = register, expect = "SIP/2.0 200"): Peer => ({
    name,
    ...of,
    ask,
    expect,
    cpu: [...measured.cpu],
    rate: [...measured.rate],
  });
  const peers = [
    peer("bare ws relay, REGISTER", relay),
    peer("postern, REGISTER, 1 customer", one),
    peer(`postern, REGISTER, ${crowd} customers`, many),
  ];
  for (let round = 0; round <= turns; round++) {
    for (const each of peers) {
      await turn(each);
      if (round === 0) each.cpu.length = each.rate.length = 0;
    }
  }
  console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}; ${turns} turns of ${perTurn}`);
  const base = median(peers[0]!.cpu);
  for (const { name, cpu, rate } of peers) {
    const ratio = (median(cpu) / base).toFixed(2);
    console.log(`${name.padEnd(40)} ${median(cpu).toFixed(1)} µs CPU  ${Math.round(median(rate))} req/s  ×${ratio}`);
  }
}

try {
  await main();
} finally {
  for (const child of children) child.disconnect();
}
