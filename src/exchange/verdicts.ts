import type { Code } from "../core/errors.ts";
import { address, type Identity } from "../core/identity.ts";
import type { Verdicts, Way } from "../core/verdicts.ts";
import type { Log } from "../telemetry/log.ts";
import type { Caller, Denied, Outcome } from "./context.ts";

export interface VerdictSinks {
  readonly log: Log;
  readonly metrics: { verdict(code: Code | "accepted", customer?: string): void };
  readonly verdicts: Verdicts;
}

/** Each verdict of the exchange is counted and logged once, in the shape of the gateway's; no credential is in it. */
export function note(outcome: Outcome<unknown>, way: Way, caller: Caller, sinks: VerdictSinks): void {
  if (outcome.kind === "granted") accepted(outcome.identity, way, caller, sinks);
  else refused(outcome, way, caller, sinks);
}

function accepted(identity: Identity, way: Way, caller: Caller, { log, metrics, verdicts }: VerdictSinks): void {
  const who = { customer: identity.customer.id, user: address(identity), provedBy: identity.provedBy.id };
  metrics.verdict("accepted", who.customer);
  verdicts.accepted(identity);
  log.info({ address: caller.address, way, ...who, code: "accepted" }, "accepted");
}

/** What was asked for was not given. */
export function refused(denied: Denied, way: Way, caller: Caller, { log, metrics, verdicts }: VerdictSinks): void {
  const { refusal, customer, claimed, user } = denied;
  const { code, sentence } = refusal;
  metrics.verdict(code, customer?.id);
  verdicts.refused({ refusal, way, ...caller, customer: customer?.id, claimed, user });
  log.info({ address: caller.address, way, customer: customer?.id, code, reason: sentence }, "refused");
}
