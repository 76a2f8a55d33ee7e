import { type Command, InvalidArgumentError } from "commander";
import type { HashName } from "../core/identity.ts";
import { print, say, usage } from "./outcome.ts";
import { readSecret, secretSources } from "./secret-source.ts";

interface Options {
  readonly secret: string;
  readonly user: string;
  readonly ttl: number;
  readonly algorithm: HashName;
  readonly now?: number;
}

const algorithms: readonly string[] = ["sha1", "sha256", "sha384", "sha512"] satisfies HashName[];

export function registerMint(program: Command): void {
  program
    .command("mint")
    .description("print an ephemeral credential as JSON: {username, password, ttl}")
    .requiredOption("--secret <source>", `the customer's secret: ${secretSources}`)
    .requiredOption("--user <user>", "who the visitor is, as in alice@acme.example")
    .option("--ttl <seconds>", "how long the credential lives", wholeNumber, 300)
    .option("--algorithm <hash>", `one of ${algorithms.join(", ")}`, algorithm, "sha1")
    .option("--now <time>", "Unix seconds to count from; default: now", wholeNumber)
    .option("--json", "print JSON, as always")
    .action(mintCredential);
}

async function mintCredential(options: Options): Promise<void> {
  const read = readSecret("--secret", options.secret, process.env);
  if (read.kind === "fault") return usage(read.sentence);
  const [{ mint }, { PosternError }] = await Promise.all([import("../auth/ephemeral.ts"), import("../core/errors.ts")]);
  if (Buffer.byteLength(read.secret) < 16) say("warning: the secret has fewer than 16 bytes; no config takes it");
  const { user, ttl, algorithm, now = Math.floor(Date.now() / 1000) } = options;
  try {
    print(mint({ secret: read.secret, user, ttl, algorithm, now }));
  } catch (error) {
    if (error instanceof PosternError) usage(error.message);
    throw error;
  }
}

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new InvalidArgumentError("It must be a whole number of seconds.");
  return Number(text);
}

function algorithm(text: string): string {
  if (!algorithms.includes(text)) throw new InvalidArgumentError(`It must be one of ${algorithms.join(", ")}.`);
  return text;
}
