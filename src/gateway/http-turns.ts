import { addressKey } from "../core/counted.ts";
import { FairQueue } from "./fair-queue.ts";

/** Requests over HTTP that are begun in one turn of the event loop: each goes on after it, for some 50 µs. */
const begunAtOnce = 4;
/** Of one address. */
const mostWaiting = 1_000;

/**
 * Requests over plain HTTP, of whom nothing is known yet: a few in each turn of the event loop, address by address, so that
 * no flood of them holds up what else the gateway does. Where nothing else is to be done, turns follow each other at once.
 */
export class HttpTurns {
  readonly #waiting = new FairQueue<() => void>();
  #begun = 0;
  #next: NodeJS.Immediate | undefined;

  /** Begins the work now or in its turn; false: never, for too much of this address waits. */
  run(address: string, work: () => void): boolean {
    this.#next ??= setImmediate(() => this.#turn());
    if (this.#waiting.size === 0 && this.#begun < begunAtOnce) {
      this.#begun++;
      work();
      return true;
    }
    const whose = addressKey(address);
    if (this.#waiting.waitingOf(whose) >= mostWaiting) return false;
    this.#waiting.push(whose, work);
    return true;
  }

  #turn(): void {
    this.#next = undefined;
    for (this.#begun = 0; this.#waiting.size > 0 && this.#begun < begunAtOnce; this.#begun++) this.#waiting.shift()?.();
    if (this.#waiting.size > 0) this.#next ??= setImmediate(() => this.#turn());
  }
}
