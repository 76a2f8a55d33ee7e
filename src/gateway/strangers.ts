import { addressKey } from "../core/counted.ts";
import { FairQueue } from "./fair-queue.ts";

/** Milliseconds that strangers' messages may take, and until they may again: others have calls. */
const slice = 1;
const pace = 2;

/**
 * Work for those of whom nothing was accepted yet: a slice of time and then another, address by address. What is more
 * waits, with its socket unread, so that no flood holds up who was accepted.
 */
export class Strangers {
  readonly #waiting = new FairQueue<() => void>();
  /** When this slice began, milliseconds; undefined while none has. */
  #began: number | undefined;

  /** What work gives: at once where there is time and nobody waits. */
  run(address: string, work: () => Promise<void> | undefined): Promise<void> | undefined {
    if (this.#waiting.size === 0 && this.#hasTime()) return work();
    return new Promise((resolve, reject) => {
      this.#waiting.push(addressKey(address), () => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #hasTime(): boolean {
    const now = performance.now();
    if (this.#began === undefined) this.#begin(now);
    return now - (this.#began ?? now) < slice;
  }

  #begin(now: number): void {
    this.#began = now;
    setTimeout(() => this.#next(), pace);
  }

  #next(): void {
    this.#began = undefined;
    while (this.#waiting.size > 0 && this.#hasTime()) this.#waiting.shift()?.();
  }
}
