import { CommanderError } from "commander";
import type { Fault } from "../config/types.ts";
import { jsonOf } from "./terminal.ts";

/** Ends the command: exit 2, for wrong usage or a faulty config. The sentence goes to stderr. */
export function usage(sentence: string): never {
  throw ended(2, "postern.usage", sentence);
}

/** Ends the command: exit 1, for what was refused or failed. */
export function failure(sentence: string): never {
  throw ended(1, "postern.failed", sentence);
}

/** Ends the command after every fault was printed as `postern.yaml:12: chain.secret: has fewer than 16 bytes`. */
export function faulty(file: string, faults: readonly Fault[]): never {
  sayFaults(file, faults);
  throw new CommanderError(2, "postern.config", "the config has faults");
}

function ended(exitCode: number, code: string, sentence: string): CommanderError {
  say(`error: ${sentence}`);
  return new CommanderError(exitCode, code, sentence);
}

/** Data, on stdout. */
export function print(data: unknown): void {
  process.stdout.write(`${jsonOf(data)}\n`);
}

/** Words, on stderr: what they repeat of a far end or a file's name is fit for a terminal. */
export function say(words: string): void {
  process.stderr.write(`${words.replace(/(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?")}\n`);
}

export function sayFaults(file: string, faults: readonly Fault[]): void {
  for (const { path, line, message } of faults) say(`${file}:${line}: ${path === "" ? "" : `${path}: `}${message}`);
}
