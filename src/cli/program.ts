import { Command, CommanderError } from "commander";
import { version } from "../telemetry/version.ts";
import { registerApiKey } from "./api-key.ts";
import { registerAudit } from "./audit.ts";
import { registerCalls } from "./calls.ts";
import { registerCheck } from "./check.ts";
import { registerClient } from "./client.ts";
import { registerCustomer } from "./customer.ts";
import { registerDoctor } from "./doctor.ts";
import { registerHealth } from "./health.ts";
import { registerInit } from "./init.ts";
import { registerKey } from "./key.ts";
import { registerLadder } from "./ladder.ts";
import { registerMint } from "./mint.ts";
import { registerNumber, registerOrigin } from "./origin-number.ts";
import { registerQuality } from "./quality.ts";
import { registerRefusals } from "./refusals.ts";
import { registerRevoke } from "./revoke.ts";
import { registerRotateChain } from "./rotate-chain.ts";
import { registerSecret } from "./secret.ts";
import { registerServe } from "./serve.ts";
import { registerSessions } from "./sessions.ts";
import { registerSigningKey } from "./signing-key.ts";
import { registerVerify } from "./verify.ts";

/** `postern`: exit 0 success, 1 refused or failed, 2 usage or config; data on stdout, words on stderr. */
export function postern(): Command {
  const program = new Command("postern")
    .description("The door between web pages and the telephone network: SIP over WebSocket in front of Kamailio.")
    .version(version())
    .showHelpAfterError("(--help tells more)")
    .configureOutput({ outputError: (text, write) => write(withoutValues(text)) })
    .exitOverride();
  for (const register of [
    registerInit,
    registerServe,
    registerCheck,
    registerDoctor,
    registerHealth,
    registerLadder,
    registerMint,
    registerRotateChain,
    registerVerify,
    registerClient,
    registerCustomer,
    registerSecret,
    registerKey,
    registerApiKey,
    registerOrigin,
    registerNumber,
    registerRevoke,
    registerSigningKey,
    registerSessions,
    registerCalls,
    registerQuality,
    registerRefusals,
    registerAudit,
  ])
    register(program);
  return program;
}

/** What stands behind the = of an option that there is not may be a secret. */
const withoutValues = (text: string): string => text.replace(/('--?[\w-]+=).*'/s, "$1…'");

/** What the process exits with. */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    await postern().parseAsync(argv, { from: "user" });
    return process.exitCode === undefined ? 0 : Number(process.exitCode);
  } catch (error) {
    if (error instanceof CommanderError) return exitOf(error);
    process.stderr.write(`postern: ${error instanceof Error ? error.message : "failed"}\n`);
    return 1;
  }
}

/** commander says 1 for wrong usage. */
function exitOf(error: CommanderError): number {
  return error.code.startsWith("commander.") && error.exitCode !== 0 ? 2 : error.exitCode;
}
