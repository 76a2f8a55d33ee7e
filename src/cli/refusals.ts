import type { Command } from "commander";
import { example } from "./examples.ts";
import { wholeNumber } from "./options.ts";
import { print } from "./outcome.ts";
import { askFor, type PlaceOptions, pathOf } from "./place.ts";
import { inGateway } from "./sessions.ts";
import { row } from "./terminal.ts";

/** As a gateway tells it. claimed: not proved, so anybody may have made it. */
interface Refusal {
  /** Milliseconds. */
  readonly at: number;
  readonly code: string;
  readonly sentence: string;
  readonly remedy: string;
  readonly claimed: boolean;
  readonly way: string;
  readonly address: string;
  readonly user?: string;
  readonly origin?: string;
}

interface Options extends PlaceOptions {
  readonly limit: number;
}

export function registerRefusals(program: Command): void {
  example(
    inGateway(program.command("refusals <customer>"))
      .description("what a running gateway refused a customer's users lately, why, and what to do; the latest first")
      .option("--limit <count>", "at most so many", wholeNumber, 100)
      .option("--json", "print {refusals}")
      .action(list),
    "refusals globex --limit 20",
  );
}

async function list(customer: string, options: Options): Promise<void> {
  const { body } = await askFor({ method: "GET", path: pathOf(customer, "/refusals") }, options);
  const all = Array.isArray(body.refusals) ? (body.refusals as Refusal[]) : [];
  const refusals = all.slice(0, options.limit);
  if (options.json) return print({ refusals });
  for (const { at, code, sentence, remedy, claimed, way, address, user = "-", origin = "-" } of refusals) {
    const who = [user, address, origin, way, claimed ? "claimed" : "proved"];
    process.stdout.write(`${row(new Date(at).toISOString(), code, ...who, sentence, remedy)}\n`);
  }
}
