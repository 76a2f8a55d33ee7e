import { type Awaitable, after } from "../core/awaitable.ts";
import type { Clock } from "../core/clock.ts";
import { addressKey, type CountedName } from "../core/counted.ts";
import { Turns } from "../core/turns.ts";
import type { State } from "../state/port.ts";

/** How many messages a connection may send: a second's worth at once, refilled evenly. */
export class MessageRate {
  readonly #clock: Clock;
  #tokens: number | undefined;
  #at = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** perSecond: 0 for no limit. `flood`: a whole further second's worth above the limit. */
  take(perSecond: number): "ok" | "over" | "flood" {
    if (perSecond === 0) return "ok";
    const now = this.#clock.now();
    const passed = Math.max(0, now - this.#at);
    const tokens = Math.min(perSecond, (this.#tokens ?? perSecond) + (passed * perSecond) / 1000);
    this.#at = now;
    this.#tokens = tokens - 1;
    if (tokens >= 1) return "ok";
    return tokens > -perSecond ? "over" : "flood";
  }
}

const minute = 60_000;

/** Made-up names do not hide an address that fails under so many of them. */
const anyNameFactor = 10;

/** Proofs of an address and a kind at once: so many failures may pass above the limit, for each counts when it is over. */
const mostAtOnce = 10;
/** That wait for their turn: over HTTP one connection may ask for many. */
const mostWaiting = 1_000;

type Work<T> = () => Awaitable<T>;

interface Count {
  readonly key: string;
  readonly limit: number;
}

/**
 * Failed proofs of an address under whom it claims to be, counted in what all gateways share; a challenge is no failure.
 * So many within a minute ban until that minute, which the first of them opened, is over; ten times as many under any
 * names do so too. port: what strangers do at the public one keeps nobody out of the private
 * one, and pages that tell of calls under a token of yesterday are not kept from calling.
 */
export class Failures {
  readonly #state: State;
  readonly #clock: Clock;
  readonly #port: "public" | "reports" | "private";
  readonly #turns = new Turns(mostAtOnce, mostWaiting);

  constructor(state: State, clock: Clock, port: "public" | "reports" | "private") {
    this.#state = state;
    this.#clock = clock;
    this.#port = port;
  }

  /**
   * A proof, and what is asked before it and counted after it: not many of an address at once. kind: of proofs; those
   * that take long do not hold up those that do not. crowded: instead, where too many wait already.
   */
  inTurn<T>(address: string, kind: string, perMinute: number, work: Work<T>, crowded: Work<T>): Awaitable<T> {
    return perMinute <= 0 ? work() : this.#turns.run(`${addressKey(address)} ${kind}`, work, crowded);
  }

  /** Over under one of the names, or under any. perMinute: 0 for no limit. */
  isOver(address: string, names: readonly CountedName[], perMinute: number): Awaitable<boolean> {
    const counts = this.#counts(address, names, perMinute);
    return counts.reduce<Awaitable<boolean>>(
      (before, count) => after(before, (over) => over || this.#isBanned(count)),
      false,
    );
  }

  /** perMinute: 0 for no limit, and nothing to count. */
  add(address: string, names: readonly CountedName[], perMinute: number): Awaitable<void> {
    const counts = this.#counts(address, names, perMinute);
    return counts.reduce<Awaitable<void>>((before, count) => after(before, () => this.#add(count)), undefined);
  }

  #counts(address: string, names: readonly CountedName[], perMinute: number): readonly Count[] {
    if (perMinute <= 0) return [];
    const from = `${addressKey(address)} ${this.#port}`;
    const named = [...new Set(names)].map((name) => ({ key: `${from} ${name}`, limit: perMinute }));
    return [...named, { key: from, limit: perMinute * anyNameFactor }];
  }

  #isBanned({ key, limit }: Count): Awaitable<boolean> {
    return after(this.#state.get("bans", key), (count) => Number(count ?? 0) >= limit);
  }

  #add({ key, limit }: Count): Awaitable<void> {
    return after(this.#windowEnd(key), (until) =>
      after(this.#state.add("failures", key, until), (count) =>
        count < limit ? undefined : this.#ban(key, count, until),
      ),
    );
  }

  #ban(key: string, count: number, until: number): Awaitable<void> {
    return after(this.#state.put("bans", key, String(count), until), () => undefined);
  }

  /** Milliseconds since the epoch. The first to claim the window opens it. */
  #windowEnd(key: string): Awaitable<number> {
    const now = this.#clock.now();
    const claim = this.#state.claim("failures", `window ${key}`, "", now + minute);
    return after(claim, (window) => (window.kind === "held" ? window.since : now) + minute);
  }
}
