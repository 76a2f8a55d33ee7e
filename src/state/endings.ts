/** Which key ends when, by the second: what has ended is found without going through all the rest. */
export class Endings {
  readonly #seconds = new Map<number, Map<string, number>>();
  /** Milliseconds since the epoch, as all times here; nothing ends before. */
  #earliest = Number.POSITIVE_INFINITY;

  add(key: string, until: number): void {
    const second = secondOf(until);
    const untils = this.#seconds.get(second) ?? new Map<string, number>();
    this.#seconds.set(second, untils.set(key, until));
    this.#earliest = Math.min(this.#earliest, until);
  }

  remove(key: string, until: number): void {
    const second = secondOf(until);
    const untils = this.#seconds.get(second);
    untils?.delete(key);
    if (untils?.size === 0) this.#seconds.delete(second);
  }

  /** The keys that have ended, each once. */
  take(now: number): string[] {
    if (now < this.#earliest) return [];
    this.#earliest = Number.POSITIVE_INFINITY;
    const ended: string[] = [];
    for (const [second, untils] of this.#seconds) {
      const next = second * 1000 > now ? second * 1000 : this.#takeFrom(untils, now, ended);
      this.#earliest = Math.min(this.#earliest, next);
      if (untils.size === 0) this.#seconds.delete(second);
    }
    return ended;
  }

  clear(): void {
    this.#seconds.clear();
  }

  /** When the next of what is left of this second ends. */
  #takeFrom(untils: Map<string, number>, now: number, ended: string[]): number {
    let next = Number.POSITIVE_INFINITY;
    for (const [key, until] of untils) {
      if (until > now) next = Math.min(next, until);
      else if (untils.delete(key)) ended.push(key);
    }
    return next;
  }
}

const secondOf = (until: number): number => Math.floor(until / 1000);
