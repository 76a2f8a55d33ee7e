import type { Pages, PublicOptions } from "./api/public.ts";
import type { InTurn } from "./api/unparsed.ts";
import type { Clock } from "./core/clock.ts";
import { CallConferences } from "./gateway/conferences.ts";
import { HttpTurns } from "./gateway/http-turns.ts";
import type { Overload } from "./gateway/overload.ts";
import type { Sessions } from "./gateway/sessions.ts";
import type { Sources } from "./gateway/source.ts";
import type { Keeping } from "./keeping.ts";
import type { Live } from "./live.ts";
import type { Proving } from "./proving.ts";
import type { Records } from "./records/open.ts";
import type { Signing } from "./signing.ts";
import type { Log } from "./telemetry/log.ts";
import type { Metrics } from "./telemetry/metrics.ts";

export interface ServingParts {
  readonly live: Live;
  readonly proving: Proving;
  readonly keeping: Keeping;
  readonly signing: Signing;
  readonly overload: Overload;
  readonly sessions: Sessions;
  readonly parties: CallConferences;
  readonly records: Records;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
  readonly pages: Pages | undefined;
}

/** Milliseconds after the end of its call in which a conference is told of yet. */
const grace = 60_000;

/** Who is in which call. A token that is good for one call alone ends with it, when its pages have told how it was. */
export const partiesOf = ({ conferences }: Proving, clock: Clock): CallConferences =>
  new CallConferences((customer, conferenceID) => conferences.end(customer, conferenceID, clock.now() + grace));

/** What the public port answers from where it is asked over HTTP. */
export const composeServing = (parts: ServingParts, sources: Sources): PublicOptions => {
  const { live, proving, keeping, signing, overload, metrics, clock, log, pages } = parts;
  return {
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
    signing,
    applications: proving,
    log,
    draining: () => live.draining,
    overloaded: () => overload.now,
    source: (request) => sources.of(request),
    inTurn: httpTurns(sources),
    pages,
    reporting: reportingOf(parts),
  };
};

const reportingOf = ({ proving, parties, sessions, records }: ServingParts): PublicOptions["reporting"] => ({
  chain: proving.reporters,
  failures: proving.reportersFailures,
  conferences: parties,
  reports: records.reports,
  end: (customer, conferenceID, named) => {
    const parts = parties.ownersOf(customer, conferenceID) ?? [];
    for (const { call, stands } of parts) if (stands) sessions.hangUp(call, customer);
    // Who called under its name alone ends that call, and nobody's token.
    if (named || parts.some((part) => part.named)) proving.conferences.end(customer, conferenceID);
  },
});

function httpTurns(sources: Sources): InTurn {
  const turns = new HttpTurns();
  return (request, work) => turns.run(sources.of(request).address, work);
}
