import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startVitest } from "vitest/node";
import { closingLine, isGreen, TallyReporter } from "../../../scripts/reporter.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "postern-reporter-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** What a run of one file is counted as. A vitest within vitest: it must leave this process's exit code alone. */
async function tally(body: string) {
  writeFileSync(join(root, "one.test.ts"), body);
  const counter = new TallyReporter();
  const before = process.exitCode;
  const vitest = await startVitest([], { root, config: false, globals: true, watch: false, reporters: [counter] });
  await vitest.close();
  process.exitCode = before;
  return counter.tally ?? expect.fail("the run did not end");
}

describe("the closing line", () => {
  it("has passed, failed and skipped", () => {
    expect(closingLine({ passed: 3, failed: 0, skipped: 1 })).toBe("3 passed, 0 failed, 1 skipped");
  });

  it.each([
    ["good", { passed: 1, failed: 0, skipped: 1 }, true],
    ["no test at all", { passed: 0, failed: 0, skipped: 0 }, false],
    ["only skipped ones", { passed: 0, failed: 0, skipped: 9 }, false],
    ["a failure", { passed: 9, failed: 1, skipped: 0 }, false],
  ])("is of a run with %s", (_, counted, green) => {
    expect(isGreen(counted)).toBe(green);
  });
});

describe("the tally", () => {
  it.each([
    [
      "each test",
      "it('a', () => {}); it('b', () => expect(1).toBe(2)); it.skip('c', () => {}); it.todo('d');",
      [1, 1, 2],
    ],
    ["a file that cannot be loaded", "import './absent.ts'; it('a', () => {});", [0, 1, 0]],
    ["a file without tests", "", [0, 1, 0]],
    ["a hook that fails", "describe('s', () => { beforeAll(() => { throw 1; }); it('a', () => {}); });", [0, 1, 1]],
    ["a hook that fails afterwards", "afterAll(() => { throw new Error('x'); }); it('a', () => {});", [1, 1, 0]],
    ["an error that nobody caught", "it('a', () => { void Promise.reject(new Error('x')); });", [1, 1, 0]],
    ["a test that ends the process", "it('a', () => process.exit(0)); it('b', () => {});", [1, 1, 0]],
  ])("counts %s", async (_, body, [passed, failed, skipped]) => {
    expect(await tally(body)).toEqual({ passed, failed, skipped });
  });
  it("is not green where the worker dies", async () => {
    expect(isGreen(await tally("it('a', () => { process.kill(process.pid, 'SIGKILL'); });"))).toBe(false);
  });
});
