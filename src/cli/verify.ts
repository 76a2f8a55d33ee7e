import type { Command } from "commander";
import type { Config } from "../config.ts";
import type { Customer } from "../core/identity.ts";
import { actOf } from "./act.ts";
import { configOption, need } from "./config-file.ts";
import { noteUse } from "./note-use.ts";
import { failure, print, say, usage } from "./outcome.ts";
import { readStored } from "./read-stored.ts";
import { readSecret, secretSources } from "./secret-source.ts";
import type { Judged } from "./verdict.ts";

interface Options {
  readonly config: string;
  readonly username?: string;
  readonly password?: string;
  readonly token?: string;
  readonly json?: true;
}

export function registerVerify(program: Command): void {
  program
    .command("verify")
    .description("say what the gateway would say of a credential or token of any kind: exit 0 accepted, 1 refused")
    .option(...configOption)
    .option("--username <username>", "as minted or exchanged; <expiry>:<customer> for Voxbone's form")
    .option("--password <source>", `its password: ${secretSources}`)
    .option("--token <source>", `a JWT, access token or management token instead: ${secretSources}`)
    .option("--json", "print only the JSON, no sentence on stderr")
    .action(async (options: Options) => {
      const verdict = await judge(options);
      print(shape(verdict));
      if (!options.json) say(verdict.sentence);
      process.exitCode = verdict.accepted ? 0 : 1;
    });
}

async function judge(options: Options): Promise<Judged> {
  const { username, password, token } = options;
  if ((password === undefined) === (token === undefined)) return usage("give --password or --token, one of them");
  const read = readSecret(token === undefined ? "--password" : "--token", (token ?? password)!, process.env);
  if (read.kind === "fault") return usage(read.sentence);
  if (token === undefined && username === undefined) return usage("--password needs --username");
  if (token !== undefined && username !== undefined) return usage("--username goes with --password alone");
  const { config } = await need(options.config);
  const [{ openVerdict }, stored] = await Promise.all([import("./verdict.ts"), storedCustomers(config)]);
  const verdict = openVerdict(config, { now: () => Date.now() }, stored);
  try {
    const judged =
      token === undefined
        ? await verdict.ofPassword(username!, read.secret)
        : await verdict.ofToken(read.secret.replace(/^bearer +/i, ""));
    await noteUse(config, actOf(toldOf(judged), judged.customer ?? undefined));
    return judged;
  } finally {
    verdict.close();
  }
}

/** For the audit: what was given is told only as far as it was proved. */
const toldOf = ({ accepted, code, user }: Judged): string =>
  `verify: ${accepted ? "accepted" : (code ?? "refused")}${user === null ? "" : ` ${user}`}`;

async function storedCustomers(config: Config): Promise<readonly Customer[]> {
  const stored = await readStored(config);
  return stored.kind === "customers" ? stored.customers : failure(stored.sentence);
}

/** Always in the same order. */
function shape({ accepted, code, customer, secret, user, secondsLeft, sentence }: Judged): Judged {
  return { accepted, code, customer, secret, user, secondsLeft, sentence };
}
