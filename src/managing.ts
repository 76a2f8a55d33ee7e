import { Addresses } from "./api/addresses.ts";
import type { AdminOptions } from "./api/admin.ts";
import type { Clock } from "./core/clock.ts";
import type { Sessions } from "./gateway/sessions.ts";
import type { Keeping } from "./keeping.ts";
import type { Live } from "./live.ts";
import { ImportThread } from "./manage/import-thread.ts";
import type { Proving } from "./proving.ts";
import type { StoredCustomers } from "./store/stored.ts";
import type { Log } from "./telemetry/log.ts";
import type { Metrics } from "./telemetry/metrics.ts";

export interface ManagingParts {
  readonly live: Live;
  readonly stored: StoredCustomers;
  readonly proving: Proving;
  readonly keeping: Keeping;
  readonly sessions: Sessions;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the private port answers from, without the readiness and the ladder of the traffic. */
export const composeManaging = ({
  live,
  stored,
  proving,
  keeping,
  sessions,
  metrics,
  clock,
  log,
}: ManagingParts): Omit<AdminOptions, "unready" | "ladder"> => ({
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
  calls: () => (live.config.records.store ? stored.opened : undefined),
  runtime: { runtime: sessions, customers: () => live.customers, note: (act) => keeping.acted(act), clock, log },
  told: { audit: () => stored.opened?.audit, refusals: keeping.refusals },
});

function importing(live: Live, stored: StoredCustomers): AdminOptions["customers"]["bring"] {
  const thread = new ImportThread();
  return (job) => thread.run({ ...job, store: stored.config, surroundings: live.surroundings });
}
