import type { CountedName } from "../core/counted.ts";
import { type Refusal, refuse } from "../core/errors.ts";
import { type Caller, type Context, type Denied, denied } from "./context.ts";

const draining = refuse("draining", "this gateway is about to stop: ask again, another one will answer");
const overloaded = refuse("limit-reached", "this gateway has more to do than it can: ask again in a few seconds");
const tooFast = refuse("rate-limited", "too many requests a second from this address: ask less often");

/** What stands against a request before it is looked at whose it is. claimed: whose it claims to be. */
export function turnedAway({ address }: Caller, claimed: readonly CountedName[], context: Context): Denied | undefined {
  if (context.draining()) return later(draining, 5);
  if (context.overloaded()) return later(overloaded, 5);
  return context.throttle.take(address, claimed, context.settings().limits.messagesPerSecond)
    ? undefined
    : later(tooFast, 1);
}

/** retryAfter: seconds. */
export const later = (refusal: Refusal, retryAfter: number): Denied => ({ ...denied(refusal), retryAfter });
