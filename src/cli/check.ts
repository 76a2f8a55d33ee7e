import type { Command } from "commander";
import type { Config, Fault } from "../config.ts";
import { configOption, load } from "./config-file.ts";
import { print, say, sayFaults } from "./outcome.ts";
import { readStored } from "./read-stored.ts";

export function registerCheck(program: Command): void {
  program
    .command("check")
    .description("look a config file through: every fault with its line, exit 2; exit 0 if it is good")
    .option(...configOption)
    .option("--json", "print {ok, faults, notAvailable}")
    .action(async (options: { config: string; json?: true }) => {
      process.exitCode = await check(options.config, options.json === true);
    });
}

async function check(file: string, json: boolean): Promise<number> {
  const read = await load(file);
  const clashes = read.kind === "config" ? await clashesOf(read.config) : [];
  const loaded = clashes.length > 0 ? ({ kind: "faults", faults: clashes } as const) : read;
  const ok = loaded.kind === "config";
  if (json) {
    print({ ok, faults: ok ? [] : loaded.faults, notAvailable: ok ? loaded.notAvailable : [] });
  } else if (ok) {
    for (const key of loaded.notAvailable) say(`not available yet: ${key}`);
    say("ok");
  } else {
    sayFaults(file, loaded.faults);
  }
  return ok ? 0 : 2;
}

/** With customers of the store, where there is one that this user may read. */
async function clashesOf(config: Config): Promise<Fault[]> {
  const stored = await readStored(config);
  if (stored.kind === "unusable") say(`not compared: ${stored.sentence}`);
  if (stored.kind === "unusable" || stored.customers.length === 0) return [];
  const { besides, clashOf, ownersIn } = await import("../store/claims.ts");
  const owners = ownersIn(config);
  return stored.customers.flatMap((customer) => {
    const clash = clashOf(customer, owners);
    return clash === undefined ? [] : [{ path: "customers", line: 1, message: besides(customer.id, clash) }];
  });
}
