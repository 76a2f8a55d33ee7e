import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { openSync, readdirSync } from "node:fs";
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { answerOf } from "../peers.ts";

/** A process of this folder that says its port when it is ready, and ends when it is no longer connected. */
export interface Child {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly port: number;
}

export interface ChildOptions {
  /** Where it may run; undefined: anywhere. */
  readonly core?: number | undefined;
  /** 0 is usual; below 0 for root alone. */
  readonly nice?: number;
  /** Runs only while nobody else of the core wants to (SCHED_IDLE). */
  readonly idle?: boolean;
  /** A file for its stderr. */
  readonly log?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly execArgv?: readonly string[];
}

const all: ChildProcess[] = [];

export async function forkChild(file: string, args: readonly string[], options: ChildOptions = {}): Promise<Child> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [...args], {
    execArgv: ["--disable-warning=ExperimentalWarning", ...(options.execArgv ?? [])],
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "inherit", options.log === undefined ? "inherit" : openSync(options.log, "a"), "ipc"],
  });
  all.push(child);
  child.setMaxListeners(0); // answerOf listens for an early end each time
  const pid = child.pid!;
  if (options.core !== undefined) pin(pid, options.core);
  if (options.idle) run("chrt", ["-a", "-i", "-p", "0", String(pid)]);
  const [{ port }] = (await answerOf(child)) as [{ port: number }];
  if (options.nice !== undefined) putFirst(pid, options.nice);
  return { process: child, pid, port };
}

/** All its threads: a main thread that goes before those that collect V8's garbage waits for them, and does nothing else. */
function putFirst(pid: number, nice: number): void {
  for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), nice);
}

/** All its threads: those that collect V8's garbage too. */
const pin = (pid: number, core: number): void => run("taskset", ["-a", "-p", "-c", String(core), String(pid)]);

function run(command: string, args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { stdio: "ignore" });
  if (error || status !== 0) throw new Error(`${command} ${args.join(" ")} failed; util-linux has it`);
}

export async function ask<Answer>({ process: child }: Child, question: object): Promise<Answer> {
  child.send(question);
  const [answer] = (await answerOf(child)) as [Answer];
  return answer;
}

export async function endChild({ process: child }: Child): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.disconnect();
  await gone;
}

export function endAllChildren(): void {
  for (const child of all) if (child.connected) child.disconnect();
}
