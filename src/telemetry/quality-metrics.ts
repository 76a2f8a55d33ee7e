import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { CustomerNames } from "./counts.ts";

/** Reports of calls for the store. */
export interface QualityCounts {
  /** Calls whose reports the store is yet to take. */
  readonly waiting: number;
  /** Reports for which there was no room. */
  readonly lost: number;
  /** Of memory, about. */
  readonly bytes: number;
}

/** What one report says of the audio of one direction. */
export interface MeasuredAudio {
  readonly loss?: number;
  readonly jitter?: number;
  readonly roundTrip?: number;
  readonly mos?: number;
}

type Figure = keyof MeasuredAudio;

const told: Readonly<Record<Figure, readonly [name: string, help: string, buckets: number[]]>> = {
  mos: ["mos", "Estimated mean opinion score of audio, of each report.", [2, 2.6, 3.1, 3.6, 4, 4.3, 4.5]],
  loss: ["loss_ratio", "Part of packets lost, of each report.", [0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3]],
  jitter: ["jitter_seconds", "Jitter, of each report.", [0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3]],
  roundTrip: ["round_trip_seconds", "Round trip of media, of each report.", [0.03, 0.06, 0.1, 0.2, 0.3, 0.5, 1]],
};

/** How calls sound, customer by customer; of so many customers by name. */
export class QualityMetrics {
  readonly #names = new CustomerNames();
  readonly #histograms: ReadonlyMap<Figure, Histogram>;

  constructor(registry: Registry, counts: () => QualityCounts) {
    const registers = [registry];
    const all = Object.entries(told).map(([figure, [name, help, buckets]]) => {
      const labelNames = ["customer"];
      return [figure as Figure, new Histogram({ name: `postern_call_${name}`, help, buckets, labelNames, registers })];
    });
    this.#histograms = new Map(all as [Figure, Histogram][]);
    new Counter({
      name: "postern_quality_lost_total",
      help: "Reports of calls for which there was no room.",
      registers,
      collect() {
        this.reset();
        this.inc(counts().lost);
      },
    });
    const waiting = "Calls whose reports the store is yet to take.";
    const collect = function (this: Gauge): void {
      this.set(counts().waiting);
    };
    new Gauge({ name: "postern_quality_waiting", help: waiting, registers, collect });
  }

  observe(customer: string, measured: MeasuredAudio): void {
    const labels = { customer: this.#names.of(customer) };
    for (const [figure, histogram] of this.#histograms) {
      if (measured[figure] !== undefined) histogram.observe(labels, measured[figure]);
    }
  }
}
