import type { Command } from "commander";
import type { Verdict } from "../auth/ephemeral.ts";
import { configOption, need } from "./config-file.ts";
import { print, say, usage } from "./outcome.ts";
import { readSecret, secretSources } from "./secret-source.ts";

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
    .description("say what the gateway would say of a credential: exit 0 accepted, 1 refused")
    .option(...configOption)
    .option("--username <username>", "as minted: <expiry>:<user>@<domain>")
    .option("--password <source>", `its password: ${secretSources}`)
    .option("--token <source>", `a JWT instead: ${secretSources}`)
    .option("--json", "print only the JSON, no sentence on stderr")
    .action(async (options: Options) => {
      const verdict = await judge(options);
      print(shape(verdict));
      if (!options.json) say(verdict.sentence);
      process.exitCode = verdict.accepted ? 0 : 1;
    });
}

async function judge(options: Options): Promise<Verdict> {
  const { username, password, token } = options;
  if ((password === undefined) === (token === undefined)) return usage("give --password or --token, one of them");
  const read = readSecret(token === undefined ? "--password" : "--token", (token ?? password)!, process.env);
  if (read.kind === "fault") return usage(read.sentence);
  if (token === undefined && username === undefined) return usage("--password needs --username");
  const { config } = await need(options.config);
  if (token !== undefined) return noTokens;
  const [{ verify }, { Customers }] = await Promise.all([
    import("../auth/ephemeral.ts"),
    import("../core/customers.ts"),
  ]);
  const credential = { username: username!, password: read.secret };
  return verify(new Customers(config.customers), credential, Math.floor(Date.now() / 1000));
}

const noTokens: Verdict = {
  accepted: false,
  code: "credential-rejected",
  sentence: "tokens are not available in this version: use an ephemeral credential",
};

/** Every member always there, null where nothing is known. */
function shape(verdict: Verdict): Record<string, unknown> {
  const { accepted, customer = null, secret = null, user = null, secondsLeft = null, sentence } = verdict;
  return { accepted, code: verdict.accepted ? null : verdict.code, customer, secret, user, secondsLeft, sentence };
}
