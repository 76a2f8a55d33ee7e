import type { CallRecord } from "../core/calls.ts";
import type { Clock } from "../core/clock.ts";
import type { Alive, CallRecords } from "../store/calls.ts";
import type { QualityRecords } from "../store/quality.ts";
import type { Log } from "../telemetry/log.ts";

export interface UpkeepParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: () => CallRecords | undefined;
  readonly quality: () => Pick<QualityRecords, "forget"> | undefined;
  /** 0: for ever. */
  readonly retentionDays: () => number;
  readonly alive: () => Alive;
  /** A call that another gateway left. isNew: it ended by that, rather than before. */
  readonly takenOver: (record: CallRecord, isNew: boolean) => void;
}

/** Milliseconds without a word after which a gateway with calls is no more; between two looks for such. */
const [silence, lookEvery] = [10_000, 5_000];
/** Milliseconds between two times of forgetting, until the first, and between two batches. */
const [forgetEvery, firstForget, breath] = [3_600_000, 60_000, 50];
/** Calls of one batch: others wait for the database meanwhile. */
const perBatch = 250;
const day = 86_400_000;

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, breath));

/** What one gateway does for all: it ends the calls of those that are no more, and forgets what is too old. */
export class Upkeep {
  readonly #parts: UpkeepParts;
  #timers: readonly NodeJS.Timeout[] | undefined;
  /** Milliseconds: since then nothing went wrong. Who was away as well cannot tell who is. */
  #wellSince: number;
  #closed = false;

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
    this.#wellSince = parts.clock.now();
  }

  start(): void {
    this.#timers = [
      setInterval(() => void this.takeOver(), lookEvery).unref(),
      setTimeout(() => void this.forget(), firstForget).unref(),
      setInterval(() => void this.forget(), forgetEvery).unref(),
    ];
  }

  stop(): void {
    this.#closed = true;
    for (const timer of this.#timers ?? []) clearTimeout(timer);
  }

  /** Never rejects. */
  async takeOver(): Promise<void> {
    const { clock, store, alive, takenOver } = this.#parts;
    const calls = store();
    if (!calls || clock.now() - this.#wellSince < silence) return;
    try {
      for (let more = true; more && !this.#closed; ) {
        const { ended, owed } = await calls.takeOver(alive(), clock.now() - silence);
        for (const record of ended) takenOver(record, true);
        for (const record of owed) takenOver(record, false);
        more = ended.length + owed.length > 0;
      }
    } catch (error) {
      this.#fault(error);
    }
  }

  /** Never rejects. */
  async forget(): Promise<void> {
    const { clock, store, quality, retentionDays } = this.#parts;
    const days = retentionDays();
    if (days === 0) return;
    try {
      for (const kept of [store(), quality()]) if (kept) await this.#forgetIn(kept, clock.now() - days * day);
    } catch (error) {
      this.#fault(error);
    }
  }

  async #forgetIn(kept: Pick<CallRecords, "forget">, before: number): Promise<void> {
    let forgotten = perBatch;
    for (; forgotten === perBatch && !this.#closed; await pause()) forgotten = await kept.forget(before, perBatch);
  }

  /** Each store says by itself when it fails. */
  #fault(error: unknown): void {
    this.#wellSince = this.#parts.clock.now();
    const reason = error instanceof Error ? error.message : "unknown";
    this.#parts.log.debug({ reason }, "upkeep of the call records failed");
  }
}
