import type { Refusal } from "../core/errors.ts";
import type { CallsThen } from "../core/identity.ts";
import { watchToken } from "./token-end.ts";

export interface DepartureParts {
  readonly inCall: () => boolean;
  /** Nothing new comes to it from now on. */
  readonly withdraw: () => void;
  /** Now: calls, leg and socket. */
  readonly expel: (refusal: Refusal) => void;
}

/** How a connection that was sent away goes: at once, or when its calls have ended; until then it may begin nothing new. */
export class Departure {
  readonly #parts: DepartureParts;
  #notice: Refusal | undefined;
  /** One of the reasons holds whatever becomes of others. */
  #forGood = false;
  #unwatch: (() => void) | undefined;

  constructor(parts: DepartureParts) {
    this.#parts = parts;
  }

  /** Why it may begin nothing new; undefined where it may. */
  get notice(): Refusal | undefined {
    return this.#notice;
  }

  /** stands: whether the reason holds yet; where it does not any more, it may stay after all. Without: it holds for good. */
  begin(calls: CallsThen, refusal: Refusal, stands?: () => boolean): void {
    const { inCall, withdraw, expel } = this.#parts;
    if (calls === "end" || !inCall()) {
      expel(refusal);
      return;
    }
    this.#forGood ||= stands === undefined;
    if (this.#notice) return;
    this.#notice = refusal;
    withdraw();
    const left = (): 0 | undefined => (this.#forGood || stands?.() ? 0 : this.#cancel());
    this.#unwatch = watchToken({ left, inDialog: inCall, over: () => expel(refusal) });
  }

  #cancel(): undefined {
    this.#notice = undefined;
  }

  /** The connection is over. */
  stop(): void {
    this.#unwatch?.();
  }
}
