import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../src/config.ts";
import { start } from "../src/main.ts";
import { createLog } from "../src/telemetry/log.ts";
import { benchSecret } from "./load.ts";
import { reportUsage } from "./usage.ts";

/** Postern with so many customers; one of them, in the middle, is the one that calls. */
const [upstream, customers] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "postern-bench-"));
const file = join(folder, "postern.yaml");
writeFileSync(
  file,
  `gateway: { listen: "ws://127.0.0.1:0", limits: { messagesPerSecond: 0 } }
upstream: { urls: ["${upstream}"], proxyProtocol: off }
chain: { secret: chain-secret-of-the-bench }
admin: { listen: "http://127.0.0.1:0" }
customers:
  - { id: acme, domains: [acme.example], secrets: [{ id: k1, secret: "${benchSecret}" }] }
`,
);
const loaded = loadConfig(file, {});
rmSync(folder, { recursive: true });
if (loaded.kind === "faults") throw new Error(JSON.stringify(loaded.faults));
const [acme] = loaded.config.customers;
const others = Array.from({ length: Number(customers) - 1 }, (_, at) => ({
  ...acme!,
  id: `c${at}`,
  domains: [`c${at}.example`],
  secrets: [{ id: "k1", secret: `${benchSecret}-${at}`, algorithm: "sha1" as const }],
  numbers: [`+999${at}*`],
}));
const middle = others.length / 2;
const config = { ...loaded.config, customers: [...others.slice(0, middle), acme!, ...others.slice(middle)] };
const running = await start(config, { log: createLog() });
reportUsage(Number(new URL(running.gatewayUrl).port));
