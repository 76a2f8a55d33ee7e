import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { temporaryDir } from "../helpers/temporary.ts";

const main = fileURLToPath(new URL("../../bench/overload/main.ts", import.meta.url));

interface Report {
  readonly rows: {
    readonly name: string;
    readonly requests: number;
    readonly refused: number;
    readonly resident: number;
    readonly turns: { readonly quiet: { readonly p99: number }; readonly flooded: { readonly p99: number } }[];
  }[];
}

describe("the overload command", () => {
  it("measures good users without and with each kind of flood, and writes what it says as JSON", async () => {
    const file = join(temporaryDir("overload"), "overload.json");
    const { stdout } = await promisify(execFile)(process.execPath, [main, "--tiny", "--json", file]);
    const { rows } = JSON.parse(readFileSync(file, "utf8")) as Report;
    expect(rows).toHaveLength(7);
    for (const { name, requests, resident, turns } of rows) {
      expect(stdout).toContain(`| ${name}`);
      expect(requests).toBeGreaterThan(0);
      expect(resident).toBeGreaterThan(0);
      expect(turns.every(({ quiet, flooded }) => quiet.p99 > 0 && flooded.p99 > 0)).toBe(true);
    }
  }, 120_000);
});
