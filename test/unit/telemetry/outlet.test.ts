import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const module = fileURLToPath(new URL("../../../src/telemetry/log.ts", import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly said: string;
  readonly logged: string;
}

/** A process that logs to this stderr; it is killed where it does not end by itself. */
async function run(script: string, stderr: number | "pipe"): Promise<Ended> {
  const begin = `import { createLog } from ${JSON.stringify(module)}; const log = createLog();`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", begin + script], {
    stdio: ["ignore", "pipe", stderr],
    timeout: 8_000,
    killSignal: "SIGKILL",
  });
  const texts = { said: "", logged: "" };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    texts.said += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    texts.logged += text;
  });
  return new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal, ...texts })));
}

/** Logs, goes on for as long as a failed write takes to be told, and ends as `postern serve` does. */
const logsAndGoesOn = `
  log.info("first");
  setTimeout(() => log.info("second"), 300);
  setTimeout(() => { console.log("still here"); process.exit(0); }, 600);`;

describe("a log on a full disk", () => {
  it("neither ends nor stops what logs, nor keeps it from ending", async () => {
    const ended = await run(logsAndGoesOn, openSync("/dev/full", "w"));
    expect(ended).toMatchObject({ code: 0, signal: null, said: "still here\n" });
  });

  it("twin: where there is room every line is written", async () => {
    const ended = await run(logsAndGoesOn, "pipe");
    expect(ended).toMatchObject({ code: 0, said: "still here\n" });
    expect(ended.logged).toMatch(/"msg":"first"\}\n.*"msg":"second"\}\n$/);
  });
});

describe("a log whose process ends at once", () => {
  it("has every line", async () => {
    const { code, logged } = await run(
      `for (let at = 0; at < 500; at++) log.info({ at }, "x".repeat(1_000)); process.exit(0);`,
      "pipe",
    );
    expect(code).toBe(0);
    const lines = logged.trimEnd().split("\n");
    const seen = lines.map((line) => (JSON.parse(line) as { at: number }).at).sort((one, other) => one - other);
    expect(seen).toEqual(Array.from({ length: 500 }, (_, at) => at));
  });
});
