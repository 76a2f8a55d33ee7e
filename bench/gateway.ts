import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProofShare } from "../src/auth/proof-share.ts";
import { type Config, loadConfig } from "../src/config.ts";
import { start } from "../src/main.ts";
import { createLog } from "../src/telemetry/log.ts";
import { listening } from "./child.ts";
import { benchChain, benchSecret, storeKey } from "./load.ts";
import { benchJwtSecret, es256Public, inheritedApplication } from "./tokens.ts";

/**
 * Postern with so many customers; the one in the middle is the one that calls. proxyProtocol: as in postern.yaml. store: where
 * they are kept instead.
 */
const [upstream = "", customers = "1", proxyProtocol = "off", store] = process.argv.slice(2);

const application = process.env[inheritedApplication];

const declared = (): string => `customers:
  - id: acme
    domains: [acme.example]
    secrets: [{ id: k1, secret: "${benchSecret}" }]
    keys:
      - { id: HS256, alg: HS256, secret: ${benchJwtSecret} }
      - { id: ES256, alg: ES256, pem: ${JSON.stringify(es256Public())} }
    limits: { connections: 0, calls: 0 }
${application === undefined ? "" : `    permissionUrl: ${application}/permissions\n`}`;

function configured(): Config {
  const folder = mkdtempSync(join(tmpdir(), "postern-bench-"));
  const file = join(folder, "postern.yaml");
  writeFileSync(
    file,
    `gateway:
  listen: ws://127.0.0.1:0
  limits: { messagesPerSecond: 0, failuresPerMinute: 0, connectionsPerAddress: 0, preAuthSeconds: 0 }
upstream: { urls: ["${upstream}"], proxyProtocol: ${proxyProtocol} }
chain: { secret: ${benchChain} }
exchange: { secret: the-exchange-secret-of-the-benchmark, callbackNetworks: [127.0.0.0/8] }
admin: { listen: "http://127.0.0.1:0" }
${store === undefined ? declared() : `store: ${JSON.stringify(store)}\nstoreKey: ${storeKey}\n`}`,
  );
  const loaded = loadConfig(file, {});
  rmSync(folder, { recursive: true });
  if (loaded.kind === "faults") throw new Error(JSON.stringify(loaded.faults));
  return loaded.config;
}

/** YAML for as many customers would take longer than the benchmark. */
function crowded(config: Config, count: number): Config {
  const [acme] = config.customers;
  const others = Array.from({ length: count - 1 }, (_, at) => ({
    ...acme!,
    id: `c${at}`,
    domains: [`c${at}.example`],
    secrets: [{ id: "k1", secret: `${benchSecret}-${at}`, algorithm: "sha1" as const }],
    numbers: [`+999${at}*`],
  }));
  const middle = others.length >> 1;
  return { ...config, customers: [...others.slice(0, middle), acme!, ...others.slice(middle)] };
}

// What a new token costs is measured here, not of how many one customer may have the cost.
ProofShare.prototype.isUsedUp = () => false;
const config = configured();
const running = await start(store === undefined ? crowded(config, Number(customers)) : config, { log: createLog() });
listening(Number(new URL(running.gatewayUrl).port));
