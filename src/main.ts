import { randomBytes } from "node:crypto";
import { totalmem } from "node:os";
import { Addresses } from "./api/addresses.ts";
import { type Admin, type AdminOptions, openAdmin } from "./api/admin.ts";
import { type PublicOptions, publicHttp } from "./api/public.ts";
import type { InTurn } from "./api/unparsed.ts";
import { NonceKey } from "./auth/nonce.ts";
import type { Config } from "./config.ts";
import { type Clock, systemClock } from "./core/clock.ts";
import { Admission } from "./gateway/admission.ts";
import { Announcements } from "./gateway/announce.ts";
import type { Context } from "./gateway/context.ts";
import { Health } from "./gateway/health.ts";
import { HttpTurns } from "./gateway/http-turns.ts";
import { Legs } from "./gateway/legs.ts";
import { MemoryUse, memoryBudget, Overload, readMemory } from "./gateway/overload.ts";
import { upstreamProbe } from "./gateway/probe.ts";
import { type Gateway, openGateway } from "./gateway/server.ts";
import { Sessions } from "./gateway/sessions.ts";
import { Sources } from "./gateway/source.ts";
import { Strangers } from "./gateway/strangers.ts";
import { composeKeeping, type Keeping } from "./keeping.ts";
import { Live } from "./live.ts";
import { ImportThread } from "./manage/import-thread.ts";
import { CallRate } from "./policy/call-rate.ts";
import { composeProving, type Proving } from "./proving.ts";
import { openRecords, type Records, type RecordsParts } from "./records/open.ts";
import { headText } from "./store/journal.ts";
import type { StoredCustomer } from "./store/judge.ts";
import { type StoredChange, StoredCustomers } from "./store/stored.ts";
import { Homer } from "./telemetry/homer.ts";
import { LagWatch } from "./telemetry/lag.ts";
import type { Log } from "./telemetry/log.ts";
import { Metrics, type Readings } from "./telemetry/metrics.ts";
import { Ring } from "./telemetry/ring.ts";
import { Trace } from "./telemetry/trace.ts";
import { version } from "./telemetry/version.ts";

export interface StartOptions {
  readonly log: Log;
  readonly clock?: Clock;
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
export async function start(config: Config, { log, clock = systemClock }: StartOptions): Promise<Running> {
  const stored = new StoredCustomers(config, log);
  const customers = await stored.load({ renew: true });
  const live = await compare(config, clock, customers, stored);
  const proving = prove(live, clock, log);
  const keeping = composeKeeping({ ports: () => stored.opened, customers: () => live.customers, clock, log });
  const announcements = new Announcements(clock);
  const legs = new Legs(announcements);
  const upstream = () => live.config.upstream;
  const chain = () => live.chain;
  const health = new Health({ upstream, chain, announcements, log, lost: (url) => legs.leaveUpstream(url) });
  const ring = new Ring();
  const homer = config.hep && new Homer({ ...config.hep, log });
  const trace = new Trace(clock, homer ? [ring, homer] : [ring]);
  const overload = overloadOf(live, log, () => metrics.connections.size + legs.size);
  const gatewayId = randomBytes(8).toString("hex");
  const records = record(live, stored, { callOut: proving.callOut, gateway: gatewayId, clock, log });
  const read = { ...readings(live, legs, health, homer, overload), records: () => records.counts };
  const metrics: Metrics = new Metrics({ version: version(), readings: read });
  const sessions = new Sessions();
  const ours = { live, stored, legs, health, proving, keeping, sessions, gatewayId, records };
  const parts = { ...ours, log, clock, metrics, trace, overload };
  const context = compose(parts);
  const probe = upstreamProbe({ clock, upstream: context.upstream, chain, announcements });
  const unready = async () => (live.draining ? "draining" : probe());
  const sources = sourcesOf(live, log);
  const admin = await openAdmin({ ...adminOptions(parts), unready, ladder: (callId) => ring.find(callId) });
  const http = await publicHttp(publicOptions(parts, sources));
  const { listen, tls, proxyProtocol } = config.gateway;
  const gateway = await openGateway({ listen, tls, http, sources, proxyProtocol }, context).catch((error: unknown) =>
    abandon(admin, proving, records, stored, error),
  );
  live.gatewayUrl = gateway.url;
  keeping.start();
  stored.follow((change) => takeUp(change, live, gateway, log));
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

interface Parts {
  readonly live: Live;
  readonly stored: StoredCustomers;
  readonly legs: Legs;
  readonly health: Health;
  readonly proving: Proving;
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly trace: Trace;
  readonly overload: Overload;
  readonly keeping: Keeping;
  readonly sessions: Sessions;
  readonly gatewayId: string;
  readonly records: Records;
}

type RecordsNeeds = Pick<RecordsParts, "callOut" | "gateway" | "clock" | "log">;

const record = (live: Live, stored: StoredCustomers, needs: RecordsNeeds): Records =>
  openRecords({
    ...needs,
    config: () => live.config,
    customers: () => live.customers,
    store: () => stored.opened?.calls,
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

function overloadOf(live: Live, log: Log, sockets: () => number): Overload {
  const lateness = new LagWatch();
  const machine = { total: totalmem(), constrained: process.constrainedMemory() };
  const budget = (): number => memoryBudget(live.config.gateway.limits.memoryMegabytes, machine);
  const use = new MemoryUse(readMemory(0));
  const gauges = {
    lag: () => lateness.read().median,
    memory: () => use.part(readMemory(sockets()), budget()),
    stop: () => lateness.stop(),
  };
  return new Overload(gauges, log);
}

const readings = (
  live: Live,
  legs: Legs,
  health: Health,
  homer: Homer | undefined,
  overload: Overload,
): Omit<Readings, "records"> => ({
  legs: () => legs.size,
  dialogs: () => legs.sum((leg) => leg.dialogs.size),
  calls: () => legs.sum((leg) => leg.calls),
  registrations: () => legs.sum((leg) => Number(leg.isRegistered)),
  upstreams: () => health.states,
  draining: () => live.draining,
  chainSecrets: () => live.config.chain.secrets.length,
  short: (of) => overload.isShort(of),
  hep: () => homer?.counts,
});

const sourcesOf = (live: Live, log: Log): Sources =>
  new Sources({
    trusted: () => live.trusted,
    proxyProtocol: live.config.gateway.proxyProtocol,
    patience: () => live.config.gateway.limits.preAuthSeconds * 1000,
    log,
  });

function compose(parts: Parts): Context {
  const { live, health, proving, legs, log, clock, metrics, trace, overload, keeping, gatewayId, records } = parts;
  return {
    legs,
    log,
    clock,
    metrics,
    trace,
    verdicts: keeping.verdicts,
    customers: () => live.customers,
    gatewayDomains: () => live.domains,
    allowMissingOrigin: () => live.config.gateway.allowMissingOrigin,
    limits: () => live.config.gateway.limits,
    connectionsPerUser: (customer) => live.connectionsPerUser(customer),
    draining: () => live.draining,
    overloaded: () => overload.now,
    memoryShort: () => overload.isShort("memory"),
    upstream: () => {
      const { upstream } = live.config;
      if (upstream.urls.length > 1) return { ...upstream, urls: health.order(upstream.urls) };
      return { ...upstream, note: (url, up) => health.note(url, up) };
    },
    gatewayId,
    chain: () => live.chain,
    authenticators: proving.callers,
    remoteKeys: proving.remoteKeys,
    state: proving.state,
    failures: proving.failures,
    nonceKey: new NonceKey(randomBytes(32)),
    admission: new Admission(),
    strangers: new Strangers(),
    callRate: new CallRate(clock),
    sessions: parts.sessions,
    calls: records.sink,
  };
}

const adminOptions = ({
  live,
  stored,
  proving,
  metrics,
  clock,
  log,
  keeping,
  sessions,
}: Parts): Omit<AdminOptions, "unready" | "ladder"> => ({
  listen: live.config.admin.listen,
  hosts: () => live.config.admin.hosts,
  metrics,
  inbound: {
    customers: () => live.customers,
    upstreamUrls: () => live.config.upstream.urls,
    addresses: new Addresses({ clock }),
    log,
  },
  management: {
    authenticator: proving.managers,
    failures: proving.managersFailures,
    failuresPerMinute: () => live.config.gateway.limits.failuresPerMinute,
    signedIn: (manager, address) =>
      keeping.signedIn(
        manager.kind === "operator" ? manager : { id: manager.apiKey, customer: manager.customer.id },
        address,
      ),
    idempotency: { state: proving.state, clock },
    log,
  },
  customers: {
    customers: () => live.customers,
    declared: () => live.declared,
    surroundings: () => live.surroundings,
    bring: importing(live, stored),
    uses: (customer) => keeping.usesOf(customer),
    budget: keeping.budget,
    ...{ stored, state: proving.state, clock, log },
  },
  calls: () => (live.config.records.store ? stored.opened?.calls : undefined),
  runtime: { runtime: sessions, customers: () => live.customers, note: (act) => keeping.acted(act), clock, log },
  told: { audit: () => stored.opened?.audit, refusals: keeping.refusals },
});

function importing(live: Live, stored: StoredCustomers): AdminOptions["customers"]["bring"] {
  const thread = new ImportThread();
  return (job) => thread.run({ ...job, store: stored.config, surroundings: live.surroundings });
}

const publicOptions = (
  { live, proving, metrics, clock, log, overload, keeping }: Parts,
  sources: Sources,
): PublicOptions => ({
  customers: () => live.customers,
  clock,
  chain: proving.exchanged,
  keys: () => live.keys,
  config: () => {
    const { exchange, turn, gateway } = live.config;
    const { limits, allowMissingOrigin } = gateway;
    return { exchange, turn, limits, allowMissingOrigin, publicUrl: live.publicUrl };
  },
  failures: proving.failures,
  metrics,
  verdicts: keeping.verdicts,
  log,
  draining: () => live.draining,
  overloaded: () => overload.now,
  source: (request) => sources.of(request),
  inTurn: httpTurns(sources),
});

function httpTurns(sources: Sources): InTurn {
  const turns = new HttpTurns();
  return (request, work) => turns.run(sources.of(request).address, work);
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
function takeUp(change: StoredChange, live: Live, gateway: Gateway, log: Log): void {
  const { leftOut, touched } = live.changeStored(change);
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
