import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Kind, LoadClient } from "./load.ts";
import { endAll, forkPeer } from "./peers.ts";
import { manyClients } from "./plan.ts";

/** `node bench/profile.ts [register|info|refused] [REQUESTS]`: where the gateway's time goes, function by function. */
const kind = (process.argv[2] ?? "register") as Kind;
const requests = Number(process.argv[3] ?? 100_000);
const shown = 45;

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
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
  const [{ port }] = (await once(gateway, "message")) as [{ port: number }];
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

/** Self time of each function in its file, microseconds. */
function selfTimes({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map<string, number>();
  for (const [at, id] of samples.entries()) {
    const name = names.get(id) ?? "?";
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[at] ?? 0));
  }
  return times;
}

function nameOf({ functionName, url, lineNumber }: Profile["nodes"][number]["callFrame"]): string {
  const file = url.replace(/^.*\/(?=src\/|node_modules\/|bench\/)/, "");
  return `${functionName || "(anonymous)"} ${file}${file === "" ? "" : `:${lineNumber + 1}`}`;
}

const dir = mkdtempSync(join(tmpdir(), "postern-profile-"));
try {
  const times = selfTimes(await record(dir));
  times.delete("(idle) ");
  const total = [...times.values()].reduce((sum, time) => sum + time, 0);
  console.log(`${kind}: ${(total / requests).toFixed(1)} µs for each request, the profiler's own cost in it\n`);
  const sorted = [...times].sort(([, one], [, other]) => other - one);
  for (const [name, time] of sorted.slice(0, shown)) {
    console.log(
      `${(time / requests).toFixed(2).padStart(6)} µs ${((100 * time) / total).toFixed(1).padStart(5)} %  ${name}`,
    );
  }
} finally {
  endAll();
  rmSync(dir, { recursive: true, force: true });
}
