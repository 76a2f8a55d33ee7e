import type { Pages, PublicOptions } from "./api/public.ts";
import type { InTurn } from "./api/unparsed.ts";
import type { Clock } from "./core/clock.ts";
import { HttpTurns } from "./gateway/http-turns.ts";
import type { Overload } from "./gateway/overload.ts";
import type { Sources } from "./gateway/source.ts";
import type { Keeping } from "./keeping.ts";
import type { Live } from "./live.ts";
import type { Proving } from "./proving.ts";
import type { Signing } from "./signing.ts";
import type { Log } from "./telemetry/log.ts";
import type { Metrics } from "./telemetry/metrics.ts";

export interface ServingParts {
  readonly live: Live;
  readonly proving: Proving;
  readonly keeping: Keeping;
  readonly signing: Signing;
  readonly overload: Overload;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
  readonly pages: Pages | undefined;
}

/** What the public port answers from where it is asked over HTTP. */
export const composeServing = (
  { live, proving, keeping, signing, overload, metrics, clock, log, pages }: ServingParts,
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
  signing,
  log,
  draining: () => live.draining,
  overloaded: () => overload.now,
  source: (request) => sources.of(request),
  inTurn: httpTurns(sources),
  pages,
});

function httpTurns(sources: Sources): InTurn {
  const turns = new HttpTurns();
  return (request, work) => turns.run(sources.of(request).address, work);
}
