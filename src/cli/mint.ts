import { type Command, InvalidArgumentError } from "commander";
import type { HashName } from "../core/identity.ts";
import { actOf } from "./act.ts";
import { leastBytes, type MintOptions, mintJwt, mintOpentok } from "./mint-token.ts";
import { noteUseOf } from "./note-use.ts";
import { print, say, usage } from "./outcome.ts";
import { readSecret, secretSources } from "./secret-source.ts";

const hashes: readonly HashName[] = ["sha1", "sha256", "sha384", "sha512"];

export function registerMint(program: Command): void {
  program
    .command("mint")
    .description("print as JSON an ephemeral credential {username, password, ttl}, or a token {token, ttl}")
    .requiredOption("--secret <source>", `the customer's secret, or its private key in PEM: ${secretSources}`)
    .option("--user <user>", "who the visitor is, as in alice@acme.example")
    .option("--ttl <seconds>", "how long it lives (default: 300; with --opentok 180)", wholeNumber)
    .option("--algorithm <hash>", `one of ${hashes.join(", ")}; with --jwt as in HS256, ES256 (default: sha1; HS256)`)
    .option("--now <time>", "Unix seconds to count from; default: now", wholeNumber)
    .option("--json", "print JSON, as always")
    .option("--jwt", "a JWT for SIP Bearer, the handshake and the exchange")
    .option("--opentok", "a management token, as OpenTok's REST API takes it")
    .option("--key <id>", "--jwt: the key's id (kid); --opentok: the API key (iss)")
    .option("--customer <id>", "--jwt: whose visitor (iss); default: whose domain the user has")
    .option("--claim <name=value>", "--jwt: what narrows it, as in oneCall=true; again for more", another)
    .option("-c, --config <file>", "note this use in the audit of the store that this config names")
    .option("--ist <kind>", "--opentok: project or account (default: project)")
    .action(mintCredential);
}

async function mintCredential(options: MintOptions, command: Command): Promise<void> {
  const fault = foreignOption(options);
  if (fault !== undefined) return usage(fault);
  const algorithm = hashes.find((hash) => hash === (options.algorithm ?? "sha1"));
  if (!options.jwt && algorithm === undefined) return invalid(command, options.algorithm);
  if (!options.opentok && options.user === undefined) return missing(command, "--user <user>");
  const read = readSecret("--secret", options.secret, process.env);
  if (read.kind === "fault") return usage(read.sentence);
  const { PosternError } = await import("../core/errors.ts");
  const bytes = Buffer.byteLength(read.secret);
  const wanted = options.jwt ? leastBytes(options.algorithm) : 0;
  if (bytes < 16) say("warning: the secret has fewer than 16 bytes; no config takes it");
  else if (bytes < wanted) say(`warning: the secret has fewer than the ${wanted} bytes that RFC 7518 asks for`);
  const now = options.now ?? Math.floor(Date.now() / 1000);
  try {
    print(await minted(options, read.secret, now, algorithm));
    if (options.config !== undefined) await noteUseOf(options.config, actOf(toldOf(options), options.customer));
  } catch (error) {
    if (error instanceof PosternError) usage(error.message);
    throw error;
  }
}

/** For the audit. */
const toldOf = ({ jwt, opentok, user, key }: MintOptions): string =>
  opentok ? `mint: management token of ${key}` : `mint: ${jwt ? "token" : "credential"} of ${user}`;

async function minted(
  options: MintOptions,
  secret: string,
  now: number,
  algorithm: HashName = "sha1",
): Promise<unknown> {
  if (options.jwt) return mintJwt(options, secret, now);
  if (options.opentok) return mintOpentok(options, secret, now);
  const { mint } = await import("../auth/ephemeral.ts");
  return mint({ secret, user: options.user!, ttl: options.ttl ?? 300, algorithm, now });
}

/** What was given though it says nothing in this form would be believed to hold. */
function foreignOption(options: MintOptions): string | undefined {
  const { jwt, opentok, user, algorithm, key, customer, claim, ist } = options;
  if (jwt && opentok) return "--jwt and --opentok are two forms: give one of them";
  if (opentok && user !== undefined) return "--user does not go with --opentok: a management token has no visitor";
  if (opentok && algorithm !== undefined) return "--algorithm does not go with --opentok: it is always HS256";
  if (!jwt && claim !== undefined) return "--claim goes with --jwt alone";
  if (!jwt && customer !== undefined) return "--customer goes with --jwt alone";
  if (!jwt && !opentok && key !== undefined) return "--key goes with --jwt or --opentok";
  return !opentok && ist !== undefined ? "--ist goes with --opentok alone" : undefined;
}

/** In commander's words, who cannot know that it depends on the form. */
function missing(command: Command, option: string): never {
  return command.error(`error: required option '${option}' not specified`, {
    code: "commander.missingMandatoryOptionValue",
  });
}

function invalid(command: Command, given: string | undefined): never {
  const sentence = `It must be one of ${hashes.join(", ")}.`;
  return command.error(`error: option '--algorithm <hash>' argument '${given}' is invalid. ${sentence}`, {
    code: "commander.invalidArgument",
  });
}

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new InvalidArgumentError("It must be a whole number of seconds.");
  return Number(text);
}

const another = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];
