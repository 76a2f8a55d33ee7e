import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";

/** A gateway that runs as a process of its own. */
export interface Served {
  readonly pid: number;
  readonly gatewayUrl: string;
  readonly adminUrl: string;
  /** What it wrote to stderr, whole lines, as it wrote them. */
  log(): string;
  /** The first log line, written already or still to come, with this text in it. */
  logged(text: string): Promise<Record<string, unknown>>;
  signal(name: NodeJS.Signals): void;
  /** How it ended. */
  readonly ended: Promise<{ readonly exit: number | null; readonly signal: NodeJS.Signals | null }>;
}

const patience = 10_000;

/** Waits until it has printed where it listens. */
export async function served(child: ChildProcessWithoutNullStreams): Promise<Served> {
  const lines: string[] = [];
  const looks = new Set<() => void>();
  createInterface(child.stderr).on("line", (line) => {
    lines.push(line);
    for (const look of looks) look();
  });
  const ended = new Promise<{ exit: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once("close", (exit, signal) => resolve({ exit, signal })).once("error", reject);
  });
  const places: string[] = [];
  for await (const line of createInterface(child.stdout)) if (places.push(line) === 2) break;
  child.stdout.resume();
  const [gatewayUrl = "", adminUrl = ""] = places.map((line) => line.split(" ")[1] ?? "");
  if (adminUrl === "") throw new Error(`it did not start: ${lines.join("\n")}`);
  return {
    pid: child.pid ?? 0,
    gatewayUrl,
    adminUrl,
    ended,
    log: () => `${lines.join("\n")}\n`,
    signal: (name) => void child.kill(name),
    logged: (text) => waitForLine(lines, looks, text),
  };
}

function waitForLine(lines: string[], looks: Set<() => void>, text: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      looks.delete(look);
    };
    const look = (): void => {
      const found = lines.find((line) => line.includes(text));
      if (found === undefined) return;
      settle();
      resolve(JSON.parse(found) as Record<string, unknown>);
    };
    const timer = setTimeout(() => {
      settle();
      reject(new Error(`no line with ${text} within ${patience} ms, only:\n${lines.join("\n")}`));
    }, patience);
    looks.add(look);
    look();
  });
}
