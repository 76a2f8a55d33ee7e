import { getHeapStatistics } from "node:v8";
import type { Log } from "../telemetry/log.ts";

/** What is short: time, where the event loop is late, or memory. */
export type Shortage = "lag" | "memory";

export const shortages: readonly Shortage[] = ["lag", "memory"];

/** What is looked at, each time anew. */
export interface Gauges {
  /** How late the event loop usually was since the last look, seconds. */
  readonly lag: () => number;
  /** Parts of what there is that are in use, 1 for all: resident memory of the budget, V8's heap of its limit. */
  readonly memory: () => number;
  readonly stop: () => void;
}

interface Mark {
  /** Short from here on, and no longer short below. */
  readonly enter: number;
  readonly leave: number;
  /** Looks, one after the other, that must agree before anything changes. */
  readonly toEnter: number;
  readonly toLeave: number;
}

/** A single stall is no lag: the usual lateness counts, twice in a row. Memory cannot wait, for it does not come back. */
const marks: Readonly<Record<Shortage, Mark>> = {
  lag: { enter: 0.1, leave: 0.05, toEnter: 2, toLeave: 4 },
  memory: { enter: 0.8, leave: 0.7, toEnter: 1, toLeave: 4 },
};

/** Milliseconds between two looks. */
export const lookEvery = 500;

/**
 * Whether there is room for what is new: where time or memory is short, new connections and exchanges are refused, so
 * that those which stand do not suffer. Looked at by a timer, never by a message.
 */
export class Overload {
  readonly #gauges: Gauges;
  readonly #log: Log;
  readonly #short = new Set<Shortage>();
  /** Looks in a row that speak for a change. */
  readonly #agreeing: Record<Shortage, number> = { lag: 0, memory: 0 };
  #timer: NodeJS.Timeout | undefined;

  constructor(gauges: Gauges, log: Log) {
    this.#gauges = gauges;
    this.#log = log;
  }

  get now(): boolean {
    return this.#short.size > 0;
  }

  isShort(of: Shortage): boolean {
    return this.#short.has(of);
  }

  start(): void {
    this.#gauges.lag();
    this.#timer = setInterval(() => this.look(), lookEvery);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#gauges.stop();
  }

  look(): void {
    for (const of of shortages) this.#judge(of, this.#gauges[of]());
  }

  #judge(of: Shortage, value: number): void {
    const { enter, leave, toEnter, toLeave } = marks[of];
    const short = this.#short.has(of);
    const changes = short ? value < leave : value >= enter;
    this.#agreeing[of] = changes ? this.#agreeing[of] + 1 : 0;
    if (this.#agreeing[of] < (short ? toLeave : toEnter)) return;
    this.#agreeing[of] = 0;
    if (short) this.#short.delete(of);
    else this.#short.add(of);
    this.#tell(of, value, !short);
  }

  #tell(of: Shortage, value: number, short: boolean): void {
    const what = { shortage: of, value: Math.round(value * 1000) / 1000 };
    if (short) this.#log.warn(what, "overloaded: new connections are refused");
    else this.#log.info(what, "no longer overloaded: new connections are taken");
  }
}

const megabyte = 2 ** 20;

/** Bytes that this process and its cgroup may have. */
export interface Machine {
  readonly total: number;
  /** Of the cgroup; 0, or more than there is, where it sets none. */
  readonly constrained: number;
}

/**
 * Bytes of resident memory that may be used: what the config says, else three quarters of what there is. More would be
 * swapped out or killed for, so that the rule harms nobody; Kamailio and the kernel have the rest. 0: no limit.
 */
export function memoryBudget(megabytes: number | undefined, { total, constrained }: Machine): number {
  if (megabytes !== undefined) return megabytes * megabyte;
  return 0.75 * (constrained > 0 ? Math.min(total, constrained) : total);
}

/**
 * The larger part in use: of the budget, and of the heap at whose limit V8 ends the process. What V8 holds of resident
 * memory and does not use is there for what comes, and it gives it back late.
 */
export function memoryInUse(budget: number): number {
  const { used_heap_size: heap, total_heap_size: held, heap_size_limit: most } = getHeapStatistics();
  const resident = budget === 0 ? 0 : (process.memoryUsage.rss() - (held - heap)) / budget;
  return Math.max(resident, heap / most);
}
