import { randomUUID } from "node:crypto";
import { type Awaitable, after } from "../core/awaitable.ts";
import type { Refusal } from "../core/errors.ts";
import type { Customer, Identity, OneCall } from "../core/identity.ts";
import type { Request } from "../sip/request.ts";
import type { State } from "../state/port.ts";
import { refusals } from "./answers.ts";

/** Seconds that the claim on a call outlives all that it could be placed with: clocks differ. */
const margin = 60;

/** Each customer has a share of its own. */
const nameOf = ({ id }: Customer, { name }: OneCall): string => `${id} ${name}`;

/**
 * What is good for one call is good for one INVITE, on whatever connection it is shown. The claim is held under a name
 * that no other INVITE has: whatever stands in a request, branch and all, its client may write again.
 */
export function claimCall(
  { customer, narrowing }: Identity,
  { method }: Request,
  state: State,
): Awaitable<Refusal | undefined> {
  if (narrowing.oneCall === undefined || method !== "INVITE") return undefined;
  const holder = randomUUID();
  const { until } = narrowing.oneCall;
  return after(state.claim("calls", nameOf(customer, narrowing.oneCall), holder, (until + margin) * 1000), (claim) => {
    if (claim.kind === "full") return refusals.stateFull;
    return claim.holder === holder ? undefined : refusals.oneCall;
  });
}

/** The INVITE that has the claim went nowhere: its client may try again. */
export function unclaimCall({ customer, narrowing }: Identity, { method }: Request, state: State): Awaitable<void> {
  if (narrowing.oneCall === undefined || method !== "INVITE") return undefined;
  return state.forget("calls", nameOf(customer, narrowing.oneCall));
}
