import type { Awaitable } from "../core/awaitable.ts";
import { after } from "../core/awaitable.ts";
import { addressKey } from "./admission.ts";
import type { Context } from "./context.ts";

/** Failed proofs of a client's address under a claimed domain. */
export interface FailureCount {
  isOver(domain: string): Awaitable<boolean>;
  add(domain: string): Awaitable<void>;
}

/** Made-up domains do not hide an address that fails at so many of them. */
const anyDomain = "";
const anyDomainFactor = 10;

export function failuresOf(address: string, { failures, limits }: Pick<Context, "failures" | "limits">): FailureCount {
  const from = addressKey(address);
  return {
    isOver: (domain) => {
      const limit = limits().failuresPerMinute;
      return after(failures.isOver(from, domain, limit), (over) =>
        over ? true : failures.isOver(from, anyDomain, limit * anyDomainFactor),
      );
    },
    add: (domain) => {
      const limit = limits().failuresPerMinute;
      return after(failures.add(from, domain, limit), () => failures.add(from, anyDomain, limit * anyDomainFactor));
    },
  };
}
