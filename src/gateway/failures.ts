import type { Awaitable } from "../core/awaitable.ts";
import type { CountedName } from "../core/counted.ts";
import type { Context } from "./context.ts";

/** Failed proofs of a client's address under a claimed name. */
export interface FailureCount {
  /** A proof of a kind, and what is asked before it and counted after it. */
  inTurn<T>(kind: string, work: () => Awaitable<T>): Awaitable<T>;
  isOver(name: CountedName): Awaitable<boolean>;
  add(name: CountedName): Awaitable<void>;
}

export const failuresOf = (
  address: string,
  { failures, limits }: Pick<Context, "failures" | "limits">,
): FailureCount => ({
  inTurn: (kind, work) => failures.inTurn(address, kind, limits().failuresPerMinute, work),
  isOver: (name) => failures.isOver(address, [name], limits().failuresPerMinute),
  add: (name) => failures.add(address, [name], limits().failuresPerMinute),
});
