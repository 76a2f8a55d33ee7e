import type { WebSocket } from "ws";
import type { Clock } from "../core/clock.ts";
import { MessageRate } from "../policy/limits.ts";
import type { Inlet } from "./pressure.ts";

export interface Incoming {
  readonly bytes: Buffer;
  readonly binary: boolean;
  /** Above messagesPerSecond. */
  readonly over: boolean;
}

export interface IntakeParts {
  readonly socket: WebSocket;
  readonly inlet: Inlet;
  readonly clock: Clock;
  readonly messagesPerSecond: () => number;
  /** A promise only where something has to be waited for. */
  readonly handle: (incoming: Incoming) => Promise<void> | undefined;
  /** Does it now, or when it is this client's turn. Default: now. */
  readonly inTurn?: (work: () => Promise<void> | undefined) => Promise<void> | undefined;
  /** Nothing waits any more: reads on now, or when it is this client's turn. release: where it was stopped. Default: now. */
  readonly readOn?: (release: (() => void) | undefined) => void;
  readonly flood: () => void;
  readonly fault: (error: unknown) => void;
}

const maxQueued = 1000;
/** Bytes after a close that its answer may stand behind; who sends more is not read until it is cut off. */
const mostTooLate = 20_480;
/** What each of them counts at least. */
const leastTooLate = 1_024;

const atOnce: Required<IntakeParts>["inTurn"] = (work) => work();
const goOn: Required<IntakeParts>["readOn"] = (release) => release?.();

/** A client's messages, handled one after another, for their order is the order Kamailio gets them in. */
export class Intake {
  readonly #parts: IntakeParts;
  readonly #rate: MessageRate;
  readonly #queue: Incoming[] = [];
  #busy = false;
  /** Bytes that came after the close, until there were too many. */
  #tooLate = 0;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.#rate = new MessageRate(parts.clock);
    parts.socket.on("message", (data: Buffer, binary: boolean) => this.#receive(data, binary));
    for (const control of ["ping", "pong"] as const) parts.socket.on(control, () => this.#count());
  }

  /** What waits is not handled any more. */
  clear(): void {
    this.#queue.length = 0;
  }

  #receive(bytes: Buffer, binary: boolean): void {
    const rate = this.#count(bytes.length);
    if (rate === "flood") return;
    this.#queue.push({ bytes, binary, over: rate === "over" });
    if (!this.#busy) void this.#work();
  }

  /** Control frames are messages too: each costs a look, and a ping an answer. */
  #count(bytes = 0): "ok" | "over" | "flood" {
    const { socket, inlet, messagesPerSecond, flood } = this.#parts;
    if (socket.readyState !== socket.OPEN) {
      if (this.#tooLate < mostTooLate) {
        this.#tooLate += Math.max(bytes, leastTooLate);
        if (this.#tooLate >= mostTooLate) inlet.hold();
      }
      return "flood";
    }
    const rate = this.#queue.length >= maxQueued ? "flood" : this.#rate.take(messagesPerSecond());
    if (rate === "flood") flood();
    return rate;
  }

  async #work(): Promise<void> {
    const { socket, inlet, handle, inTurn = atOnce, readOn = goOn, fault } = this.#parts;
    this.#busy = true;
    // Until nothing waits any more: each time that it is let go, a socket reads more than it gives.
    let release: (() => void) | undefined;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        const message = next;
        const waiting = inTurn(() => (socket.readyState === socket.OPEN ? handle(message) : undefined));
        if (!waiting) continue;
        release ??= inlet.hold();
        await waiting;
      }
    } catch (error) {
      fault(error);
    } finally {
      this.#busy = false;
      readOn(release);
    }
  }
}
