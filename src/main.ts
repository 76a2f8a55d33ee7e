import { randomBytes } from "node:crypto";
import { Addresses } from "./api/addresses.ts";
import { type Admin, openAdmin } from "./api/admin.ts";
import { publicListener } from "./api/public.ts";
import { NonceKey } from "./auth/nonce.ts";
import { OwnKeys } from "./auth/own-keys.ts";
import type { Config } from "./config.ts";
import { type Clock, systemClock } from "./core/clock.ts";
import { Customers } from "./core/customers.ts";
import type { ExchangeSettings } from "./exchange/context.ts";
import { Admission } from "./gateway/admission.ts";
import { Announcements } from "./gateway/announce.ts";
import { Chain } from "./gateway/chain.ts";
import type { Context } from "./gateway/context.ts";
import { Health } from "./gateway/health.ts";
import { Legs } from "./gateway/legs.ts";
import { upstreamProbe } from "./gateway/probe.ts";
import { type Gateway, openGateway } from "./gateway/server.ts";
import { Sources, trustedNetworks } from "./gateway/source.ts";
import { composeProving, type Proving } from "./proving.ts";
import { Homer } from "./telemetry/homer.ts";
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

/** What a reload replaces, derived from one config. */
interface Live {
  readonly config: Config;
  readonly customers: Customers;
  readonly domains: ReadonlySet<string>;
  readonly chain: Chain;
  readonly keys: OwnKeys;
  readonly trusted: (address: string) => boolean;
}

/** Compose everything from a checked config and listen. Rejects, with nothing left open, where a port is taken. */
export async function start(config: Config, { log, clock = systemClock }: StartOptions): Promise<Running> {
  const state: Mutable = { live: derive(config, clock), draining: false, gatewayUrl: config.gateway.listen };
  const proving = composeProving({
    config: () => state.live.config,
    customers: () => state.live.customers,
    keys: () => state.live.keys,
    publicUrl: () => publicUrl(state),
    clock,
    log,
  });
  const announcements = new Announcements(clock);
  const legs = new Legs(announcements);
  const upstream = () => state.live.config.upstream;
  const chain = () => state.live.chain;
  const health = new Health({ upstream, chain, announcements, log, lost: (url) => legs.leaveUpstream(url) });
  const ring = new Ring();
  const homer = config.hep && new Homer({ ...config.hep, log });
  const trace = new Trace(clock, homer ? [ring, homer] : [ring]);
  const readings = {
    ...legReadings(legs),
    upstreams: () => health.states,
    draining: () => state.draining,
    hep: () => homer?.counts,
  };
  const metrics = new Metrics({ version: version(), readings });
  const context = compose(state, { legs, health, proving, log, clock, metrics, trace });
  const probe = upstreamProbe({ clock, upstream: context.upstream, chain, announcements });
  const unready = async () => (state.draining ? "draining" : probe());
  const sources = new Sources({
    trusted: () => state.live.trusted,
    proxyProtocol: config.gateway.proxyProtocol,
    patience: () => context.limits().preAuthSeconds * 1000,
    log,
  });
  const { customers } = context;
  const inbound = { customers, upstreamUrls: () => upstream().urls, addresses: new Addresses({ clock }), log };
  const admin = await openAdmin({
    listen: config.admin.listen,
    metrics,
    unready,
    inbound,
    ladder: (callId) => ring.find(callId),
    management: {
      authenticator: proving.managers,
      failures: proving.failures,
      failuresPerMinute: () => context.limits().failuresPerMinute,
      log,
    },
  });
  const { listen, tls, proxyProtocol } = config.gateway;
  const http = await publicListener({
    customers,
    clock,
    chain: proving.exchanged,
    keys: () => state.live.keys,
    config: () => exchangeSettings(state),
    failures: proving.failures,
    metrics,
    log,
    draining: context.draining,
    source: (request) => sources.of(request),
  });
  const gateway = await openGateway({ listen, tls, http, sources, proxyProtocol }, context).catch((error: unknown) =>
    abandon(admin, proving, error),
  );
  state.gatewayUrl = gateway.url;
  health.start();
  void homer?.open();
  return {
    gatewayUrl: gateway.url,
    adminUrl: admin.url,
    reload: (next) => {
      const restart = reload(state, next, gateway, clock);
      proving.follow();
      return restart;
    },
    drain: () => {
      state.draining = true;
      return gateway.drain(state.live.config.drain.seconds);
    },
    close: async () => {
      state.draining = true;
      health.stop();
      await gateway.close();
      await admin.close();
      proving.close();
      homer?.close();
      metrics.close();
    },
  };
}

const legReadings = (legs: Legs): Pick<Readings, "legs" | "dialogs" | "calls" | "registrations"> => ({
  legs: () => legs.size,
  dialogs: () => legs.sum((leg) => leg.dialogs.size),
  calls: () => legs.sum((leg) => leg.calls),
  registrations: () => legs.sum((leg) => Number(leg.isRegistered)),
});

const derive = (config: Config, clock: Clock): Live => ({
  config,
  customers: new Customers(config.customers),
  domains: new Set(config.gateway.domains),
  chain: new Chain(config.chain, clock),
  keys: new OwnKeys({ chain: config.chain.secrets, exchange: config.exchange?.secret }),
  trusted: trustedNetworks(config.gateway.trustedProxies),
});

/** What changes while it runs. gatewayUrl: with the port that was really taken. */
interface Mutable {
  live: Live;
  draining: boolean;
  gatewayUrl: string;
}

/** Where clients are told to come: as configured, else where it really listens. */
function publicUrl({ live: { config }, gatewayUrl }: Mutable): string {
  const { publicUrl: configured, listen } = config.gateway;
  return configured === listen ? gatewayUrl : configured;
}

const exchangeSettings = (state: Mutable): ExchangeSettings => {
  const { exchange, turn, gateway } = state.live.config;
  const { limits, allowMissingOrigin } = gateway;
  return { exchange, turn, limits, allowMissingOrigin, publicUrl: publicUrl(state) };
};

interface Parts {
  readonly legs: Legs;
  readonly health: Health;
  readonly proving: Proving;
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly trace: Trace;
}

function compose(state: Mutable, { health, proving, ...parts }: Parts): Context {
  return {
    ...parts,
    customers: () => state.live.customers,
    gatewayDomains: () => state.live.domains,
    allowMissingOrigin: () => state.live.config.gateway.allowMissingOrigin,
    limits: () => state.live.config.gateway.limits,
    draining: () => state.draining,
    upstream: () => {
      const { upstream } = state.live.config;
      if (upstream.urls.length > 1) return { ...upstream, urls: health.order(upstream.urls) };
      return { ...upstream, note: (url, up) => health.note(url, up) };
    },
    chain: () => state.live.chain,
    authenticators: proving.callers,
    state: proving.state,
    failures: proving.failures,
    nonceKey: new NonceKey(randomBytes(32)),
    admission: new Admission(),
  };
}

function reload(state: { live: Live }, config: Config, gateway: Gateway, clock: Clock): string[] {
  const before = state.live.config;
  const next = derive(config, clock);
  if (config.gateway.tls) gateway.useTls(config.gateway.tls);
  state.live = next;
  const bound: Record<string, (of: Config) => unknown> = {
    "gateway.listen": (of) => of.gateway.listen,
    "gateway.proxyProtocol": (of) => of.gateway.proxyProtocol,
    "admin.listen": (of) => of.admin.listen,
    hep: (of) => JSON.stringify(of.hep),
    store: (of) => of.store,
    state: (of) => of.state,
  };
  return Object.keys(bound).filter((key) => bound[key]!(before) !== bound[key]!(config));
}

async function abandon(admin: Admin, proving: Proving, error: unknown): Promise<never> {
  proving.close();
  await admin.close();
  throw error;
}
