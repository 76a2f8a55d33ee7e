import type { Use, UseCounts } from "../core/uses.ts";
import type { Log } from "../telemetry/log.ts";
import type { Uses } from "./port.ts";

export interface UseFlushParts {
  readonly counts: UseCounts;
  /** Undefined while there is no store: then nothing is kept. */
  readonly uses: () => Uses | undefined;
  /** Whether the customer has that secret or key yet: what was taken away has no uses. */
  readonly isThere: (use: Use) => boolean;
  readonly log: Log;
}

/** Milliseconds. */
const flushEvery = 5_000;

/** Brings counts of uses to the store, every few seconds and all of them at once. */
export class UseFlush {
  readonly #parts: UseFlushParts;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  /** The reason that was told last, until it works again. */
  #told: string | undefined;

  constructor(parts: UseFlushParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush(), flushEvery).unref();
  }

  /** What fails is tried with the next. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#flushing;
    await this.flush();
  }

  async #flush(): Promise<void> {
    const { counts, uses, isThere, log } = this.#parts;
    const taken = counts.take().filter(isThere);
    if (taken.length === 0) return;
    try {
      await uses()?.add(taken);
      this.#told = undefined;
    } catch (error) {
      counts.giveBack(taken);
      const reason = error instanceof Error ? error.message : "unknown";
      if (reason !== this.#told) log.warn({ reason }, "uses of secrets are not written yet");
      this.#told = reason;
    }
  }
}
