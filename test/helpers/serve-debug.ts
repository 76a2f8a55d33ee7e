import { loadConfig } from "../../src/config.ts";
import { start } from "../../src/main.ts";
import { createLog } from "../../src/telemetry/log.ts";

/** `node serve-debug.ts FILE`: what `postern serve -c FILE` runs, but with everything in its log that can be. */
const loaded = loadConfig(process.argv[2] ?? "", process.env);
if (loaded.kind === "faults") throw new Error(JSON.stringify(loaded.faults));
const running = await start(loaded.config, { log: createLog({ level: "trace" }) });
process.stdout.write(`gateway ${running.gatewayUrl}\nadmin ${running.adminUrl}\n`);
process.once("SIGTERM", () => void running.close().then(() => process.exit(0)));
