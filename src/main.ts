import { randomBytes } from "node:crypto";
import { type Admin, openAdmin } from "./api/admin.ts";
import { type Pages, publicHttp } from "./api/public.ts";
import type { Config } from "./config.ts";
import { type Clock, systemClock } from "./core/clock.ts";
import { Announcements } from "./gateway/announce.ts";
import { Health } from "./gateway/health.ts";
import { Legs } from "./gateway/legs.ts";
import { upstreamProbe } from "./gateway/probe.ts";
import { type Gateway, openGateway } from "./gateway/server.ts";
import { Sessions } from "./gateway/sessions.ts";
import { composeKeeping } from "./keeping.ts";
import { Live } from "./live.ts";
import { composeManaging } from "./managing.ts";
import { composeProving, type Proving } from "./proving.ts";
import { openRecords, type Records, type RecordsParts } from "./records/open.ts";
import { composeRelaying, sourcesOf } from "./relaying.ts";
import { composeServing, partiesOf } from "./serving.ts";
import { Signing } from "./signing.ts";
import { headText } from "./store/journal.ts";
import type { StoredCustomer } from "./store/judge.ts";
import { type StoredChange, StoredCustomers } from "./store/stored.ts";
import { Homer } from "./telemetry/homer.ts";
import type { Log } from "./telemetry/log.ts";
import { Metrics } from "./telemetry/metrics.ts";
import { Ring } from "./telemetry/ring.ts";
import { Trace, type TraceListener } from "./telemetry/trace.ts";
import { version } from "./telemetry/version.ts";
import { overloadOf, readingsOf } from "./watching.ts";

export interface StartOptions {
  readonly log: Log;
  readonly clock?: Clock;
  /** Pages on the public port that see every message, as the demo's do. */
  readonly pages?: Pages & TraceListener;
}

export interface Running {
  /** With the ports that were really taken. */
  readonly gatewayUrl: string;
  readonly adminUrl: string;
  /**
   * Take up another config: customers, secrets, tls, upstream and limits at once. Returns the keys whose change needs a
   * restart. Throws, and nothing has changed, where certificate or key cannot be used.
   */
  reload(config: Config): string[];
  /** No new sockets and calls; resolves when calls have ended and clients gone, or the config's time is up. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** Compose everything from a checked config and listen. Rejects, with nothing left open, where a port is taken. */
export async function start(config: Config, { log, clock = systemClock, pages }: StartOptions): Promise<Running> {
  const stored = new StoredCustomers(config, log);
  const customers = await stored.load({ renew: true });
  const live = await compare(config, clock, customers, stored);
  const proving = prove(live, clock, log);
  const keeping = composeKeeping({ ports: () => stored.opened, customers: () => live.customers, clock, log });
  const signing = await Signing.open({ port: () => stored.opened?.signingKeys, clock, log });
  const announcements = new Announcements(clock);
  const legs = new Legs(announcements);
  const upstream = () => live.config.upstream;
  const chain = () => live.chain;
  const health = new Health({ upstream, chain, announcements, log, lost: (url) => legs.leaveUpstream(url) });
  const ring = new Ring();
  const homer = config.hep && new Homer({ ...config.hep, log });
  const listeners = [ring, homer, pages].filter((listener) => listener !== undefined);
  const trace = new Trace(clock, listeners);
  const overload = overloadOf(live, log, () => metrics.connections.size + legs.size);
  const gatewayId = randomBytes(8).toString("hex");
  const records: Records = record(live, stored, {
    ...{ callOut: proving.callOut, gateway: gatewayId, clock, log },
    measured: (customer, figures) => metrics.heard(customer, figures),
  });
  const readings = readingsOf({ live, legs, health, homer, overload, records });
  const metrics: Metrics = new Metrics({ version: version(), readings });
  const told = { metrics, trace, overload, records, log, clock };
  const parties = partiesOf(proving, clock);
  const parts = {
    live,
    stored,
    legs,
    health,
    proving,
    keeping,
    signing,
    sessions: new Sessions(),
    parties,
    gatewayId,
    ...told,
  };
  const context = composeRelaying(parts);
  const probe = upstreamProbe({ clock, upstream: context.upstream, chain, announcements });
  const unready = async () => (live.draining ? "draining" : probe());
  const sources = sourcesOf(live, log);
  const admin = await openAdmin({ ...composeManaging(parts), unready, ladder: (callId) => ring.find(callId) });
  const http = await publicHttp(composeServing({ ...parts, pages }, sources));
  const { listen, tls, proxyProtocol } = config.gateway;
  const gateway = await openGateway({ listen, tls, http, sources, proxyProtocol }, context).catch((error: unknown) =>
    abandon(admin, proving, records, stored, error),
  );
  live.gatewayUrl = gateway.url;
  keeping.start();
  signing.start();
  stored.follow((change) => takeUp(change, { live, gateway, proving, log }));
  health.start();
  overload.start();
  void homer?.open();
  return {
    gatewayUrl: gateway.url,
    adminUrl: admin.url,
    reload: (next) => {
      const restart = reload(next, live, gateway, proving);
      keeping.note("config.reload");
      return restart;
    },
    drain: () => {
      live.draining = true;
      return gateway.drain(live.config.drain.seconds);
    },
    close: async () => {
      live.draining = true;
      health.stop();
      overload.stop();
      signing.close();
      await keeping.close();
      await gateway.close();
      await records.close();
      await stored.close();
      await admin.close();
      proving.close();
      homer?.close();
      metrics.close();
    },
  };
}

function reload(config: Config, live: Live, gateway: Gateway, proving: Proving): string[] {
  const restart = live.replace(config, () => {
    if (config.gateway.tls) gateway.useTls(config.gateway.tls);
  });
  proving.follow();
  gateway.dismissRevoked({ alsoRemoved: false });
  return restart;
}

/** Whoever stands on what was taken from its customer is sent away; what is new is in force for all others. */
function takeUp(
  change: StoredChange,
  { live, gateway, proving, log }: { live: Live; gateway: Gateway; proving: Proving; log: Log },
): void {
  const { leftOut, touched } = live.changeStored(change);
  proving.followCustomers();
  for (const { id, reason } of leftOut) log.error({ customer: id, reason }, "stored customer left out");
  const { revision, put, gone } = change;
  const customers = new Set([...put.map(({ customer: { id } }) => id), ...gone]);
  if (touched) gateway.dismissRevoked({ customers, alsoRemoved: true });
  const audit = change.head && headText(change.head);
  log.info({ revision, changed: put.length - leftOut.length, removed: gone.length, audit }, "stored customers changed");
}

async function compare(
  config: Config,
  clock: Clock,
  customers: readonly StoredCustomer[],
  stored: StoredCustomers,
): Promise<Live> {
  try {
    return new Live(config, clock, customers);
  } catch (error) {
    await stored.close();
    throw error;
  }
}

async function abandon(
  admin: Admin,
  proving: Proving,
  records: Records,
  stored: StoredCustomers,
  error: unknown,
): Promise<never> {
  await records.close();
  await stored.close();
  proving.close();
  await admin.close();
  throw error;
}

type RecordsNeeds = Pick<RecordsParts, "callOut" | "gateway" | "clock" | "log" | "measured">;

const record = (live: Live, stored: StoredCustomers, needs: RecordsNeeds): Records =>
  openRecords({
    ...needs,
    config: () => live.config,
    customers: () => live.customers,
    store: () => stored.opened,
  });

const prove = (live: Live, clock: Clock, log: Log): Proving =>
  composeProving({
    config: () => live.config,
    customers: () => live.customers,
    keys: () => live.keys,
    publicUrl: () => live.publicUrl,
    clock,
    log,
  });
