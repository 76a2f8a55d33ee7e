import { createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../src/core/clock.ts";
import { start } from "../../src/main.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { freePort, freePorts } from "../../test/helpers/ports.ts";
import { type RunningKamailio, startKamailio } from "../kamailio.ts";
import { type RunningRtpengine, startRtpengine } from "../rtpengine.ts";
import { startEchoTrunk } from "../trunk/echo.ts";
import type { AnsweringTrunk } from "../trunk/trunk.ts";
import { makeSecrets, readConfig, type Secrets } from "./acme.ts";
import { type Asset, readAssets } from "./assets.ts";
import { Inspector } from "./inspector.ts";
import { KamailioLadder, ladderReport } from "./kamailio-ladder.ts";
import { Minter } from "./minter.ts";
import { DemoPages } from "./pages.ts";
import { servlets } from "./servlets.ts";
import { type Steps, together } from "./steps.ts";

export interface Parts {
  /** Everything that the demo writes; gone when it has ended. */
  readonly dir: string;
  readonly gatewayUrl: string;
  readonly adminUrl: string;
  readonly pageUrl: string;
  readonly minter: Minter;
  /** What Kamailio saw and sent. */
  readonly seen: KamailioLadder;
  /** File that holds acme's secret. */
  readonly secretFile: string;
  /** Stops everything, the last started first. */
  close(): Promise<void>;
}

/** As exactly as can be had: rows of the gateway stand between those that Kamailio stamps. */
const clock: Clock = { now: () => performance.timeOrigin + performance.now() };
/** Media ports: some twenty calls at once. */
const mediaPorts = 160;

/** What was started, and how it is stopped. */
class Started {
  readonly #closers: (() => unknown)[] = [];

  /** Notes how to stop what comes of it. */
  async keep<One extends { stop(): unknown }>(starting: Promise<One>): Promise<One> {
    const one = await starting;
    this.#closers.push(() => one.stop());
    return one;
  }

  onClose(closer: () => unknown): void {
    this.#closers.push(closer);
  }

  /** What cannot be stopped, because it has died already, does not keep the rest from being stopped. */
  async close(): Promise<void> {
    for (const closer of this.#closers.splice(0).reverse()) {
      try {
        await closer();
      } catch (fault) {
        console.error(`on stopping: ${String(fault)}`);
      }
    }
  }
}

/** Everything on free ports of loopback, with new secrets. Nothing is left where it rejects. */
export async function startParts(steps: Steps): Promise<Parts> {
  const started = new Started();
  try {
    return { ...(await startAll(steps, started)), close: () => started.close() };
  } catch (fault) {
    await started.close();
    throw fault;
  }
}

async function startAll(steps: Steps, started: Started): Promise<Omit<Parts, "close">> {
  const dir = mkdtempSync(join(tmpdir(), "postern-demo-"));
  started.onClose(() => rmSync(dir, { recursive: true, force: true }));
  const secrets = makeSecrets(dir);
  const ws = `127.0.0.1:${await freePort()}`;
  const [assets, trunk, kamailio] = await together(
    steps.step("the page is put together", readAssets),
    steps.step("acme's trunk, an echo", () => started.keep(startEchoTrunk({ host: "127.0.0.9" }))),
    behind(steps, started, { dir, ws, secrets }),
  );
  const seen = new KamailioLadder(kamailio.process.stderr!, trunk.port);
  const own = { dir, ws, secrets, assets, trunk, seen };
  const gateway = await steps.step("the gateway, with the page", () => openGateway(started, own));
  return { dir, ...gateway, seen, secretFile: secrets.secretFile };
}

interface Behind {
  readonly dir: string;
  /** Of Kamailio, `host:port`. */
  readonly ws: string;
  readonly secrets: Secrets;
}

/** Kamailio, which is told of the media relay at its start. */
async function behind(steps: Steps, started: Started, { dir, ws, secrets }: Behind): Promise<RunningKamailio> {
  const relay = await steps.step("rtpengine", () => started.keep(startRelay()));
  const udp = `127.0.0.1:${await freePort()}`;
  const settings = {
    dir: join(dir, "kamailio"),
    ws: [ws],
    udp: [udp],
    chainSecrets: [secrets.chain],
    defines: { RTPENGINE: relay.url },
    keepLog: 200_000,
  };
  return steps.step("Kamailio", () =>
    started.keep(startKamailio({ ...settings, algorithm: "sha256", proxyProtocol: true, report: ladderReport })),
  );
}

async function startRelay(): Promise<RunningRtpengine> {
  const first = await freePorts(mediaPorts);
  const ports = [first, first + mediaPorts - 1] as const;
  // Errors alone: what it says of each call would be kept.
  return startRtpengine({ host: "127.0.0.1", ngPort: await freePort(), ports, options: ["--log-level=3"] });
}

interface Own extends Behind {
  readonly assets: ReadonlyMap<string, Asset>;
  readonly trunk: AnsweringTrunk;
  readonly seen: KamailioLadder;
}

async function openGateway(started: Started, { dir, ws, secrets, assets, trunk, seen }: Own) {
  // A browser tries ::1 for localhost too: nobody else is to answer there.
  const port = await freePort("127.0.0.1", "::1");
  const config = readConfig(dir, { port, upstream: ws, trunk: trunk.uri, secrets });
  const minter = new Minter(secrets);
  const inspector = new Inspector(config, clock);
  const pages = new DemoPages({ port, assets, servlets: servlets(secrets), minter, inspector, clock });
  seen.onTrunk = (message) => pages.atTrunk(message);
  const log = createLog({ destination: createWriteStream(join(dir, "postern.log")) });
  const running = await start(config, { log, pages });
  started.onClose(() => running.close());
  // First of all: whoever reads a ladder keeps the server open.
  started.onClose(() => pages.close());
  const { gatewayUrl, adminUrl } = running;
  return { gatewayUrl, adminUrl, pageUrl: `http://localhost:${port}/demo/`, minter };
}
