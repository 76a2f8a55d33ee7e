/** What waits, by whom: each whose turn it is gives one, so that who has much waiting holds up itself alone. */
export class FairQueue<Item> {
  readonly #lines = new Map<string, Item[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many wait in turn. */
  get lines(): number {
    return this.#lines.size;
  }

  waitingOf(whose: string): number {
    return this.#lines.get(whose)?.length ?? 0;
  }

  push(whose: string, item: Item): void {
    const line = this.#lines.get(whose);
    if (line) line.push(item);
    else this.#lines.set(whose, [item]);
    this.#size++;
  }

  shift(): Item | undefined {
    for (const [whose, line] of this.#lines) {
      const item = line.shift();
      // Behind the others, or gone where nothing of it waits.
      this.#lines.delete(whose);
      if (line.length > 0) this.#lines.set(whose, line);
      this.#size--;
      return item;
    }
    return undefined;
  }
}
