const first = 250;
const last = 10_000;

/** Tries again later, and later each time, so that not all of a gateway's legs come back at once. */
export class Retry {
  #timer: NodeJS.Timeout | undefined;
  #waitMs = first;

  later(work: () => void): void {
    const wait = this.#waitMs * (0.5 + Math.random() / 2);
    this.#waitMs = Math.min(this.#waitMs * 2, last);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(work, wait);
    this.#timer.unref();
  }

  /** It succeeded: the next one begins anew. */
  reset(): void {
    this.stop();
    this.#waitMs = first;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
