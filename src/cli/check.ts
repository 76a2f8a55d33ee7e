import type { Command } from "commander";
import { configOption, load } from "./config-file.ts";
import { print, say, sayFaults } from "./outcome.ts";

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
  const loaded = await load(file);
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
