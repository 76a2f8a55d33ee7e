import { randomBytes } from "node:crypto";
import { type Admin, openAdmin } from "./api/admin.ts";
import { publicHttp } from "./api/public.ts";
import { DigestAuthenticator } from "./auth/digest.ts";
import { NonceKey } from "./auth/nonce.ts";
import type { Config } from "./config.ts";
import { type Clock, systemClock } from "./core/clock.ts";
import { Customers } from "./core/customers.ts";
import { Admission } from "./gateway/admission.ts";
import { Announcements } from "./gateway/announce.ts";
import { Chain } from "./gateway/chain.ts";
import type { Context } from "./gateway/context.ts";
import { Legs } from "./gateway/legs.ts";
import { upstreamProbe } from "./gateway/probe.ts";
import { openGateway } from "./gateway/server.ts";
import { Failures } from "./policy/limits.ts";
import type { Log } from "./telemetry/log.ts";
import { Metrics } from "./telemetry/metrics.ts";

export interface StartOptions {
  readonly log: Log;
  readonly clock?: Clock;
}

export interface Running {
  /** With the ports that were really taken. */
  readonly gatewayUrl: string;
  readonly adminUrl: string;
  close(): Promise<void>;
}

/** Compose everything from a checked config and listen. Rejects, with nothing left open, where a port is taken. */
export async function start(config: Config, { log, clock = systemClock }: StartOptions): Promise<Running> {
  const announcements = new Announcements(clock);
  const context = compose(config, announcements, log, clock);
  const { upstream, chain, metrics } = context;
  const unready = upstreamProbe({ clock, upstream, chain, announcements });
  const admin = await openAdmin({ listen: config.admin.listen, metrics, unready });
  const gateway = await openGateway(
    { listen: config.gateway.listen, tls: config.gateway.tls, http: publicHttp },
    context,
  ).catch((error: unknown) => abandon(admin, error));
  return {
    gatewayUrl: gateway.url,
    adminUrl: admin.url,
    close: async () => {
      await gateway.close();
      await admin.close();
    },
  };
}

function compose(config: Config, announcements: Announcements, log: Log, clock: Clock): Context {
  const customers = new Customers(config.customers);
  const domains = new Set(config.gateway.domains);
  const chain = new Chain(config.chain, clock);
  const legs = new Legs(announcements);
  return {
    clock,
    log,
    metrics: new Metrics({ legs: () => legs.size }),
    customers: () => customers,
    gatewayDomains: () => domains,
    allowMissingOrigin: () => config.gateway.allowMissingOrigin,
    limits: () => config.gateway.limits,
    upstream: () => config.upstream,
    chain: () => chain,
    digest: new DigestAuthenticator({ customers: () => customers, clock }),
    nonceKey: new NonceKey(randomBytes(32)),
    failures: new Failures(clock),
    admission: new Admission(),
    legs,
  };
}

async function abandon(admin: Admin, error: unknown): Promise<never> {
  await admin.close();
  throw error;
}
