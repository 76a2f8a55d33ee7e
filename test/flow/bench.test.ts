import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { temporaryDir } from "../helpers/temporary.ts";

const main = fileURLToPath(new URL("../../bench/main.ts", import.meta.url));

interface Report {
  readonly series: { title: string; rows: { name: string; cpu: number; behind: number; perSecond: number }[] }[];
  readonly memory: { name: string; idle: number; leg: number }[];
  readonly stored: { store: string; customers: number; started: number; resident: number }[];
  readonly versions: { kamailio: string };
}

describe("the benchmark", () => {
  it("measures every kind of request through relays, Postern and Kamailio, and writes what it says as JSON", async () => {
    const file = join(temporaryDir("bench"), "bench.json");
    const run = promisify(execFile)(process.execPath, [main, "--tiny", "--no-install", "--json", file]);
    const { stdout } = await run;
    const report = JSON.parse(readFileSync(file, "utf8")) as Report;
    expect(report.series).toHaveLength(21);
    for (const { title, rows } of report.series) {
      expect(stdout).toContain(`### ${title}`);
      expect(rows.filter(({ name }) => name.startsWith("Postern"))).toHaveLength(2);
      expect(rows.every(({ cpu, behind, perSecond }) => cpu + behind > 0 && perSecond > 0)).toBe(true);
    }
    const told = report.stored.map(({ store, customers }) => `${store} ${customers}`);
    expect(told).toEqual(["SQLite 1", "SQLite 10", "PostgreSQL 1", "PostgreSQL 10"]);
    expect(report.stored.every(({ started, resident }) => started > 0 && resident > 1e7)).toBe(true);
    expect(report.memory.some(({ name }) => name.startsWith("Postern"))).toBe(true);
    expect(report.versions.kamailio).toMatch(/^\d+\.\d+/);
  }, 180_000);
});
