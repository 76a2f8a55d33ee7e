import type { Reporter, TestModule } from "vitest/node";

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

type Modules = Parameters<NonNullable<Reporter["onTestRunEnd"]>>[0];
type Unhandled = Parameters<NonNullable<Reporter["onTestRunEnd"]>>[1];

/** Counts what ran. A file that could not be loaded, a failed hook and an unhandled error count as one failure each. */
export class TallyReporter implements Reporter {
  /** Nothing until the run has ended. */
  tally: Tally | undefined;

  onTestRunEnd(modules: Modules, unhandled: Unhandled): void {
    let passed = 0;
    let skipped = 0;
    let failed = unhandled.length;
    for (const module of modules) {
      const states = [...module.children.allTests()].map((test) => test.result().state);
      passed += states.filter((state) => state === "passed").length;
      skipped += states.filter((state) => state === "skipped").length;
      failed += states.filter((state) => state === "failed" || state === "pending").length + brokenAround(module);
    }
    this.tally = { passed, failed, skipped };
  }
}

/** Faults of the file and its suites themselves; and a file that never got to its end although no test of it failed. */
function brokenAround(module: TestModule): number {
  const faults = [module, ...module.children.allSuites()].filter((part) => part.errors().length > 0).length;
  const unfinished = module.state() === "queued" || module.state() === "pending";
  return faults || (unfinished ? 1 : 0);
}

/** Whether a run is good: something ran, and nothing failed. */
export const isGreen = ({ passed, failed }: Tally): boolean => failed === 0 && passed > 0;

export const closingLine = ({ passed, failed, skipped }: Tally): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;
