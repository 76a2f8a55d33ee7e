import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it, vi } from "vitest";
import { temporaryDir } from "../helpers/temporary.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Milliseconds. Unlike poll of expect, this may be asked for by tests that run at once. */
const patience = { timeout: 30_000, interval: 50 };

interface Demo {
  /** Resolves with everything said so far when it has said this. */
  says(sign: RegExp): Promise<string>;
  /** Ctrl-C in its terminal: a signal to all of its process group. */
  interrupt(): void;
  /** Its exit code. */
  readonly ended: Promise<number | null>;
  /** Command lines of all that was started for it and is still there, in whatever group and session. */
  left(): string[];
  /** What it has written and not removed. */
  files(): string[];
}

const running: ChildProcess[] = [];
const dirs: string[] = [];

afterAll(() => {
  for (const child of running) if (child.exitCode === null) process.kill(-child.pid!, "SIGKILL");
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});

/** As `npm run demo` runs it, with a mark in its environment, which all that it starts inherits. */
function demo(...args: string[]): Demo {
  const mark = `DEMO_MARK=${randomUUID()}`;
  const dir = temporaryDir("demo");
  dirs.push(dir);
  const env = { ...process.env, DEMO_MARK: mark.slice("DEMO_MARK=".length), TMPDIR: dir };
  const child = spawn("sh", ["scripts/run.sh", "--with-servers", "scripts/demo.ts", ...args], {
    cwd: root,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.push(child);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  return {
    says: (sign) =>
      vi.waitFor(() => {
        expect(said).toMatch(sign);
        return said;
      }, patience),
    interrupt: () => void process.kill(-child.pid!, "SIGINT"),
    ended: once(child, "close").then(([code]) => code as number | null),
    left: () => readdirSync("/proc").flatMap((pid) => (/^\d+$/.test(pid) ? markedLine(pid, mark) : [])),
    files: () => readdirSync(dir),
  };
}

function markedLine(pid: string, mark: string): string[] {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, "latin1");
    return environment.includes(mark) ? [readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ")] : [];
  } catch (fault) {
    // It ended between the listing and the reading, or is another user's.
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes((fault as NodeJS.ErrnoException).code ?? "")) return [];
    throw fault;
  }
}

async function leavesNothing({ left, files }: Demo): Promise<void> {
  await vi.waitFor(() => expect(left()).toEqual([]), patience);
  expect(files()).toEqual([]);
}

describe.concurrent("npm run demo", () => {
  it("places real calls, draws them, prints the address last, stays up, and leaves nothing after Ctrl-C", async () => {
    const one = demo();
    const said = await one.says(/\/demo\/\n$/);
    for (const step of ["rtpengine", "Kamailio", "acme's trunk, an echo", "the gateway, with the page"]) {
      expect(said).toMatch(new RegExp(`^ {2}ok {4}${step} \\(\\d+\\.\\d s\\)$`, "m"));
    }
    expect(said).toMatch(/alice +bob +postern +kamailio\n/);
    expect(said).toMatch(/kamailio +trunk\n/);
    expect(said.match(/^worked: 200 OK; .*$/gm)).toHaveLength(2);
    expect(said).toMatch(/the trunk was called by <sip:\+3225887000@/);
    const address = said.trimEnd().split("\n").at(-1)!.trim();
    expect(address).toMatch(/^http:\/\/localhost:\d+\/demo\/$/);
    expect(await (await fetch(address)).text()).toContain("<title>Postern demo</title>");
    expect(one.left().some((line) => line.startsWith("kamailio "))).toBe(true);
    expect(one.left().some((line) => line.startsWith("rtpengine "))).toBe(true);
    one.interrupt();
    expect(await one.ended).toBe(0);
    await leavesNothing(one);
  });

  it.each([
    ["while it starts", /^ {2}ok/m],
    ["during a call", /ok {4}the gateway/],
  ])("leaves nothing after Ctrl-C %s, and has not worked", async (_when, sign) => {
    const one = demo("--once");
    await one.says(sign);
    one.interrupt();
    expect(await one.ended).toBe(1);
    await leavesNothing(one);
  });
});
