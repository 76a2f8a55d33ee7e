/** `npm test [-- FILTER…]`: runs the suite and ends with the line `N passed, N failed, N skipped`. Exit 1 unless all is well. */
import { fileURLToPath } from "node:url";
import { startVitest } from "vitest/node";
import { closingLine, isGreen, TallyReporter } from "./reporter.ts";

const counter = new TallyReporter();
const root = fileURLToPath(new URL("..", import.meta.url));

async function run(): Promise<void> {
  const vitest = await startVitest(process.argv.slice(2), {
    root,
    run: true,
    color: process.stdout.isTTY,
    reporters: ["default", counter],
  });
  await vitest.close();
}

await run().catch((fault: unknown) => console.error(fault));
const tally = counter.tally ?? { passed: 0, failed: 1, skipped: 0 };
const good = isGreen(tally) && !process.exitCode;
process.stdout.write(`${closingLine(tally)}\n`, () => process.exit(good ? 0 : 1));
