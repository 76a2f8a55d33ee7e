import type { Command } from "commander";
import type { Log } from "../telemetry/log.ts";
import { configOption, need } from "./config-file.ts";
import { failure } from "./outcome.ts";

export function registerServe(program: Command): void {
  program
    .command("serve")
    .description("run the gateway until SIGTERM or SIGINT")
    .option(...configOption)
    .action(async (options: { config: string }) => {
      await serve(options.config);
      process.exit(0);
    });
}

async function serve(file: string): Promise<void> {
  const { config, notAvailable } = await need(file);
  const [{ start }, { createLog }] = await Promise.all([import("../main.ts"), import("../telemetry/log.ts")]);
  const log = createLog();
  for (const key of notAvailable) log.warn(`not available yet: ${key}`);
  const stopped = stopSignal(log);
  try {
    const running = await start(config, { log });
    process.stdout.write(`gateway ${running.gatewayUrl}\nadmin ${running.adminUrl}\n`);
    await stopped;
    await running.close();
  } catch (error) {
    failure(sentenceOf(error));
  }
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
function stopSignal(log: Log): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (asked) process.exit(1);
      asked = true;
      log.info({ signal }, "stopping");
      resolve();
    };
    process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  });
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there already",
  EADDRNOTAVAIL: "this machine has no such address",
  EACCES: "this user may not listen there",
  ENOTFOUND: "the name is not known",
};

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return "the gateway failed";
  const fault: Error & { code?: string; address?: string; port?: number } = error;
  const reason = reasons[fault.code ?? ""];
  return reason === undefined
    ? fault.message
    : `cannot listen on ${fault.address ?? ""} port ${fault.port ?? ""}: ${reason}`;
}
