import type { Command } from "commander";
import type { Finding } from "../doctor/finding.ts";
import { configOption, load } from "./config-file.ts";
import { print, say, sayFaults } from "./outcome.ts";
import { readStored } from "./read-stored.ts";

export function registerDoctor(program: Command): void {
  program
    .command("doctor")
    .description(
      "look the config, this machine and Kamailio over: exit 0 if nothing failed, 1 if something did, 2 faults",
    )
    .option(...configOption)
    .option("--kamailio <file>", "local.cfg of a Kamailio of this machine; may be given again", another, [])
    .option("--json", "print {ok, findings: [{check, state, found, advice}], faults}")
    .action(async (options: { config: string; kamailio: string[]; json?: true }) => {
      process.exitCode = await doctor(options.config, options.kamailio, options.json === true);
    });
}

const another = (file: string, files: readonly string[]): string[] => [...files, file];

async function doctor(file: string, localCfgs: readonly string[], json: boolean): Promise<number> {
  const loaded = await load(file);
  if (loaded.kind === "faults") {
    if (json) print({ ok: false, findings: [], faults: loaded.faults });
    else sayFaults(file, loaded.faults);
    return 2;
  }
  const [{ examine }, { thisSystem }, stored] = await Promise.all([
    import("../doctor/doctor.ts"),
    import("../doctor/system.ts"),
    readStored(loaded.config),
  ]);
  const findings = await examine({ file, localCfgs, stored, ...loaded }, thisSystem);
  const ok = findings.every(({ state }) => state !== "fail");
  if (json) print({ ok, findings: findings.map(shape), faults: [] });
  else sayFindings(findings);
  return ok ? 0 : 1;
}

/** Every member always there. */
const shape = ({ check, state, found, advice }: Finding) => ({ check, state, found, advice: advice ?? null });

function sayFindings(findings: readonly Finding[]): void {
  for (const { check, state, found, advice } of findings) {
    say(`${state.padEnd(4)}  ${check}: ${found}`);
    if (advice !== undefined) say(`      ${advice}`);
  }
  const count = (wanted: Finding["state"]): number => findings.filter(({ state }) => state === wanted).length;
  say(`${count("ok")} ok, ${count("warn")} warnings, ${count("fail")} failed`);
}
