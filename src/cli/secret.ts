import { type Command, InvalidArgumentError } from "commander";
import { configOption } from "./config-file.ts";
import { print, say, usage } from "./outcome.ts";
import { readSecret, secretSources } from "./secret-source.ts";
import { changeStored, itemOf, noStore, withStore } from "./with-store.ts";

interface AddOptions {
  readonly config: string;
  readonly id?: string;
  readonly algorithm?: string;
  readonly secret?: string;
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly json?: boolean;
}

interface Options {
  readonly config: string;
  readonly grace: number;
  readonly json?: boolean;
}

/** Seconds: servers change over within a day. */
const usualGrace = 86_400;

export function registerSecret(program: Command): void {
  const secret = program
    .command("secret")
    .description("secrets of stored customers: what their servers mint credentials with");
  secret
    .command("add <customer>")
    .description("another secret, beside those it has; made here it is printed, once")
    .option(...configOption)
    .option("--id <id>", "its name in logs (default: the next of k1, k2, …)")
    .option("--algorithm <hash>", "of the credentials' HMAC: sha1, sha256, sha384, sha512 (default: sha1)")
    .option("--secret <source>", `one that you bring: ${secretSources}`)
    .option("--not-before <time>", "valid from then on: ISO 8601 or Unix seconds")
    .option("--not-after <time>", "valid until then")
    .option("--json", "no words on stderr")
    .action(add);
  secret
    .command("list <customer>")
    .description("its secrets, newest first, as JSON; never what they are")
    .option(...configOption)
    .option("--json", "print JSON, as always")
    .action(list);
  secret
    .command("promote <customer> <id>")
    .description("make a secret the newest, which servers are to mint with")
    .option(...configOption)
    .option("--json", "no words on stderr")
    .action(promote);
  secret
    .command("retire <customer> <id>")
    .description("let a secret end: what was minted is taken until then")
    .option(...configOption)
    .option("--grace <seconds>", "how long it is valid yet", wholeNumber, usualGrace)
    .option("--json", "no words on stderr")
    .action(retire);
  secret
    .command("revoke <customer> <id>")
    .description("take a secret away now: the sockets that it proved are closed, their calls end")
    .option(...configOption)
    .option("--json", "no words on stderr")
    .action(revoke);
}

async function add(customer: string, options: AddOptions): Promise<void> {
  const { config, secret: source, id, algorithm, notBefore, notAfter, json } = options;
  const brought = source === undefined ? undefined : readSecret("--secret", source, process.env);
  if (brought?.kind === "fault") return usage(brought.sentence);
  const { createSecret } = await import("../manage/secrets.ts");
  const edit = createSecret({ id, algorithm, notBefore, notAfter, secret: brought?.secret });
  const { told } = await changeStored(customer, ({ id }) => `secret.add ${id}`, edit, { config, json });
  print({ customer, ...told });
  if (!json) say(brought ? "stored" : "stored: this is the only time that the secret is shown");
}

async function list(customer: string, { config }: Options): Promise<void> {
  const found = await withStore({ config, make: false }, async (bench) => {
    const { listSecrets } = await import("../manage/secrets.ts");
    const { item } = await itemOf(customer, bench);
    return listSecrets(item, Math.floor(Date.now() / 1000), await bench.uses.of(customer));
  });
  if (!found) return noStore(customer, config);
  print({ customer, secrets: found });
}

async function promote(customer: string, id: string, { config, json }: Options): Promise<void> {
  const { promoteSecret } = await import("../manage/secrets.ts");
  const { told } = await changeStored(customer, () => `secret.promote ${id}`, promoteSecret(id), { config, json });
  print({ customer, ...told });
  if (!json) say("it is the newest now");
}

async function retire(customer: string, id: string, { config, grace, json }: Options): Promise<void> {
  const { retireSecret } = await import("../manage/secrets.ts");
  const edit = retireSecret(id, Math.floor(Date.now() / 1000), grace);
  const { told } = await changeStored(customer, () => `secret.retire ${id}`, edit, { config, json });
  print({ customer, ...told });
  if (!json) say(`valid until ${new Date(told.notAfter * 1000).toISOString()}`);
}

async function revoke(customer: string, id: string, { config, json }: Options): Promise<void> {
  const { revokeSecret } = await import("../manage/secrets.ts");
  const { told } = await changeStored(customer, () => `secret.revoke ${id}`, revokeSecret(id), { config, json });
  print({ customer, id, revoked: true });
  if (!json) say(`revoked: the sockets that it proved are closed${told.left === 0 ? "; no secret is left" : ""}`);
}

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new InvalidArgumentError("It must be a whole number of seconds.");
  return Number(text);
}
