import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { machine } from "../machine.ts";
import { ask, endAllChildren, endChild, forkChild } from "./children.ts";
import { type FloodRow, type Hall, measureFlood } from "./measure.ts";
import { type FloodKind, floodKinds, full, megabytes, type OverloadPlan, tiny } from "./plan.ts";
import { overloadTable } from "./table.ts";

const usage = `usage: npm run soak [-- [--tiny] [--only KIND,…] [--turns N] [--rate N] [--json FILE]]
  --tiny       seconds, to see that it works: the figures mean nothing
  --only KIND  of ${floodKinds.join(", ")}
  --turns N    of each flood; ${full.turns} by default
  --rate N     requests a second of each good user; ${full.rate} by default
  --json FILE  the same as JSON, every turn in it`;

/** The gateway has a core for itself; good users, upstream and the flood share the other, the flood behind all others. */
const cores = cpus().length > 1 ? { gateway: 0, others: 1 } : { gateway: undefined, others: undefined };

/** What they wait for on a busy machine, and each other, is not to be measured. */
const root = process.getuid?.() === 0;
const first = root ? -20 : 0;
/** Niceness counts within a session; sessions among themselves have one of their own (sched(7)), the first of all none. */
function beforeOtherSessions(): void {
  const session = "/proc/self/autogroup";
  if (!root || !existsSync(session)) return;
  try {
    writeFileSync(session, String(first));
  } catch (error) {
    console.error(`${session}: ${(error as Error).message}. Other work on this machine is in the figures.`);
  }
}

async function open(plan: OverloadPlan, dir: string): Promise<Hall> {
  const [cert, key] = [join(dir, "cert.pem"), join(dir, "key.pem")];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync("openssl", ["req", "-x509", ...kind, ...name, "-keyout", key, "-out", cert], { stdio: "ignore" });
  const { others: core } = cores;
  const upstream = await forkChild("../upstream.ts", [], { core, nice: first });
  const args = [`ws://127.0.0.1:${upstream.port}`, cert, key];
  const gateway = await forkChild("gateway.ts", args, {
    core: cores.gateway,
    nice: first,
    log: process.env.POSTERN_OVERLOAD_LOG ?? join(dir, "log"),
    // As deploy/systemd/postern.service has it.
    execArgv: (process.env.POSTERN_OVERLOAD_NODE ?? "--max-semi-space-size=4 --v8-pool-size=1")
      .split(" ")
      .filter(Boolean),
  });
  const users = [`wss://127.0.0.1:${gateway.port}`, String(plan.users), String(plan.rate)];
  const good = await forkChild("good.ts", users, { core, nice: first, env: { NODE_EXTRA_CA_CERTS: cert } });
  return { gateway, good, upstream, core };
}

async function measure(kinds: readonly FloodKind[], plan: OverloadPlan, dir: string): Promise<FloodRow[]> {
  const rows: FloodRow[] = [];
  for (const kind of kinds) {
    // Fresh ones: what one flood leaves behind would be counted to the next.
    const hall = await open(plan, dir);
    await ask(hall.good, { seconds: plan.ramp });
    const row = await measureFlood(kind, hall, plan);
    for (const child of [hall.good, hall.gateway, hall.upstream]) await endChild(child);
    rows.push(row);
    console.error(`${row.name}: ×${row.ratio.toFixed(2)}`);
  }
  return rows;
}

function inWords(plan: OverloadPlan): string {
  const { cpu, kernel, cores: count } = machine();
  return (
    `${cpu}, ${count} cores, Linux ${kernel}; Node ${process.versions.node}\n` +
    `wss://, default limits; ${plan.users} users in calls, INFO and REGISTER in turn, ${plan.users * plan.rate} requests a second; ` +
    `floods from ${plan.addresses} addresses, ${plan.turns} turns of ${plan.seconds} s without and ${plan.seconds} s with each.\n` +
    (cores.gateway === undefined
      ? "One core for all: the figures mean nothing.\n"
      : `Pinned: the gateway to core ${cores.gateway}; good users, stub upstream and flood to core ${cores.others}; the flood has what they leave of it (SCHED_IDLE).\n`)
  );
}

async function main(): Promise<void> {
  const options = { tiny: { type: "boolean" }, only: { type: "string" }, help: { type: "boolean" } } as const;
  const more = { json: { type: "string" }, turns: { type: "string" }, rate: { type: "string" } } as const;
  const { values } = parseArgs({ options: { ...options, ...more } });
  if (values.help) return console.log(usage);
  const chosen = values.tiny ? tiny : full;
  const { turns = chosen.turns, rate = chosen.rate } = values;
  const plan = { ...chosen, turns: Number(turns), rate: Number(rate) };
  const only = values.only?.split(",");
  const kinds = floodKinds.filter((kind) => only?.includes(kind) ?? true);
  beforeOtherSessions();
  const dir = mkdtempSync(join(tmpdir(), "postern-overload-"));
  try {
    const rows = await measure(kinds, plan, dir);
    console.log(`${inWords(plan)}\n${overloadTable(rows, megabytes)}`);
    if (values.json)
      writeFileSync(values.json, `${JSON.stringify({ machine: machine(), plan, rows }, undefined, 1)}\n`);
  } finally {
    endAllChildren();
    rmSync(dir, { recursive: true, force: true });
  }
}

await main();
