import type { Awaitable } from "./awaitable.ts";

interface Queue {
  running: number;
  readonly waiting: (() => void)[];
}

/** So many things at once under each key; as many others wait as may, in order. Nothing is kept of a key that nobody is at. */
export class Turns {
  readonly #most: number;
  readonly #mostWaiting: number;
  readonly #queues = new Map<string, Queue>();

  constructor(most: number, mostWaiting: number) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  /** What work gives: at once where there is room and it waits for nothing. crowded: instead, where too many wait already. */
  run<T>(key: string, work: () => Awaitable<T>, crowded: () => Awaitable<T>): Awaitable<T> {
    const queue = this.#queues.get(key) ?? { running: 0, waiting: [] };
    this.#queues.set(key, queue);
    if (queue.running < this.#most) {
      queue.running++;
      return this.#run(key, queue, work);
    }
    if (queue.waiting.length >= this.#mostWaiting) return crowded();
    return new Promise<void>((go) => void queue.waiting.push(go)).then(() => this.#run(key, queue, work));
  }

  #run<T>(key: string, queue: Queue, work: () => Awaitable<T>): Awaitable<T> {
    let result: Awaitable<T>;
    try {
      result = work();
    } catch (error) {
      this.#leave(key, queue);
      throw error;
    }
    if (result instanceof Promise) return result.finally(() => this.#leave(key, queue));
    this.#leave(key, queue);
    return result;
  }

  /** Whoever is next takes the place over. */
  #leave(key: string, queue: Queue): void {
    const next = queue.waiting.shift();
    if (next) {
      next();
      return;
    }
    queue.running--;
    if (queue.running === 0) this.#queues.delete(key);
  }
}
