import type { AuthenticatorChain } from "../auth/authenticator.ts";
import type { OwnKeys } from "../auth/own-keys.ts";
import type { Awaitable } from "../core/awaitable.ts";
import type { Clock } from "../core/clock.ts";
import type { CountedName } from "../core/counted.ts";
import type { Refusal } from "../core/errors.ts";
import type { Customer, HashName, Identity } from "../core/identity.ts";
import type { Limits } from "../core/limits.ts";
import type { Throttle } from "./throttle.ts";

/** What exchanged credentials are made of. ttl: their longest life, seconds. */
export interface ExchangeSecret {
  readonly secret: string;
  readonly algorithm: HashName;
  readonly ttl: number;
}

/** A coturn's `static-auth-secret` and where it is. ttl: life of a TURN credential, seconds. */
export interface TurnSettings {
  readonly urls: readonly string[];
  readonly secret: string;
  readonly ttl: number;
}

/** What the config says of the exchange; asked for anew with each request, for a reload may change it. */
export interface ExchangeSettings {
  /** Undefined: nothing is exchanged here, but callstats' form still answers. */
  readonly exchange?: ExchangeSecret | undefined;
  readonly turn?: TurnSettings | undefined;
  readonly publicUrl: string;
  readonly limits: Pick<Limits, "failuresPerMinute" | "messagesPerSecond">;
  readonly allowMissingOrigin: boolean;
}

/** Failed proofs of an address under whom it claims to be. perMinute: 0 for no limit. */
export interface FailureCounts {
  /** A proof of a kind, and what is asked before it and counted after it; crowded: where too many wait for theirs. */
  inTurn<T>(
    address: string,
    kind: string,
    perMinute: number,
    work: () => Awaitable<T>,
    crowded: () => Awaitable<T>,
  ): Awaitable<T>;
  isOver(address: string, claimed: readonly CountedName[], perMinute: number): Awaitable<boolean>;
  add(address: string, claimed: readonly CountedName[], perMinute: number): Awaitable<void>;
}

/** What every way of exchanging works with. */
export interface Context {
  readonly clock: Clock;
  /** It has nothing in it that proves what Postern itself issued. */
  readonly chain: AuthenticatorChain;
  readonly keys: () => OwnKeys;
  readonly settings: () => ExchangeSettings;
  readonly failures: FailureCounts;
  readonly throttle: Throttle;
  readonly draining: () => boolean;
  /** Nothing new is taken, for time or memory is short. */
  readonly overloaded: () => boolean;
  /** A proof took so many milliseconds. */
  readonly proved: (milliseconds: number) => void;
}

/** Who asks, as HTTP tells it. */
export interface Caller {
  readonly address: string;
  /** `null` as a text is the opaque origin (RFC 6454 §7.1), undefined no page at all. */
  readonly origin: string | undefined;
}

export interface Denied {
  readonly kind: "refused";
  readonly refusal: Refusal;
  /** Only where the credential itself was proved, or the customer's own server is what is wrong. */
  readonly customer?: Customer;
  /** Whom the credential claims to be of, and as whom; for whoever keeps count, never for the answer. */
  readonly claimed?: CountedName | undefined;
  readonly user?: string | undefined;
  /** Seconds. */
  readonly retryAfter?: number;
}

export interface Granted<Answer> {
  readonly kind: "granted";
  readonly identity: Identity;
  readonly answer: Answer;
}

export type Outcome<Answer> = Granted<Answer> | Denied;

export const denied = (refusal: Refusal, customer?: Customer): Denied => ({
  kind: "refused",
  refusal,
  ...(customer && { customer }),
});
