import { LRUCache } from "lru-cache";
import type { Clock } from "../core/clock.ts";
import { addressKey } from "../core/counted.ts";

/** What is told of lines that were not written: what they said, from where, and how many. Without a line: of all kinds. */
export interface LeftOut {
  readonly line?: string;
  readonly address?: string;
  readonly code?: string;
  readonly more: number;
}

/** So many at once, and so many a second from then on. */
interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** As many as fail2ban's jail wants at least, at once; from then on a line a second says that it goes on. */
const repeated: Rate = { burst: 100, perSecond: 1 };
/** What good clients of a crowded address cause too, and what has no address. */
const usual: Rate = { burst: 1000, perSecond: 50 };
/** Of all strangers together: what journald takes of a service as it is installed, and a little less. */
const altogether: Rate = { burst: 1000, perSecond: 250 };

/** A flood of strangers must not hide these: said after a proof, or of the flood itself. */
const notOfStrangers = new Set(["accepted", "management request", "customer changed", "left out: more of the same"]);
const usualLines = new Set([...notOfStrangers, "connected"]);

interface Bucket {
  tokens: number;
  /** Milliseconds. */
  at: number;
}

interface Kind extends Bucket {
  readonly said: Omit<LeftOut, "more">;
  leftOut: number;
}

const mostKinds = 5000;
/** Kinds told apart at once; the others as one. */
const mostTold = 50;

/**
 * Bounds what a log grows by: lines that say the same of the same address (a /64 of IPv6) with the same code, and all of
 * strangers' doing together. What is not written is counted and told. Bounded: it forgets who was quiet for longest.
 */
export class Repeats {
  readonly #clock: Clock;
  readonly #kinds: LRUCache<string, Kind>;
  readonly #all: Bucket;
  #others = 0;

  constructor(clock: Clock, max = mostKinds) {
    this.#clock = clock;
    this.#all = { tokens: altogether.burst, at: clock.now() };
    this.#kinds = new LRUCache({
      max,
      dispose: ({ leftOut }) => {
        this.#others += leftOut;
      },
    });
  }

  /** Whether this line may be written; else it is counted. */
  admits(line: string, fields: Readonly<Record<string, unknown>>): boolean {
    const address = textOf(fields.address);
    const kind = this.#kindOf({ line, ...(address && { address }), ...codeOf(fields) });
    const bound = address === undefined || usualLines.has(line) ? usual : repeated;
    const stranger = address !== undefined && !notOfStrangers.has(line);
    const admitted = this.#refill(kind, bound) >= 1 && (!stranger || this.#refill(this.#all, altogether) >= 1);
    if (!admitted) kind.leftOut++;
    else {
      kind.tokens--;
      if (stranger) this.#all.tokens--;
    }
    return admitted;
  }

  /** What was left out since this was last asked, those with the most lines first. */
  leftOut(): LeftOut[] {
    const short = [...this.#kinds.values()].filter((kind) => kind.leftOut > 0);
    short.sort((one, other) => other.leftOut - one.leftOut);
    const told = short.slice(0, mostTold).map(({ said, leftOut }) => ({ ...said, more: leftOut }));
    for (const kind of short.slice(mostTold)) this.#others += kind.leftOut;
    for (const kind of short) kind.leftOut = 0;
    if (this.#others > 0) told.push({ more: this.#others });
    this.#others = 0;
    return told;
  }

  #kindOf(said: Omit<LeftOut, "more">): Kind {
    const key = `${said.line} ${said.code ?? ""} ${said.address === undefined ? "" : addressKey(said.address)}`;
    const known = this.#kinds.get(key);
    if (known) return known;
    const kind = { said, leftOut: 0, tokens: Number.POSITIVE_INFINITY, at: this.#clock.now() };
    this.#kinds.set(key, kind);
    return kind;
  }

  #refill(bucket: Bucket, { burst, perSecond }: Rate): number {
    const now = this.#clock.now();
    const passed = Math.max(0, now - bucket.at);
    bucket.tokens = Math.min(burst, bucket.tokens + (passed * perSecond) / 1000);
    bucket.at = now;
    return bucket.tokens;
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

const codeOf = ({ code }: Readonly<Record<string, unknown>>): { code?: string } =>
  typeof code === "string" ? { code } : {};
