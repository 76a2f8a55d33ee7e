import { defineConfig } from "vitest/config";

/** It starts a command at each step of each case, and waits for it: two minutes, of which it works a few seconds. */
const longest = "test/flow/rotate-chain.test.ts";

/**
 * Unit tests run two files at a time, and so does what waits more than it works: pages in a browser, and the longest. What else
 * starts servers runs one file at a time after them, so that its deadlines mean something.
 */
const parts = [
  { name: "unit", include: ["test/{unit,contract}/**/*.test.ts"], maxWorkers: 2, testTimeout: 30_000, groupOrder: 0 },
  {
    name: "browser",
    include: ["test/browser/**/*.test.ts", longest],
    maxWorkers: 2,
    testTimeout: 60_000,
    groupOrder: 0,
  },
  {
    name: "flow",
    include: ["test/{flow,attack,agreement}/**/*.test.ts"],
    exclude: [longest],
    maxWorkers: 1,
    testTimeout: 40_000,
    groupOrder: 1,
  },
];

/** Milliseconds, for what has no event: Vitest waits one second, and a busy machine may need more. */
const poll = { timeout: 8_000 };

export default defineConfig({
  test: {
    watch: false,
    pool: "forks",
    projects: parts.map(({ groupOrder, testTimeout, ...part }) => ({
      extends: true,
      test: { ...part, testTimeout, hookTimeout: 30_000, expect: { poll }, sequence: { groupOrder } },
    })),
  },
});
