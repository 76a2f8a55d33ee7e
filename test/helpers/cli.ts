import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface Ended {
  readonly exit: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Options {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
}

/** `postern <args>` as a process of its own, its stdin left open. */
export function startPostern(args: readonly string[], options: Options = {}): ChildProcessWithoutNullStreams {
  const { PATH = "", HOME = "" } = process.env;
  const env = { PATH, HOME, ...options.env };
  return spawn(process.execPath, [main, ...args], { env, cwd: options.cwd, stdio: "pipe" });
}

/** Runs it to its end. */
export async function postern(args: readonly string[], options: Options = {}): Promise<Ended> {
  const child = startPostern(args, options);
  child.stdin.on("error", () => child.stdin.destroy());
  child.stdin.end(options.stdin ?? "");
  return ended(child);
}

/** What a process has written and how it ended; to be called before it writes. */
export async function ended(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [exit, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on("close", (code, by) => resolve([code, by])).on("error", reject);
  });
  return { exit, signal, stdout, stderr };
}
