import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config.ts";
import { start } from "../../src/main.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { listening } from "../child.ts";
import { benchChain, benchSecret } from "../load.ts";
import { benchJwtSecret } from "../tokens.ts";
import { megabytes } from "./plan.ts";

/** Postern as it comes: wss://, every limit as it is by default but the budget of memory. Its log goes to stderr. */
const [upstream = "", cert = "", key = ""] = process.argv.slice(2);

const folder = mkdtempSync(join(tmpdir(), "postern-overload-"));
const file = join(folder, "postern.yaml");
writeFileSync(
  file,
  `gateway:
  listen: wss://127.0.0.1:0
  tls: { cert: "${cert}", key: "${key}" }
  limits: { memoryMegabytes: ${megabytes} }
upstream: { urls: ["${upstream}"], proxyProtocol: off }
chain: { secret: ${benchChain} }
admin: { listen: "http://127.0.0.1:0" }
customers:
  - id: acme
    domains: [acme.example]
    secrets: [{ id: k1, secret: "${benchSecret}" }]
    keys: [{ id: HS256, alg: HS256, secret: ${benchJwtSecret} }]
`,
);
const loaded = loadConfig(file, {});
rmSync(folder, { recursive: true });
if (loaded.kind === "faults") throw new Error(JSON.stringify(loaded.faults));
const running = await start(loaded.config, { log: createLog() });
listening(Number(new URL(running.gatewayUrl).port));
