import type { CallRecord } from "../core/calls.ts";
import type { Clock } from "../core/clock.ts";
import type { CallQuality } from "../core/quality.ts";
import type { Participant, Piece } from "../core/quality-piece.ts";
import type { ConferenceEvent, Reports, StatsReport, Taken } from "../core/reports.ts";
import { type Folded, foldEvent, foldStats, type Measured } from "../quality/fold.ts";
import { qualityOf } from "../quality/shown.ts";
import type { QualityRecords } from "../store/quality.ts";
import type { Log } from "../telemetry/log.ts";
import type { QualityCounts } from "../telemetry/quality-metrics.ts";
import { type Heard, HeardLately, type Subject } from "./heard.ts";

export interface ReporterParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Asked anew each time: it may be made later. Undefined: reports are kept in none. */
  readonly store: () => QualityRecords | undefined;
  /** Audio of a proved participant; each direction once. */
  readonly measured: (customer: string, measured: Measured) => void;
}

/** Milliseconds between two writes; pieces of one batch, so few that handing them on holds nothing up. */
const [writeEvery, perBatch] = [1_000, 20];

/**
 * What participants tell of their calls: put together here as it comes, written to the store in batches. Nothing waits
 * for it, and a call that ends has what was told so far in its record.
 */
export class Reporter implements Reports {
  readonly #parts: ReporterParts;
  readonly #heard: HeardLately;
  /** That the store does not have as they are now; as many as are heard of. */
  readonly #fresh = new Set<Heard>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #isTroubled = false;
  #isLosing = false;
  #lost = 0;
  #closed = false;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    this.#heard = new HeardLately(parts.clock);
  }

  get counts(): QualityCounts {
    return { waiting: this.#fresh.size, lost: this.#lost, bytes: this.#heard.bytes };
  }

  event(event: ConferenceEvent): Taken {
    return this.#take(event, ({ piece }) => foldEvent(piece, event));
  }

  stats(report: StatsReport): Taken {
    return this.#take(report, ({ piece }) => {
      const folded = foldStats(piece, report);
      if (folded.kind === "folded" && folded.measured && counts(report, piece, folded.measured))
        this.#parts.measured(report.customer, folded.measured);
      return folded;
    });
  }

  /** What the user of a call has told of it so far. */
  of({ customer, callId, user, domain, answer }: CallRecord): CallQuality | undefined {
    if (answer === undefined) return undefined;
    return qualityOf(this.#heard.of({ customer, conference: callId }), { user, domain });
  }

  /** What waits is written if the store takes it. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#toStore();
  }

  #take(subject: Subject, fold: (heard: Heard) => Folded): Taken {
    const heard = this.#heard.open(subject);
    if (!heard) return this.#lose();
    const folded = fold(heard);
    if (folded.kind === "full") return "full";
    this.#heard.grow(heard, folded.bytes);
    heard.state = this.#parts.store() ? "fresh" : "written";
    if (heard.state === "written") return "taken";
    this.#fresh.add(heard);
    this.#schedule();
    return "taken";
  }

  #lose(): Taken {
    this.#lost++;
    const { bytes, waiting } = this.counts;
    if (!this.#isLosing) this.#parts.log.error({ bytes, waiting }, "there is no room for reports of calls");
    this.#isLosing = true;
    return "full";
  }

  #schedule(): void {
    if (this.#closed || this.#timer || this.#writing) return;
    this.#timer = setTimeout(() => this.#write(), writeEvery).unref();
  }

  #write(): void {
    this.#timer = undefined;
    this.#writing = this.#toStore().then(() => {
      this.#writing = undefined;
      if (this.#fresh.size > 0) this.#schedule();
    });
  }

  /** Until none waits, or the store takes none. Never rejects: what could not be written waits. */
  async #toStore(): Promise<void> {
    const store = this.#parts.store();
    if (!store) this.#drop();
    // What is told meanwhile is written the next time.
    for (let left = this.#fresh.size; store && left > 0 && (await this.#batchTo(store)); left -= perBatch);
  }

  /** A reload may say that reports are kept in none. */
  #drop(): void {
    for (const heard of this.#fresh) heard.state = "written";
    this.#fresh.clear();
  }

  /** Whether the store took it. */
  async #batchTo(store: QualityRecords): Promise<boolean> {
    const batch: Heard[] = [];
    for (const heard of this.#fresh) {
      if (batch.length === perBatch) break;
      this.#fresh.delete(heard);
      heard.state = "underWay";
      batch.push(heard);
    }
    try {
      await store.write(batch.map(({ piece }) => piece));
    } catch (error) {
      for (const heard of batch) this.#keep(heard);
      this.#trouble(error);
      return false;
    }
    for (const heard of batch) if (heard.state === "underWay") heard.state = "written";
    this.#well();
    return true;
  }

  #keep(heard: Heard): void {
    heard.state = "fresh";
    this.#fresh.add(heard);
  }

  #trouble(error: unknown): void {
    if (this.#isTroubled) return;
    this.#isTroubled = true;
    const reason = error instanceof Error ? error.message : "unknown";
    this.#parts.log.error({ reason }, "reports of calls cannot be written to the store: they wait");
  }

  #well(): void {
    this.#isLosing = false;
    if (!this.#isTroubled) return;
    this.#isTroubled = false;
    const { lost, waiting } = this.counts;
    this.#parts.log.info({ waiting, lost }, "reports of calls are written to the store again");
  }
}

/** Where two tell, what one sends is what the other receives; and what a bridge carries, its participants hear. */
const counts = ({ unproved, bridge }: StatsReport, { participants }: Piece, { direction }: Measured): boolean =>
  !unproved && bridge === undefined && (direction === "received" || participants.filter(isProved).length === 1);

const isProved = ({ unproved }: Participant): boolean => !unproved;
