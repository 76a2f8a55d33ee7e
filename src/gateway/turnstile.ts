import type { Socket } from "node:net";
import { addressKey } from "../core/counted.ts";
import { FairQueue } from "./fair-queue.ts";

export interface TurnstileOptions {
  /** Connections that came in and are no WebSocket yet, and those that wait before it. */
  readonly mostInside?: number;
  readonly mostWaiting?: number;
  /** Memory is short: few may be inside at once, enough to be told. */
  readonly scarce: () => boolean;
}

/** A new connection. */
export interface Comer {
  readonly socket: Socket;
  /** Many browsers stand behind its address: it is a proxy's. */
  readonly crowd: boolean;
}

interface Entrant extends Comer {
  readonly whose: string;
}

const usualInside = 10_000;
/** A few seconds of turns: whoever comes back at once after a restart has room. */
const usualWaiting = 10_000;
const insideInNeed = 50;
/** In one turn, for one that may come in. */
const mostLooked = 10;

/**
 * Before TLS and HTTP: one new connection in each turn of the event loop, address by address, for a handshake costs as
 * much as many messages. Where too many have come in and become no WebSocket, who has the most of them makes room.
 */
export class Turnstile {
  readonly #options: TurnstileOptions;
  readonly #waiting = new FairQueue<Entrant & { readonly enter: () => void }>();
  /** By address and port of the peer, the oldest first. */
  readonly #inside = new Map<string, Entrant>();
  readonly #counts = new Map<string, number>();
  #turning = false;

  constructor(options: TurnstileOptions) {
    this.#options = options;
  }

  /** Whether it may wait; who may not is closed before it costs anything. */
  hasRoom({ socket, crowd }: Comer): boolean {
    const whose = addressKey(socket.remoteAddress ?? "");
    return this.#mayWait(whose) && !this.#hasShare({ whose, crowd });
  }

  /** enter: does what a new connection is for, when it is its turn; a socket that has no room then is destroyed. */
  come({ socket, crowd }: Comer, enter: () => void): void {
    const whose = addressKey(socket.remoteAddress ?? "");
    const gone = (): unknown => socket.destroy();
    socket.on("error", gone);
    this.#waiting.push(whose, { socket, crowd, whose, enter });
    this.#turnSoon();
  }

  /** It is a WebSocket now, or gone. */
  through({ remoteAddress, remotePort }: Pick<Socket, "remoteAddress" | "remotePort">): void {
    this.#leave(`${remoteAddress} ${remotePort}`);
  }

  /** Nobody takes the places of those who come later from elsewhere. */
  #mayWait(whose: string): boolean {
    const { mostWaiting = usualWaiting } = this.#options;
    if (this.#waiting.size < mostWaiting) return true;
    const share = Math.max(1, Math.floor(mostWaiting / (this.#waiting.lines + 1)));
    return this.#waiting.size < 2 * mostWaiting && this.#waiting.waitingOf(whose) < share;
  }

  #turnSoon(): void {
    if (this.#turning) return;
    this.#turning = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#turning = false;
    for (let looked = 0; looked < mostLooked; looked++) {
      const next = this.#waiting.shift();
      if (!next || next.socket.destroyed || !this.#letIn(next)) continue;
      next.enter();
      break;
    }
    if (this.#waiting.size > 0) this.#turnSoon();
  }

  #letIn(entrant: Entrant): boolean {
    const { socket, whose } = entrant;
    if (this.#hasShare(entrant) || !this.#makeRoom()) {
      socket.destroy();
      return false;
    }
    const key = `${socket.remoteAddress} ${socket.remotePort}`;
    this.#inside.set(key, entrant);
    this.#counts.set(whose, (this.#counts.get(whose) ?? 0) + 1);
    socket.once("close", () => this.#leave(key));
    return true;
  }

  #leave(key: string): void {
    const entrant = this.#inside.get(key);
    if (!entrant) return;
    this.#inside.delete(key);
    const left = (this.#counts.get(entrant.whose) ?? 1) - 1;
    if (left === 0) this.#counts.delete(entrant.whose);
    else this.#counts.set(entrant.whose, left);
  }

  get #most(): number {
    return this.#options.scarce() ? insideInNeed : (this.#options.mostInside ?? usualInside);
  }

  get #share(): number {
    return Math.max(1, Math.floor(this.#most / Math.max(1, this.#counts.size)));
  }

  /** Where nobody more may be inside, and as many of this address are as of the others. A crowd makes room itself. */
  #hasShare({ whose, crowd }: Pick<Entrant, "whose" | "crowd">): boolean {
    if (crowd || this.#inside.size < this.#most) return false;
    return (this.#counts.get(whose) ?? 0) >= this.#share;
  }

  /** The oldest of those who have their share goes, where there is no room. */
  #makeRoom(): boolean {
    if (this.#inside.size < this.#most) return true;
    for (const [key, other] of this.#inside) {
      if ((this.#counts.get(other.whose) ?? 0) < this.#share) continue;
      this.#leave(key);
      other.socket.destroy();
      return true;
    }
    return false;
  }
}
