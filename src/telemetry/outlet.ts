import { write, writeSync } from "node:fs";

/** Milliseconds until what could not be written is tried again. */
const retryMs = 100;
/** Milliseconds that the end of the process waits for a reader. */
const lastMs = 1_000;

/**
 * Texts to a file descriptor, in order, one write under way at a time. A disk that is full or a reader that is gone is
 * tried again and is no fault of who logs: it stops nothing, and what comes on top of the backlog is dropped.
 */
export class Outlet {
  readonly #descriptor: number;
  /** Characters, or bytes of what is under way. */
  readonly #backlog: number;
  #state: "idle" | "writing" | "failed" = "idle";
  /** Under way. */
  #piece: Buffer = Buffer.alloc(0);
  #waiting = "";
  #willEnd = false;

  constructor(descriptor: number, backlog: number) {
    this.#descriptor = descriptor;
    this.#backlog = backlog;
  }

  write(text: string): void {
    if (this.#piece.length + this.#waiting.length + text.length > this.#backlog) return;
    this.#waiting += text;
    if (!this.#willEnd) process.once("exit", () => this.#end());
    this.#willEnd = true;
    if (this.#state === "idle") this.#next();
  }

  #next(): void {
    this.#state = "idle";
    if (this.#piece.length === 0) this.#take();
    if (this.#piece.length === 0) return;
    this.#state = "writing";
    write(this.#descriptor, this.#piece, (error, count) => {
      if (error) {
        this.#state = "failed";
        setTimeout(() => this.#next(), retryMs).unref();
        return;
      }
      this.#piece = this.#piece.subarray(count);
      this.#next();
    });
  }

  #take(): void {
    this.#piece = Buffer.from(this.#waiting);
    this.#waiting = "";
  }

  /** What is left is written if there is somebody to take it; a write that is under way ends by itself. */
  #end(): void {
    const waiting = Buffer.from(this.#waiting);
    let rest = this.#state === "failed" ? Buffer.concat([this.#piece, waiting]) : waiting;
    const until = performance.now() + lastMs;
    while (rest.length > 0 && performance.now() < until) {
      const count = this.#writeNow(rest);
      if (count === undefined) return;
      rest = rest.subarray(count);
    }
  }

  /** Bytes that were taken; undefined where none ever will be. */
  #writeNow(bytes: Buffer): number | undefined {
    try {
      return writeSync(this.#descriptor, bytes);
    } catch (error) {
      // There is nobody left to be told: this was to be the telling.
      return error instanceof Error && "code" in error && error.code === "EAGAIN" ? 0 : undefined;
    }
  }
}
