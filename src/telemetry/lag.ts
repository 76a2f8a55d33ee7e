import { monitorEventLoopDelay } from "node:perf_hooks";

/** How late the event loop was, seconds, since it was last asked. */
export interface Lag {
  readonly median: number;
  readonly p99: number;
  readonly max: number;
}

const resolution = 10;

/** Watches how late timers fire, in native code, from the first reading on. */
export class LagWatch {
  readonly #histogram = monitorEventLoopDelay({ resolution });

  /** What is measured is the time between two timers; what is late is what is above the time asked for. */
  read(): Lag {
    this.#histogram.enable();
    const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - resolution / 1000);
    const { count } = this.#histogram;
    const at = (percentile: number): number => (count === 0 ? 0 : late(this.#histogram.percentile(percentile)));
    const lag = { median: at(50), p99: at(99), max: at(100) };
    this.#histogram.reset();
    return lag;
  }

  stop(): void {
    this.#histogram.disable();
  }
}
