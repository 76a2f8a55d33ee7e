import { setTimeout as setTimeoutPromise } from "node:timers/promises";
import type { WebSocket } from "ws";
import type { EndReason } from "../core/calls.ts";
import type { Refusal } from "../core/errors.ts";
import type { CallsThen } from "../core/identity.ts";
import { scan } from "../sip/scan.ts";
import type { Tap } from "../telemetry/tap.ts";
import type { Answers } from "./answers.ts";
import type { Context } from "./context.ts";
import { Departure } from "./departure.ts";
import { farewellToClient } from "./farewell.ts";
import { closing } from "./handshake.ts";
import type { Leg } from "./leg.ts";
import { whenOpen } from "./pass.ts";

/** Milliseconds for the client to answer a close. */
const closeGrace = 2_000;

export interface EndingParts {
  readonly connection: string;
  readonly socket: WebSocket;
  readonly answers: Answers;
  readonly tap: Tap;
  readonly context: Pick<Context, "limits" | "log">;
  /** Undefined before the first accepted request. */
  readonly leg: () => Leg | undefined;
  /** What the client has sent and nobody has read is not for anybody any more. */
  readonly clear: () => void;
}

/** How a connection and its calls end: by whose verdict, at which ends, and how long what it leaves may stay. */
export class Ending {
  readonly #parts: EndingParts;
  readonly #departure: Departure;
  /** What had to be waited for comes too late: nothing may begin for a client that is gone, for nobody would end it. */
  #over = false;
  /** Why its calls end with it. */
  #reason: EndReason = "socket-lost";
  /** Aborted when its leg is not to outlive its socket. */
  readonly #cut = new AbortController();

  constructor(parts: EndingParts) {
    this.#parts = parts;
    this.#departure = new Departure({
      inCall: () => (parts.leg()?.calls ?? 0) > 0,
      withdraw: () => parts.leg()?.withdraw(),
      expel: (refusal) => this.#expel(refusal),
    });
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Why it may begin nothing new; undefined where it may. */
  get notice(): Refusal | undefined {
    return this.#departure.notice;
  }

  get isOpen(): boolean {
    const { socket } = this.#parts;
    return socket.readyState === socket.OPEN;
  }

  /** Its socket is gone, and its calls and binding are not yet. */
  get lingers(): boolean {
    const leg = this.#parts.leg();
    const { signal } = this.#cut;
    return leg !== undefined && !leg.isEnding && this.#parts.context.limits().goneSeconds > 0 && !signal.aborted;
  }

  /** Now, or when its calls have ended; where the browser is gone, what it left. stands: as in Departure. */
  sendAway(calls: CallsThen, refusal: Refusal, stands?: () => boolean): void {
    const leg = this.#parts.leg();
    if (this.isOpen) this.#departure.begin(calls, refusal, stands);
    else if (calls === "finish" && leg && leg.calls > 0) leg.withdraw();
    else {
      this.#reason = refusal.code;
      this.#cut.abort();
    }
  }

  /** One of its calls ends at both ends; upstream is opened for it where need be. False where it is none of its own. */
  hangUp(id: string): boolean {
    const { connection, context } = this.#parts;
    const leg = this.#parts.leg();
    const call = leg?.watch.find(id);
    if (!leg || !call) return false;
    const end = (): void => {
      for (const bytes of farewellToClient({ dialogs: leg.dialogs, tag: connection }, call)) this.#tell(bytes);
      leg.hangUp(call);
      leg.watch.hungUpByHand(id);
    };
    whenOpen(leg, end, end)?.catch((err: unknown) => context.log.error({ err }, "a leg could not be ended"));
    return true;
  }

  close(refusal: Refusal): undefined {
    this.#reason = refusal.code;
    this.#parts.clear();
    this.#parts.answers.closed(refusal);
    this.#leave(...closing(refusal));
  }

  /** Something of ours went wrong. */
  fail(): void {
    this.#leave(1011, "internal fault");
  }

  /** The browser's socket is closed: its leg stays for goneSeconds, or until hurry. Resolves as Leg.end does. */
  async end(hurry: AbortSignal): Promise<void> {
    this.#over = true;
    this.#departure.stop();
    this.#parts.clear();
    if (this.lingers && !hurry.aborted) {
      const signal = AbortSignal.any([hurry, this.#cut.signal]);
      await setTimeoutPromise(this.#parts.context.limits().goneSeconds * 1000, undefined, { signal }).catch(() => {});
    }
    // All sockets of a gateway that stops are closed at once, by nobody's verdict.
    await this.#parts.leg()?.end(hurry.aborted && this.#reason === "socket-lost" ? "draining" : this.#reason);
  }

  /** Its calls end at both ends before the socket does. */
  #expel(refusal: Refusal): void {
    const { connection, context } = this.#parts;
    const leg = this.#parts.leg();
    const words = leg ? farewellToClient({ dialogs: leg.dialogs, refusal, tag: connection }) : [];
    for (const bytes of words) this.#tell(bytes);
    this.close(refusal);
    leg?.end(this.#reason).catch((err: unknown) => context.log.error({ err }, "a leg could not be ended"));
  }

  /** Something of the gateway's own making. */
  #tell(bytes: Buffer): void {
    const { tap, answers } = this.#parts;
    const scanned = scan(bytes);
    if (scanned.kind === "message") tap.toClient(scanned.message, bytes);
    answers.send(bytes, false);
  }

  /** Close, and cut off who does not answer the close. */
  #leave(code: number, reason: string): void {
    const { socket } = this.#parts;
    this.#over = true;
    socket.close(code, reason);
    setTimeout(() => socket.terminate(), closeGrace).unref();
  }
}
