import { type Awaitable, after } from "../core/awaitable.ts";
import type { Clock } from "../core/clock.ts";
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

/**
 * Failed proofs per address and claimed domain, counted in what all gateways share; a challenge is no failure. So many
 * within a minute ban until that minute, which the first of them opened, is over.
 */
export class SharedFailures {
  readonly #state: State;
  readonly #clock: Clock;

  constructor(state: State, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  /** perMinute: 0 for no limit. */
  isOver(address: string, domain: string, perMinute: number): Awaitable<boolean> {
    if (perMinute <= 0) return false;
    return after(this.#state.get("bans", `${address} ${domain}`), (count) => Number(count ?? 0) >= perMinute);
  }

  /** perMinute: 0 for no limit, and nothing to count. */
  add(address: string, domain: string, perMinute: number): Awaitable<void> {
    if (perMinute <= 0) return;
    const key = `${address} ${domain}`;
    return after(this.#windowEnd(key), (until) =>
      after(this.#state.add("failures", key, until), (count) =>
        count < perMinute ? undefined : this.#ban(key, count, until),
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
