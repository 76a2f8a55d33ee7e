/** `npm test [-- FILTER…]`: runs the suite and ends with the line `N passed, N failed, N skipped`. Exit 1 unless all is well. */
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { disableDefaultColors, startVitest } from "vitest/node";
import { closingLine, isGreen, TallyReporter } from "./reporter.ts";

const longest = 19 * 60_000;
const root = fileURLToPath(new URL("..", import.meta.url));
const counter = new TallyReporter();

async function run(filters: string[]): Promise<void> {
  const reporters = ["default", counter];
  await startVitest(filters, { root, run: true, color: process.stdout.isTTY, reporters });
}

/** A test that spins never lets its worker time out: the whole has a deadline too. */
async function deadline(): Promise<void> {
  await sleep(longest);
  console.error(
    `the suite took longer than ${longest / 60_000} minutes; not finished: ${counter.running().join(", ")}`,
  );
}

function end(): void {
  const tally = counter.tally ?? { passed: 0, failed: 1, skipped: 0 };
  const good = isGreen(tally) && !process.exitCode;
  process.stdout.write(`${closingLine(tally)}\n`, () => process.exit(good ? 0 : 1));
}

if (!process.stdout.isTTY) disableDefaultColors();
await Promise.race([run(process.argv.slice(2)), deadline()]).catch((fault: unknown) => console.error(fault));
await Promise.race([counter.vitest?.close(), sleep(10_000)]);
end();
