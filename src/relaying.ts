import { randomBytes } from "node:crypto";
import { NonceKey } from "./auth/nonce.ts";
import type { Clock } from "./core/clock.ts";
import { Admission } from "./gateway/admission.ts";
import type { CallConferences } from "./gateway/conferences.ts";
import type { Context } from "./gateway/context.ts";
import type { Health } from "./gateway/health.ts";
import type { Legs } from "./gateway/legs.ts";
import type { Overload } from "./gateway/overload.ts";
import type { Sessions } from "./gateway/sessions.ts";
import { Sources } from "./gateway/source.ts";
import { Strangers } from "./gateway/strangers.ts";
import type { Keeping } from "./keeping.ts";
import type { Live } from "./live.ts";
import { CallRate } from "./policy/call-rate.ts";
import type { Proving } from "./proving.ts";
import type { Records } from "./records/open.ts";
import type { Log } from "./telemetry/log.ts";
import type { Metrics } from "./telemetry/metrics.ts";
import type { Trace } from "./telemetry/trace.ts";

export interface RelayingParts {
  readonly live: Live;
  readonly proving: Proving;
  readonly keeping: Keeping;
  readonly records: Records;
  readonly legs: Legs;
  readonly health: Health;
  readonly sessions: Sessions;
  readonly parties: CallConferences;
  readonly overload: Overload;
  readonly metrics: Metrics;
  readonly trace: Trace;
  readonly gatewayId: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** What every connection of a client works with. */
export function composeRelaying(parts: RelayingParts): Context {
  const {
    live,
    health,
    proving,
    overload,
    keeping,
    records,
    legs,
    sessions,
    parties,
    metrics,
    trace,
    gatewayId,
    clock,
    log,
  } = parts;
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
    conferences: proving.conferences,
    state: proving.state,
    failures: proving.failures,
    nonceKey: new NonceKey(randomBytes(32)),
    admission: new Admission(),
    strangers: new Strangers(),
    callRate: new CallRate(clock),
    sessions,
    calls: records.sink,
    parties,
  };
}

/** Whose each connection is, behind proxies too. */
export const sourcesOf = (live: Live, log: Log): Sources =>
  new Sources({
    trusted: () => live.trusted,
    proxyProtocol: live.config.gateway.proxyProtocol,
    patience: () => live.config.gateway.limits.preAuthSeconds * 1000,
    log,
  });
