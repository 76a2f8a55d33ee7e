import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { printOf, Watch } from "../../../src/cli/watch.ts";

const folder = mkdtempSync(join(tmpdir(), "postern-watch-"));
const file = join(folder, "postern.yaml");
afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("Watch", () => {
  it("tells of a change that fell between the print and the look, once", () => {
    writeFileSync(file, "one");
    const before = new Map([[file, printOf(file)]]);
    writeFileSync(file, "another");
    let told = 0;
    const watch = new Watch(() => told++);
    watch.follow([file], before);
    vi.advanceTimersByTime(3_000);
    expect(told).toBe(1);
    watch.stop();
  });

  it("waits while one of the files is still being written, and tells once it is whole", () => {
    const other = join(folder, "secret");
    writeFileSync(file, "one");
    writeFileSync(other, "one");
    let told = 0;
    const watch = new Watch(() => told++);
    watch.follow([file, other], new Map([file, other].map((one) => [one, printOf(one)])));
    writeFileSync(other, "another");
    for (const part of ["cust", "customers", "customers: [", "customers: []"]) {
      writeFileSync(file, part);
      vi.advanceTimersByTime(500);
    }
    expect(told).toBe(0);
    vi.advanceTimersByTime(500);
    expect(told).toBe(1);
    vi.advanceTimersByTime(3_000);
    expect(told).toBe(1);
    watch.stop();
  });

  it("tells nothing where nothing changed", () => {
    let told = 0;
    const watch = new Watch(() => told++);
    watch.follow([file], new Map([[file, printOf(file)]]));
    vi.advanceTimersByTime(3_000);
    expect(told).toBe(0);
    watch.stop();
  });

  it("takes a file that cannot be looked at, or is gone, for a change and goes on", () => {
    let told = 0;
    const watch = new Watch(() => told++);
    watch.follow([file], new Map([[file, printOf(file)]]));
    rmSync(file);
    vi.advanceTimersByTime(1_000);
    symlinkSync(file, file);
    expect(printOf(file)).toBe("ELOOP");
    vi.advanceTimersByTime(1_000);
    expect(told).toBe(2);
    watch.stop();
  });
});
