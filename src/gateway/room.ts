/** Who takes up room, by a name that no other has; the oldest first. whose: the address it is counted under. */
export interface Occupant {
  readonly whose: string;
  leave(): void;
}

/** Room for so many. Where there is none, who has the most of it, or came first of those with as much, makes room. */
export class Room {
  readonly #most: () => number;
  readonly #occupants = new Map<string, Occupant>();
  readonly #counts = new Map<string, number>();

  constructor(most: () => number) {
    this.#most = most;
  }

  /** Where nobody more may be inside, and as many of this address are as of the others. */
  hasShare(whose: string): boolean {
    if (this.#occupants.size < this.#most()) return false;
    return this.#of(whose) >= this.#share;
  }

  enter(key: string, occupant: Occupant): void {
    if (this.#occupants.size >= this.#most()) this.#makeRoom();
    this.#occupants.set(key, occupant);
    this.#counts.set(occupant.whose, this.#of(occupant.whose) + 1);
  }

  leave(key: string): void {
    const occupant = this.#occupants.get(key);
    if (!occupant) return;
    this.#occupants.delete(key);
    const left = (this.#counts.get(occupant.whose) ?? 1) - 1;
    if (left === 0) this.#counts.delete(occupant.whose);
    else this.#counts.set(occupant.whose, left);
  }

  /** Nobody stays. */
  clear(): void {
    for (const [key, occupant] of this.#occupants) {
      this.leave(key);
      occupant.leave();
    }
  }

  /** How many of this address are inside. */
  #of(whose: string): number {
    return this.#counts.get(whose) ?? 0;
  }

  get #share(): number {
    return Math.max(1, Math.floor(this.#most() / Math.max(1, this.#counts.size)));
  }

  /** Somebody has a share at least, for all of them together have more than there is room for. */
  #makeRoom(): void {
    for (const [key, occupant] of this.#occupants) {
      if (this.#of(occupant.whose) < this.#share) continue;
      this.leave(key);
      occupant.leave();
      return;
    }
  }
}
