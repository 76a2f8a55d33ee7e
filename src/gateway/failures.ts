import type { Awaitable } from "../core/awaitable.ts";
import type { CountedName } from "../core/counted.ts";
import { refuse } from "../core/errors.ts";
import type { Context } from "./context.ts";

/** Failed proofs of a client's address under a claimed name. */
export interface FailureCount {
  /** A proof of a kind, and what is asked before it and counted after it; crowded: where too many wait for theirs. */
  inTurn<T>(kind: string, work: () => Awaitable<T>, crowded: () => Awaitable<T>): Awaitable<T>;
  isOver(name: CountedName): Awaitable<boolean>;
  add(name: CountedName): Awaitable<void>;
}

/** Nothing was looked at, so nothing is said of the credential. */
export const tooManyProofs = refuse(
  "rate-limited",
  "too many credentials of this address are being proved now: try again in a few seconds",
);

export const failuresOf = (
  address: string,
  { failures, limits }: Pick<Context, "failures" | "limits">,
): FailureCount => ({
  inTurn: (kind, work, crowded) => failures.inTurn(address, kind, limits().failuresPerMinute, work, crowded),
  isOver: (name) => failures.isOver(address, [name], limits().failuresPerMinute),
  add: (name) => failures.add(address, [name], limits().failuresPerMinute),
});
