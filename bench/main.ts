import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { measureExchange } from "./exchange.ts";
import { machine, versions } from "./machine.ts";
import { type MemoryRow, measureMemory } from "./memory.ts";
import { endAll, forkPeer, type Peer } from "./peers.ts";
import { full, manyClients, type Plan, quick, tiny } from "./plan.ts";
import { measureKamailio } from "./real.ts";
import { measureStored, type StoredRow, storedTable } from "./stored.ts";
import { measureStub, startPeers } from "./stub.ts";
import { memoryTable, type Series, seriesTable } from "./table.ts";
import { es256, inheritedApplication } from "./tokens.ts";

const usage = `usage: npm run bench [-- [--quick | --tiny] [--stored] [--json FILE] [--no-install]]
  --quick       about a minute: fewer turns, requests and customers
  --tiny        seconds, to see that it works: the figures mean nothing
  --stored      only gateways whose customers are in a store
  --json FILE   the same as JSON, every turn in it
  --no-install  do without haproxy and nginx where they are absent`;

interface Report {
  readonly machine: ReturnType<typeof machine>;
  readonly versions: ReturnType<typeof versions>;
  readonly plan: Plan;
  readonly series: Series[];
  memory: MemoryRow[];
  stored: StoredRow[];
}

async function measure(plan: Plan, dir: string, onlyStored: boolean): Promise<Report> {
  const report: Report = { machine: machine(), versions: versions(), plan, series: [], memory: [], stored: [] };
  console.log(`${inWords(report)}\n`);
  const say = (series: Series): void => {
    report.series.push(series);
    console.log(seriesTable(series));
  };
  es256();
  const upstream = await forkPeer("stub", "upstream.ts", []);
  if (!onlyStored) await measureDeclared(upstream, report, dir, say);
  report.stored = await measureStored(upstream.url, plan, dir, say);
  console.log(storedTable(report.stored));
  return report;
}

async function measureDeclared(
  upstream: Peer,
  report: Report,
  dir: string,
  say: (series: Series) => void,
): Promise<void> {
  const { plan } = report;
  const application = await forkPeer("the application", "application.ts", []);
  process.env[inheritedApplication] = application.url.replace("ws:", "http:");
  const peers = await startPeers(upstream.url, plan, dir);
  for (const clients of [manyClients, 1]) {
    for (const kind of ["register", "info", "refused"] as const) say(await measureStub(peers, kind, clients, plan));
  }
  const posterns = peers.filter(({ name }) => name.startsWith("Postern"));
  const relay = peers.slice(0, 1);
  for (const kind of ["bearer", "bearer-HS256", "bearer-ES256"] as const) {
    say(await measureStub([...relay, ...posterns], kind, manyClients, plan));
  }
  for (const series of await measureExchange(posterns, application, plan)) say(series);
  for (const series of await measureKamailio(plan, dir)) say(series);
  report.memory = await measureAllMemory(upstream, plan, dir);
  console.log(memoryTable("Resident memory for each connection", report.memory));
}

/** Of fresh processes: what the load before has left behind would hide what a connection takes. */
async function measureAllMemory(upstream: Peer, plan: Plan, dir: string): Promise<MemoryRow[]> {
  const peers = await startPeers(upstream.url, { ...plan, customers: [1] }, join(dir, "memory"));
  const rows: MemoryRow[] = [];
  for (const peer of peers) rows.push(await measureMemory(peer, plan.connections));
  return rows;
}

function inWords({ machine: { cpu, cores, kernel }, versions: with_, plan }: Report): string {
  const software = Object.entries(with_).map(([name, version]) => `${name} ${version}`);
  const { turns, requests } = plan;
  return (
    `${cpu}, ${cores} cores, Linux ${kernel}; ${software.join(", ")}\n` +
    `medians of ${turns} turns, each of ${requests.many} requests by ${manyClients} clients or ${requests.one} by one`
  );
}

async function main(): Promise<void> {
  const options = { quick: { type: "boolean" }, tiny: { type: "boolean" }, help: { type: "boolean" } } as const;
  const more = { json: { type: "string" }, "no-install": { type: "boolean" }, stored: { type: "boolean" } } as const;
  const { values } = parseArgs({ options: { ...options, ...more } });
  if (values.help) return console.log(usage);
  if (!values["no-install"] && !values.stored) install();
  const dir = mkdtempSync(join(tmpdir(), "postern-bench-"));
  try {
    const report = await measure(values.tiny ? tiny : values.quick ? quick : full, dir, values.stored === true);
    if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 1)}\n`);
  } finally {
    endAll();
    rmSync(dir, { recursive: true, force: true });
  }
}

function install(): void {
  const script = fileURLToPath(new URL("servers.sh", import.meta.url));
  const { status } = spawnSync("sh", [script], { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) throw new Error("haproxy and nginx could not be installed; --no-install does without them");
}

await main();
