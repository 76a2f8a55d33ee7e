import { execFile } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import type { System } from "./finding.ts";

/** Milliseconds. */
const patience = 2_000;

/** The machine that the doctor runs on. */
export const thisSystem: System = {
  now: () => Date.now(),
  readText: (path) => known(() => readFileSync(path, "utf8")),
  mode: (path) => known(() => statSync(path).mode & 0o777),
  run: (program, args) =>
    new Promise((resolve) => {
      execFile(program, [...args], { timeout: patience }, (error, stdout) => resolve(error ? undefined : stdout));
    }),
};

/** What cannot be read is an answer here, not a fault: the checks say that they do not know. */
function known<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}
