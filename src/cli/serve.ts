import { resolve } from "node:path";
import type { Command } from "commander";
import type { Running } from "../main.ts";
import type { Log } from "../telemetry/log.ts";
import { configOption, load, need } from "./config-file.ts";
import { failure } from "./outcome.ts";
import { printOf, Watch } from "./watch.ts";

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
  const asRead = printOf(file);
  const loaded = await need(file);
  const prints = new Map([
    ...loaded.files.map((one) => [one, printOf(one)] as const),
    [resolve(file), asRead] as const,
  ]);
  const [{ start }, { createLog }] = await Promise.all([import("../main.ts"), import("../telemetry/log.ts")]);
  const log = createLog();
  for (const key of loaded.notAvailable) log.warn(`not available yet: ${key}`);
  const stopped = stopSignal(log);
  const running = await start(loaded.config, { log }).catch((error: unknown) => failure(sentenceOf(error)));
  const watch = keepCurrent(file, running, log);
  watch.follow(loaded.files, prints);
  process.stdout.write(`gateway ${running.gatewayUrl}\nadmin ${running.adminUrl}\n`);
  if ((await stopped) === "SIGTERM") await running.drain();
  watch.stop();
  await running.close();
}

/** Take up the config at SIGHUP and whenever one of its files changes; a faulty one is told and the old one stays. */
function keepCurrent(file: string, running: Running, log: Log): Watch {
  const watch = new Watch(() => void again());
  let [busy, wanted] = [false, false];
  const again = async (): Promise<void> => {
    wanted = true;
    if (busy) return;
    busy = true;
    while (wanted) {
      wanted = false;
      await reload(file, running, watch, log).catch((error: unknown) => log.error({ err: error }, "reload failed"));
    }
    busy = false;
  };
  process.on("SIGHUP", () => void again());
  return watch;
}

async function reload(file: string, running: Running, watch: Watch, log: Log): Promise<void> {
  const before = watch.prints();
  const loaded = await load(file);
  watch.follow(loaded.files, before);
  if (loaded.kind === "faults") {
    for (const fault of loaded.faults) log.error({ ...fault, file }, "reload refused: the config has faults");
    return;
  }
  try {
    for (const setting of running.reload(loaded.config)) log.warn({ setting }, "needs a restart to change");
    log.info({ customers: loaded.config.customers.length }, "reloaded");
  } catch (error) {
    log.error({ reason: error instanceof Error ? error.message : "unknown" }, "reload refused");
  }
}

/** Resolves at the first SIGTERM (drain) or SIGINT (stop now); a second one ends the process at once. */
function stopSignal(log: Log): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (asked) process.exit(1);
      asked = true;
      log.info({ signal }, signal === "SIGTERM" ? "draining" : "stopping");
      resolve(signal);
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
