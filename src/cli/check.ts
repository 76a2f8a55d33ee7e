import type { Command } from "commander";
import type { Config, Fault } from "../config.ts";
import { configOption, load } from "./config-file.ts";
import { print, say, sayFaults } from "./outcome.ts";
import { readStored } from "./read-stored.ts";

export function registerCheck(program: Command): void {
  program
    .command("check")
    .description(
      "look a config file through: every fault with its line, exit 2; exit 1 if its store cannot be read; exit 0 if all is good",
    )
    .option(...configOption)
    .option("--json", "print {ok, faults, notAvailable}")
    .action(async (options: { config: string; json?: true }) => {
      process.exitCode = await check(options.config, options.json === true);
    });
}

async function check(file: string, json: boolean): Promise<number> {
  const { exit, faults, notAvailable } = await lookThrough(file);
  if (json) {
    print({ ok: exit === 0, faults, notAvailable });
    return exit;
  }
  sayFaults(file, faults);
  for (const key of notAvailable) say(`not available yet: ${key}`);
  if (exit === 0) say("ok");
  return exit;
}

interface Seen {
  readonly exit: 0 | 1 | 2;
  readonly faults: readonly Fault[];
  readonly notAvailable: readonly string[];
}

async function lookThrough(file: string): Promise<Seen> {
  const read = await load(file);
  if (read.kind === "faults") return { exit: 2, faults: read.faults, notAvailable: [] };
  const { exit, faults } = await compared(read.config);
  return { exit, faults, notAvailable: exit === 0 ? read.notAvailable : [] };
}

/** With customers of the store, where there is one. */
async function compared(config: Config): Promise<Omit<Seen, "notAvailable">> {
  const stored = await readStored(config);
  if (stored.kind === "unusable") {
    const message = `the config has no faults, but what is stored cannot be compared with it: ${stored.sentence}`;
    return { exit: 1, faults: [{ path: "store", line: 1, message }] };
  }
  const { besides, clashOf, ownersIn } = await import("../store/claims.ts");
  const owners = ownersIn(config);
  const faults = stored.customers.flatMap((customer) => {
    const clash = clashOf(customer, owners);
    return clash === undefined ? [] : [{ path: "customers", line: 1, message: besides(customer.id, clash) }];
  });
  return { exit: faults.length > 0 ? 2 : 0, faults };
}
