import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Kind, LoadClient } from "./load.ts";
import { answerOf, endAll, forkPeer } from "./peers.ts";
import { manyClients } from "./plan.ts";

/** `node bench/profile.ts [register|info|refused] [REQUESTS]`: where the gateway's time goes, function by function. */
const kind = (process.argv[2] ?? "register") as Kind;
const requests = Number(process.argv[3] ?? 100_000);
const shown = 45;

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly children?: readonly number[];
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

async function record(dir: string): Promise<Profile> {
  const upstream = await forkPeer("stub", "upstream.ts", []);
  const file = fileURLToPath(new URL("gateway.ts", import.meta.url));
  const gateway = fork(file, [upstream.url, "1"], {
    execArgv: ["--cpu-prof", `--cpu-prof-dir=${dir}`],
    stdio: ["ignore", "inherit", "ignore", "ipc"],
  });
  const [{ port }] = (await answerOf(gateway)) as [{ port: number }];
  const clients = Array.from({ length: manyClients }, (_, at) => new LoadClient(`ws://127.0.0.1:${port}`, at));
  await Promise.all(clients.map(async (client) => work(client)));
  gateway.disconnect();
  await once(gateway, "exit");
  return JSON.parse(readFileSync(join(dir, readdirSync(dir)[0]!), "utf8")) as Profile;
}

async function work(client: LoadClient): Promise<void> {
  await client.connect();
  await client.settle(kind);
  for (const request of client.prepare(kind, Math.ceil(requests / manyClients))) await client.ask(request);
}

interface Times {
  /** Microseconds in the function itself, and in it and all that it calls. */
  readonly self: Map<string, number>;
  readonly whole: Map<string, number>;
}

function timesOf({ nodes, samples, timeDeltas }: Profile): Times {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const callers = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const [self, whole] = [new Map<string, number>(), new Map<string, number>()];
  for (const [at, id] of samples.entries()) {
    const time = timeDeltas[at] ?? 0;
    add(self, names.get(id) ?? "?", time);
    for (const name of stackOf(id, callers, names)) add(whole, name, time);
  }
  return { self, whole };
}

const add = (times: Map<string, number>, name: string, time: number): unknown =>
  times.set(name, (times.get(name) ?? 0) + time);

/** Every function on the stack, once. */
function stackOf(leaf: number, callers: ReadonlyMap<number, number>, names: ReadonlyMap<number, string>): Set<string> {
  const stack = new Set<string>();
  for (let id: number | undefined = leaf; id !== undefined; id = callers.get(id)) stack.add(names.get(id) ?? "?");
  return stack;
}

function nameOf({ functionName, url, lineNumber }: Profile["nodes"][number]["callFrame"]): string {
  const file = url.replace(/^.*\/(?=src\/|node_modules\/|bench\/)/, "");
  return `${functionName || "(anonymous)"} ${file}${file === "" ? "" : `:${lineNumber + 1}`}`;
}

function print(title: string, times: Map<string, number>, total: number): void {
  console.log(`\n${title}`);
  const sorted = [...times].sort(([, one], [, other]) => other - one).slice(0, shown);
  for (const [name, time] of sorted) {
    const [each, share] = [(time / requests).toFixed(2).padStart(6), ((100 * time) / total).toFixed(1).padStart(5)];
    console.log(`${each} µs ${share} %  ${name}`);
  }
}

const dir = mkdtempSync(join(tmpdir(), "postern-profile-"));
try {
  const { self, whole } = timesOf(await record(dir));
  self.delete("(idle) ");
  const total = [...self.values()].reduce((sum, time) => sum + time, 0);
  console.log(`${kind}: ${(total / requests).toFixed(1)} µs for each request, the profiler's own cost in it`);
  print("in the function itself", self, total);
  const ours = [...whole].filter(([name]) => name.includes(" src/") || name.includes(" node_modules/"));
  print("with all that it calls", new Map(ours), total);
} finally {
  endAll();
  rmSync(dir, { recursive: true, force: true });
}
