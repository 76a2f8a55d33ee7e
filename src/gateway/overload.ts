import { getHeapStatistics } from "node:v8";
import type { Log } from "../telemetry/log.ts";

/** What is short: time, where the event loop is late, or memory. */
export type Shortage = "lag" | "memory";

export const shortages: readonly Shortage[] = ["lag", "memory"];

/** What is looked at, each time anew. */
export interface Gauges {
  /** How late the event loop usually was since the last look, seconds. */
  readonly lag: () => number;
  /** Parts of what there is that are in use, 1 for all: memory of the budget, V8's heap of its limit. */
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

/** What a TCP connection takes outside of V8, most of it for TLS. */
const ofSocket = 32 * 1024;

/** Sizes in bytes. */
export interface MemoryReading {
  readonly resident: number;
  /** V8's objects, and what hangs on them outside of its heap. */
  readonly heap: number;
  readonly external: number;
  readonly sockets: number;
}

export const readMemory = (sockets: number): MemoryReading => {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return { resident: resident(), heap, external, sockets };
};

/** 0 where it cannot be told: Linux says it in /proc, which a confined process may not see. */
function resident(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}

/**
 * The part of memory in use. Resident memory alone does not say: what was freed stays with the process for what comes.
 * So it is what is known to be in use above the first reading; and resident memory while it nears the budget and grows.
 */
export class MemoryUse {
  readonly #ground: number;
  readonly #heapLimit: number;
  #resident: number;

  constructor(first: MemoryReading, heapLimit: number = getHeapStatistics().heap_size_limit) {
    this.#ground = first.resident - known(first);
    this.#heapLimit = heapLimit;
    this.#resident = first.resident;
  }

  /** budget: bytes, 0 for none; V8 ends the process at the limit of its heap all the same. */
  part(now: MemoryReading, budget: number): number {
    const grows = now.resident > this.#resident * 1.01;
    this.#resident = now.resident;
    const ofHeap = now.heap / this.#heapLimit;
    if (budget === 0) return ofHeap;
    const resident = grows ? now.resident / budget : 0;
    return Math.max(ofHeap, resident, (this.#ground + known(now)) / budget);
  }
}

const known = ({ heap, external, sockets }: MemoryReading): number => heap + external + sockets * ofSocket;
