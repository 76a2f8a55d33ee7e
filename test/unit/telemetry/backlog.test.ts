import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const module = fileURLToPath(new URL("../../../src/telemetry/log.ts", import.meta.url));
const mebibyte = 1024 * 1024;

/** A process that writes so many lines of some 8 KB to a stderr that is read only when it has written all of them. */
async function read(lines: number): Promise<{ bytes: number; rss: number }> {
  const script = `
    import { createLog } from ${JSON.stringify(module)};
    const log = createLog();
    for (let at = 0; at < ${lines}; at++) log.info({ long: Array(8).fill("x".repeat(1000)) }, "said");
    console.log(process.memoryUsage.rss());
    process.stdin.resume();`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "pipe" });
  let rss = 0;
  for await (const line of createInterface(child.stdout)) {
    rss = Number(line);
    break;
  }
  let bytes = 0;
  child.stderr.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  child.stdin.end();
  await new Promise((resolve) => child.once("close", resolve));
  return { bytes, rss };
}

describe("a log whose reader does not read", () => {
  it("keeps 4 MiB of lines and drops the rest", async () => {
    const { bytes, rss } = await read(10_000);
    expect(bytes).toBeGreaterThan(mebibyte);
    expect(bytes).toBeLessThan(5 * mebibyte);
    expect(rss).toBeLessThan(300 * mebibyte);
  });

  it("twin: loses nothing that it has room for", async () => {
    const { bytes } = await read(100);
    expect(bytes).toBeGreaterThan(100 * 8_000);
  });
});
