import type { Reporter, TestModule, Vitest } from "vitest/node";

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

type RunEnd = Parameters<NonNullable<Reporter["onTestRunEnd"]>>;

/** Counts what ran. A file that could not be loaded, a failed hook and an unhandled error count as one failure each. */
export class TallyReporter implements Reporter {
  vitest: Vitest | undefined;
  /** Nothing until the run has ended. */
  tally: Tally | undefined;
  readonly #running = new Set<string>();

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
  }

  onTestModuleStart(module: TestModule): void {
    this.#running.add(module.relativeModuleId);
  }

  onTestModuleEnd(module: TestModule): void {
    this.#running.delete(module.relativeModuleId);
  }

  onTestRunEnd(modules: RunEnd[0], unhandled: RunEnd[1]): void {
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

  /** Files begun and not ended. */
  running(): string[] {
    return [...this.#running];
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
