import { type Command, InvalidArgumentError, Option } from "commander";
import type { RotateOptions } from "./rotate.ts";
import { secretSources } from "./secret-source.ts";

export function registerRotateChain(program: Command): void {
  program
    .command("rotate-chain")
    .description("a new chain secret for Kamailio and gateway without an outage; run again, it ends what was begun")
    .option("-c, --config <file>", "the config file (postern.yaml; none for a step at Kamailio alone)")
    .option("--kamailio <file>", "local.cfg of a Kamailio of this machine; may be given again", another, [])
    .option("--secret <source>", `the new secret, for several machines: ${secretSources}; else one is made`)
    .addOption(new Option("--step <step>", "one step alone").choices(["announce", "use", "retire"]))
    .option("--overlap <seconds>", "how long both are taken; else as long as what was made under the old one", whole)
    .option("--dry-run", "say what would be done, and do nothing")
    .option("--json", "print {ok, steps: [{step, target, does, done}], sentence}")
    .action(async (options: RotateOptions) => {
      // Loaded here, for YAML and the schema take longer than most commands.
      const { rotateChain } = await import("./rotate.ts");
      process.exitCode = await rotateChain(options);
    });
}

const another = (file: string, files: readonly string[]): string[] => [...files, file];

function whole(text: string): number {
  if (!/^[0-9]{1,6}$/.test(text)) throw new InvalidArgumentError("It takes whole seconds.");
  return Number(text);
}
