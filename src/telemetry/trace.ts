import type { Clock } from "../core/clock.ts";

/** Which way a message went. A tap sits on both sides of the gateway, so one that is relayed passes twice. */
export const ways = ["from-client", "to-client", "from-upstream", "to-upstream"] as const;
export type Way = (typeof ways)[number];

/** What is known of a message by whoever hands it over. */
export interface About {
  readonly callId: string;
  readonly method: string;
}

export interface Party {
  readonly address: string;
  readonly port: number;
}

/** The ends of one connection. The gateway has one address in both directions, so that a ladder shows it once. */
export interface Line {
  readonly connection: string;
  readonly client: Party;
  readonly gateway: Party;
  /** From the opening of the leg on. */
  upstream: Party | undefined;
}

export interface Verdict {
  /** A refusal's code, `accepted`, `challenged`, `dropped` or `delivered`. */
  readonly code: string;
  /** Empty where there is nothing to add. */
  readonly sentence: string;
  /** Whom the message's own proof showed. */
  readonly who?: Shown | undefined;
}

/** What a proof showed, by names alone. expiry: Unix seconds. */
export interface Shown {
  readonly customer: string;
  /** Id of the secret or key. */
  readonly provedBy: string;
  readonly expiry: number;
}

/** One message that passed. Its bytes are handed over beside it and belong to the gateway: read them at once. */
export interface Traced {
  /** Microseconds since the epoch, never twice the same. */
  readonly at: number;
  readonly way: Way;
  readonly callId: string;
  readonly method: string;
  readonly line: Line;
  /** What the gateway decided; it comes after the message. */
  verdict: Verdict | undefined;
}

/** Where traces go. Called on the path of every message: must not wait, throw or keep the bytes. */
export interface TraceListener {
  message(traced: Traced, bytes: Buffer): void;
  /** traced: with its verdict, which came just now. */
  verdict(traced: Traced): void;
}

/** Tells listeners of every message. Without listeners nothing is made. */
export class Trace {
  readonly #clock: Clock;
  readonly #listeners: readonly TraceListener[];
  #last = 0;

  constructor(clock: Clock, listeners: readonly TraceListener[]) {
    this.#clock = clock;
    this.#listeners = listeners;
  }

  message(line: Line, way: Way, { callId, method }: About, bytes: Buffer): Traced | undefined {
    if (this.#listeners.length === 0) return undefined;
    const traced: Traced = { at: this.#stamp(), way, callId, method, line, verdict: undefined };
    for (const listener of this.#listeners) listener.message(traced, bytes);
    return traced;
  }

  verdict(traced: Traced, verdict: Verdict): void {
    traced.verdict = verdict;
    for (const listener of this.#listeners) listener.verdict(traced);
  }

  /** Messages of one millisecond keep their order, for collectors sort by time. */
  #stamp(): number {
    this.#last = Math.max(this.#last + 1, this.#clock.now() * 1000);
    return this.#last;
  }
}
