import { addressKey } from "../core/counted.ts";
import { FairQueue } from "./fair-queue.ts";

/** Milliseconds that strangers' messages may take, and from then until they may again: others have calls. */
const slice = 1;
const pace = 10;
/** The same where one of them was accepted: those who come back after a restart do not wait as a flood does. */
const sooner = 2;
/** Of those who were accepted, how many are remembered until another came in sooner for it. */
const mostAccepted = 100;

/**
 * Work for those of whom nothing was accepted yet: a slice of time and then another, address by address. What is more
 * waits, with its socket unread, so that no flood holds up who was accepted. Where some wait, sockets are read one in each
 * turn of the event loop: others are served between them, and what strangers send waits at the sender, not in memory.
 */
export class Strangers {
  readonly #now: () => number;
  readonly #waiting = new FairQueue<() => void>();
  /** When this slice began; undefined while none has. */
  #began: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The next slice comes sooner. */
  #hurries = false;
  /** A socket is read in this turn of the event loop: what it says is not put off. */
  #reading = false;
  #accepted = 0;

  /** now: milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Nobody waits. */
  get idle(): boolean {
    return this.#waiting.size === 0;
  }

  /** What work gives: at once where there is time and nobody waits. */
  run(address: string, work: () => Promise<void> | undefined): Promise<void> | undefined {
    if ((this.#reading || this.idle) && this.#hasTime()) return work();
    return new Promise((resolve, reject) => {
      this.#wait(address, () => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** Calls release when it is this socket's turn to be read. */
  read(address: string, release: () => void): void {
    this.#wait(address, () => {
      this.#reading = true;
      release();
    });
  }

  /** One of them is a stranger no more. */
  accept(): void {
    this.#accepted = Math.min(this.#accepted + 1, mostAccepted);
    if (this.#began === undefined || this.#hurries) return;
    this.#hurries = true;
    this.#rest(sooner);
  }

  /** Whether one was accepted for whom nobody came in sooner yet. */
  takeAccepted(): boolean {
    if (this.#accepted === 0) return false;
    this.#accepted--;
    return true;
  }

  #wait(address: string, turn: () => void): void {
    this.#waiting.push(addressKey(address), turn);
    if (this.#began === undefined) this.#begin();
  }

  #hasTime(): boolean {
    return this.#now() - (this.#began ?? this.#begin()) < slice;
  }

  #begin(): number {
    this.#hurries = false;
    this.#rest(pace);
    this.#began = this.#now();
    return this.#began;
  }

  #rest(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#began = undefined;
      this.#next();
    }, milliseconds);
  }

  #next(): void {
    this.#reading = false;
    while (!this.idle && this.#hasTime()) {
      this.#waiting.shift()?.();
      if (!this.#reading) continue;
      setImmediate(() => this.#next());
      return;
    }
  }
}
