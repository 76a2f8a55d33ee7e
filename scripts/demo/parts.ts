import { createHmac, randomBytes } from "node:crypto";
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config.ts";
import { start } from "../../src/main.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { freePort } from "../../test/helpers/ports.ts";
import { startTrunk, type Trunk } from "../../test/helpers/trunk.ts";
import { type RunningKamailio, startKamailio } from "../kamailio.ts";
import { ladderReport } from "./kamailio-ladder.ts";

export interface Parts {
  /** Everything that the demo writes; gone when it has ended. */
  readonly dir: string;
  readonly gatewayUrl: string;
  readonly adminUrl: string;
  readonly kamailio: RunningKamailio;
  readonly trunk: Trunk;
  /** File that holds acme's secret. */
  readonly secretFile: string;
  /** What acme's servlet would write into the page of a user. */
  mint(user: string): { username: string; password: string };
  /** Stops everything, the last started first. */
  close(): Promise<void>;
}

/** Seconds that a demo's credential lives: the longest that acme allows. */
const ttl = 3_600;

/** Kamailio, a trunk and the gateway, on free ports of loopback, with new secrets. Nothing is left where it rejects. */
export async function startParts(): Promise<Parts> {
  const closers: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await attempt(closer);
  };
  try {
    return { ...(await startAll(closers)), close };
  } catch (fault) {
    await close();
    throw fault;
  }
}

/** What cannot be stopped, because it has died already, must not keep the rest from being stopped. */
async function attempt(closer: () => unknown): Promise<void> {
  try {
    await closer();
  } catch (fault) {
    console.error(`on stopping: ${String(fault)}`);
  }
}

async function startAll(closers: (() => unknown)[]): Promise<Omit<Parts, "close">> {
  const dir = mkdtempSync(join(tmpdir(), "postern-demo-"));
  closers.push(() => rmSync(dir, { recursive: true, force: true }));
  const [acme, chain] = [randomBytes(24).toString("base64"), randomBytes(24).toString("base64")];
  const secretFile = join(dir, "acme.secret");
  writeFileSync(secretFile, acme, { mode: 0o600 });

  const ws = `127.0.0.1:${await freePort()}`;
  const kamailio = await startKamailio({
    dir: join(dir, "kamailio"),
    ws: [ws],
    udp: [`127.0.0.1:${await freePort()}`],
    chainSecrets: [chain],
    algorithm: "sha256",
    proxyProtocol: true,
    report: ladderReport,
  });
  closers.push(kamailio.stop);
  const trunk = await startTrunk({ host: "127.0.0.9", scenario: "answer" });
  closers.push(trunk.stop);

  const file = join(dir, "postern.yaml");
  writeFileSync(file, configuration(ws, trunk.uri));
  const loaded = loadConfig(file, { ACME_SECRET: acme, POSTERN_CHAIN_SECRET: chain });
  if (loaded.kind === "faults") throw new Error(`the demo's config: ${JSON.stringify(loaded.faults)}`);
  const log = createLog({ destination: createWriteStream(join(dir, "postern.log")) });
  const running = await start(loaded.config, { log });
  closers.push(running.close);

  const mint = (user: string): { username: string; password: string } => {
    const username = `${Math.floor(Date.now() / 1000) + ttl}:${user}@acme.example`;
    return { username, password: createHmac("sha1", acme).update(username).digest("base64") };
  };
  const { gatewayUrl, adminUrl } = running;
  return { dir, gatewayUrl, adminUrl, kamailio, trunk, secretFile, mint };
}

const configuration = (upstream: string, trunk: string): string => `\
gateway:
  listen: ws://127.0.0.1:0
upstream:
  urls: ["ws://${upstream}"]
chain: { secret: "\${POSTERN_CHAIN_SECRET}" }
admin: { listen: "http://127.0.0.1:0" }
customers:
  - id: acme
    domains: [acme.example]
    secrets: [{ id: k1, secret: "\${ACME_SECRET}" }]
    numbers: ["+3225887*"]
    callerId: "+3225887000"
    trunk: ${trunk}
`;
