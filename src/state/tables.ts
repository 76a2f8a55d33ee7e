import { LRUCache } from "lru-cache";
import NodeCache from "node-cache";
import { Endings } from "./endings.ts";

export interface Entry {
  readonly value: string;
  /** Whose share of the room it takes; undefined: nobody's. */
  readonly owner?: string | undefined;
  /** Milliseconds since the epoch, as until. */
  readonly since: number;
  readonly until: number;
}

/** Entries by key, at most so many. What has ended may still be there: who asks looks at until. */
export interface Table {
  get(key: string): Entry | undefined;
  /** now: milliseconds since the epoch. false: no room. */
  set(key: string, entry: Entry, now: number): boolean;
  delete(key: string): void;
  clear(): void;
}

/** Of the room, for one owner. */
const share = 1 / 4;

/** Says no when it, or its owner's share, is full of what has not ended; nothing in it is lost before its time. */
export class Refusing implements Table {
  readonly #owned = new Map<string, number>();
  readonly #cache: NodeCache;
  readonly #size: number;
  readonly #endings = new Endings();

  constructor(size: number) {
    // Neither a timer nor the machine's clock is to end anything: entries are set without a life of their own.
    this.#cache = new NodeCache({ useClones: false, checkperiod: 0, stdTTL: 0, maxKeys: size });
    this.#size = size;
  }

  get(key: string): Entry | undefined {
    return this.#cache.get<Entry>(key);
  }

  set(key: string, entry: Entry, now: number): boolean {
    // A full node-cache refuses to replace an entry, too.
    this.delete(key);
    if (this.#isFull(entry)) this.#clearEnded(now);
    if (this.#isFull(entry)) return false;
    this.#endings.add(key, entry.until);
    this.#count(entry, 1);
    return this.#cache.set(key, entry);
  }

  delete(key: string): void {
    const known = this.get(key);
    if (!known) return;
    this.#endings.remove(key, known.until);
    this.#count(known, -1);
    this.#cache.del(key);
  }

  clear(): void {
    this.#endings.clear();
    this.#owned.clear();
    this.#cache.flushAll();
  }

  #isFull({ owner }: Entry): boolean {
    if (this.#cache.getStats().keys >= this.#size) return true;
    return owner !== undefined && (this.#owned.get(owner) ?? 0) >= Math.max(1, Math.floor(this.#size * share));
  }

  #clearEnded(now: number): void {
    for (const key of this.#endings.take(now)) {
      const known = this.get(key);
      if (known) this.#count(known, -1);
      this.#cache.del(key);
    }
  }

  #count({ owner }: Entry, by: 1 | -1): void {
    if (owner === undefined) return;
    const count = (this.#owned.get(owner) ?? 0) + by;
    if (count > 0) this.#owned.set(owner, count);
    else this.#owned.delete(owner);
  }
}

/** Makes room by forgetting what was not asked for the longest: a flood forgets its own first failures. */
export class Forgetting implements Table {
  readonly #cache: LRUCache<string, Entry>;

  constructor(size: number) {
    this.#cache = new LRUCache({ max: size });
  }

  get(key: string): Entry | undefined {
    return this.#cache.get(key);
  }

  set(key: string, entry: Entry): boolean {
    this.#cache.set(key, entry);
    return true;
  }

  delete(key: string): void {
    this.#cache.delete(key);
  }

  clear(): void {
    this.#cache.clear();
  }
}
