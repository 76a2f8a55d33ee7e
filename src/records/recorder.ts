import type { CallRecord, CallSink } from "../core/calls.ts";
import type { Clock } from "../core/clock.ts";
import type { CallQuality } from "../core/quality.ts";
import { type Alive, type CallRecords, mostRecords } from "../store/calls.ts";
import type { Log } from "../telemetry/log.ts";
import type { RecordCounts } from "../telemetry/metrics.ts";
import type { RecordFile } from "./file.ts";
import { Outbox } from "./outbox.ts";
import { Refusals } from "./refusals.ts";
import type { Webhooks } from "./webhooks.ts";

export interface RecorderParts {
  readonly clock: Clock;
  readonly log: Log;
  /** One run of a gateway. */
  readonly gateway: string;
  /** Asked anew each time: it may be made later. Undefined: calls are kept in none. */
  readonly store: () => CallRecords | undefined;
  readonly file: Pick<RecordFile, "add" | "flush" | "close" | "waiting">;
  readonly webhooks: Pick<Webhooks, "wants" | "add" | "close" | "counts">;
  /** What is known of a call that ends. */
  readonly qualityOf: (record: CallRecord) => CallQuality | undefined;
}

/** Milliseconds between two writes; between two words of being alive; until what failed is tried again. */
const [writeEvery, beat, again] = [500, 1_000, 1_000];
/** Ids that are settled and the store does not know it. */
const mostSettled = 20_000;

/**
 * Every call as it goes, in batches, to the store, and as it ended to the file and the webhook. note() costs an entry of
 * a map; nothing waits for it. While a call stands the store hears each second that this gateway lives.
 */
export class Recorder implements CallSink {
  readonly #parts: RecorderParts;
  readonly #outbox = new Outbox();
  /** That stand, by id. */
  readonly #standing = new Map<string, CallRecord>();
  readonly #settled = new Set<string>();
  readonly #refusals: Refusals;
  readonly #lost = { store: 0, file: 0, refusals: 0 };
  #recorded = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #writtenAt = 0;
  #isTroubled = false;
  /** Since it is troubled. */
  #isLosing = false;
  #closed = false;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#refusals = new Refusals(parts.clock);
  }

  get counts(): RecordCounts {
    const { records, failures, waiting } = this.#parts.webhooks.counts;
    return {
      recorded: this.#recorded,
      lost: this.#lost,
      waiting: this.#outbox.size,
      webhooks: { records, failures, waiting },
    };
  }

  note(record: CallRecord): void {
    const { id, end, customer } = record;
    if (end === undefined) this.#standing.set(id, record);
    // What ends without having begun was refused, and can be refused as fast as it is asked for.
    else if (!this.#standing.delete(id) && !this.#refusals.admits(customer)) {
      this.#lost.refusals++;
      return;
    }
    this.#keep(end === undefined ? record : this.#finish(record));
  }

  /** A call that another gateway left, and that is in the store as it ended. isNew: nobody was told that it has. */
  adopt(record: CallRecord, isNew: boolean): void {
    if (isNew) this.#finish(record);
    else if (this.#parts.webhooks.wants(record)) this.#parts.webhooks.add(record);
    if (!this.#parts.webhooks.wants(record)) this.settle([record.id]);
    this.#schedule();
  }

  /** Its webhook has it, or never will. */
  settle(ids: readonly string[]): void {
    for (const id of ids) if (this.#settled.size < mostSettled) this.#settled.add(id);
    this.#schedule();
  }

  /** Records that no file will have. */
  lostInFile(count: number): void {
    this.#lost.file += count;
  }

  get alive(): Alive {
    return { gateway: this.#parts.gateway, at: this.#parts.clock.now() };
  }

  /** What is waiting is written if the store takes it. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#parts.webhooks.close();
    await this.#writing;
    await this.#toStore(0);
    await this.#parts.file.close();
  }

  /** As it is told from now on. */
  #finish(ended: CallRecord): CallRecord {
    const quality = this.#parts.qualityOf(ended);
    const record = quality ? { ...ended, quality } : ended;
    this.#recorded++;
    this.#parts.file.add(record);
    if (this.#parts.webhooks.wants(record)) this.#parts.webhooks.add(record);
    return record;
  }

  #keep(record: CallRecord): void {
    if (this.#parts.store() && !this.#outbox.add(record)) this.#lose();
    if (this.#outbox.size >= mostRecords && !this.#isTroubled) this.#write();
    else this.#schedule();
  }

  #lose(): void {
    this.#lost.store++;
    if (!this.#isLosing) this.#parts.log.error({ waiting: this.#outbox.size }, "call records are lost to the store");
    this.#isLosing = true;
  }

  #schedule(): void {
    if (this.#closed || this.#timer) return;
    const wait = this.#isTroubled ? again : writeEvery;
    this.#timer = setTimeout(() => this.#write(), wait).unref();
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#closed) return;
    this.#writing ??= Promise.all([this.#toStore(mostRecords), this.#parts.file.flush()]).then(() => {
      this.#writing = undefined;
      if (this.#isBusy) this.#schedule();
    });
  }

  get #isBusy(): boolean {
    const waits = this.#outbox.size + this.#settled.size + this.#standing.size;
    return waits > 0 || this.#parts.file.waiting > 0 || this.#parts.webhooks.counts.waiting > 0;
  }

  /** Until no more than so many wait. Never rejects: what could not be written is kept. */
  async #toStore(leave: number): Promise<void> {
    const store = this.#parts.store();
    if (!store) this.#settled.clear();
    while (store && (await this.#batchTo(store)) && this.#outbox.size > leave);
  }

  /** Whether the store took it. */
  async #batchTo(store: CallRecords): Promise<boolean> {
    const batch = this.#outbox.take(mostRecords);
    const settled = [...this.#settled].slice(0, mostRecords);
    const { alive } = this;
    if (batch.length === 0 && settled.length === 0 && alive.at - this.#writtenAt < beat) return true;
    try {
      const owes = (record: CallRecord): boolean =>
        record.end !== undefined && !this.#settled.has(record.id) && this.#parts.webhooks.wants(record);
      await store.write(
        batch.map((record) => ({ record, owed: owes(record) })),
        alive,
      );
      if (settled.length > 0) await store.settle(settled);
    } catch (error) {
      for (const record of batch) if (!this.#outbox.has(record.id) && !this.#outbox.add(record)) this.#lose();
      this.#trouble(error);
      return false;
    }
    for (const id of settled) this.#settled.delete(id);
    this.#writtenAt = alive.at;
    this.#well();
    return true;
  }

  #trouble(error: unknown): void {
    if (this.#isTroubled) return;
    this.#isTroubled = true;
    const reason = error instanceof Error ? error.message : "unknown";
    this.#parts.log.error({ reason }, "call records cannot be written to the store: they wait");
  }

  /** Others may have thought meanwhile that this gateway is no more, and that its calls have ended. */
  #well(): void {
    if (!this.#isTroubled) return;
    this.#isTroubled = false;
    this.#isLosing = false;
    const { log } = this.#parts;
    log.info({ waiting: this.#outbox.size, lost: this.#lost.store }, "call records are written to the store again");
    for (const record of this.#standing.values()) this.#outbox.add(record);
  }
}
