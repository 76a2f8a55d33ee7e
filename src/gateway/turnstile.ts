import type { Socket } from "node:net";
import { addressKey } from "../core/counted.ts";
import { FairQueue } from "./fair-queue.ts";
import { heedReadAhead } from "./read-stop.ts";
import { Room } from "./room.ts";

export interface TurnstileOptions {
  /** Connections that have said nothing yet. */
  readonly mostSilent?: number;
  /** Those that wait for their turn. */
  readonly mostWaiting?: number;
  /** Those whose turn has come, and that are no WebSocket yet. */
  readonly mostInside?: number;
  /** Memory is short: few may be there at once, enough to be told. */
  readonly scarce: () => boolean;
  /** Whether one who came in was accepted since; true once for each. */
  readonly accepted: () => boolean;
  /** Milliseconds within which a new connection must say something; 0 for no limit. */
  readonly patience: () => number;
}

/** A new connection. */
export interface Comer {
  readonly socket: Socket;
  /**
   * A proxy's, behind whose address many browsers stand: which of them it is for, by what came first; undefined where
   * that says nothing.
   */
  readonly named?: ((first: Buffer) => string | undefined) | undefined;
}

interface Waiting {
  readonly socket: Socket;
  /** What it has said so far, bytes. */
  said: number;
  /** Whom it is for. */
  readonly whose: string;
  readonly enter: () => void;
}

type Comes = Pick<Waiting, "socket" | "enter">;

/** Few, for the first word comes with the connection, and what lives but a moment costs least. */
const usualSilent = 1_000;
/**
 * So many of an address may go before it is their turn; each counts for so many milliseconds, one after the other. What is
 * made of a connection that lives but a moment outlives V8's young generation, and good users wait while that is collected.
 */
const mostGone = 50;
const goneCounts = 40;
/** However many went at once: who shares an address with them comes in again. */
const longestGone = 2 * mostGone * goneCounts;
/** Twenty seconds of turns at their soonest: whoever comes back at once after a restart has room. */
const usualWaiting = 10_000;
const usualInside = 2_000;
const mostInNeed = 50;
/**
 * Milliseconds from one to the next: a handshake costs as much as many messages, and others have calls. Sooner where one
 * who came in before was accepted, or many addresses wait: those who come back after a restart do not wait as a flood does.
 */
const pace = 10;
const sooner = 2;
const manyAddresses = 50;
/**
 * The same once so many came in one after the other of whom none was accepted, and few addresses wait: that is a flood, and
 * who comes from elsewhere has one of the next turns all the same.
 */
const paceInVain = 40;
const manyInVain = 300;
/** Bytes of a first word that always has room: a ClientHello, and an upgrade without a large token. */
const usualWord = 4_096;
/** Bytes of all first words, where others are longer. */
const mostSaid = 32 * 2 ** 20;

/**
 * Before TLS and HTTP: nothing is made of a connection until it says something, and then one after the other has its
 * turn, address by address, behind a proxy that of the browser where it is named in the clear. Where too many are silent,
 * or become no WebSocket, who has the most of them makes room.
 */
export class Turnstile {
  readonly #options: TurnstileOptions;
  readonly #silent: Room;
  readonly #inside: Room;
  readonly #waiting = new FairQueue<Waiting>();
  /** Who came and had no turn yet, by address and port. */
  readonly #coming = new Set<string>();
  /** Until when the last of an address that went before it was their turn counts, by performance.now(). */
  readonly #gone = new Map<string, number>();
  #forgetting: NodeJS.Timeout | undefined;
  #said = 0;
  /** How many came in since one was accepted or nobody waited. */
  #inVain = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TurnstileOptions) {
    const { scarce, mostSilent = usualSilent, mostInside = usualInside } = options;
    this.#options = options;
    this.#silent = new Room(() => (scarce() ? mostInNeed : mostSilent));
    this.#inside = new Room(() => (scarce() ? mostInNeed : mostInside));
  }

  /** Whether there is room for one more of this address. crowd: many browsers stand behind it, for it is a proxy's. */
  admits(address: string, crowd: boolean): boolean {
    const whose = addressKey(address);
    return this.#mayWait(whose) && (crowd || !(this.#comesInVain(whose) || this.#silent.hasShare(whose)));
  }

  /** One who was admitted. enter: does what a new connection is for, when it is its turn. */
  come({ socket, named }: Comer, enter: () => void): void {
    const whose = addressKey(socket.remoteAddress ?? "");
    const key = keyOf(socket);
    const leave = (): void => void socket.destroy();
    this.#silent.enter(key, { whose, leave });
    this.#coming.add(key);
    socket.once("close", () => {
      this.#leave(key);
      if (this.#coming.delete(key)) this.#count(whose);
    });
    socket.on("error", leave);
    this.#listen({ socket, enter }, (first) => {
      const browser = named?.(first);
      return browser === undefined ? whose : addressKey(browser);
    });
  }

  /** It is a WebSocket now. */
  through(socket: Pick<Socket, "remoteAddress" | "remotePort">): void {
    this.#leave(keyOf(socket));
  }

  /** Nobody waits any more, or is waited for. */
  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#forgetting);
    this.#silent.clear();
    for (let next = this.#next(); next; next = this.#next()) next.socket.destroy();
  }

  #listen(comer: Comes, whoseIs: (first: Buffer) => string): void {
    const { socket } = comer;
    const leave = (): void => void socket.destroy();
    const hear = (bytes: Buffer): void => {
      socket.pause();
      socket.setTimeout(0);
      this.#silent.leave(keyOf(socket));
      socket.off("end", leave);
      socket.off("timeout", leave);
      const whose = whoseIs(bytes);
      if (!this.#mayWait(whose) || !this.#hasRoomFor(bytes.length)) {
        leave();
        return;
      }
      socket.unshift(bytes);
      this.#wait(comer, whose, bytes.length);
      this.#timer ??= setTimeout(() => this.#turn(), sooner);
    };
    socket.setTimeout(this.#options.patience());
    socket.once("timeout", leave);
    socket.once("end", leave);
    socket.once("data", hear);
  }

  /** What Node reads ahead meanwhile counts as its first word does. */
  #wait({ socket, enter }: Comes, whose: string, first: number): void {
    const waiting = { socket, whose, said: first };
    const enough = heedReadAhead(socket, (bytes) => {
      if (!this.#hasRoomFor(waiting.said + bytes)) {
        socket.destroy();
        return;
      }
      waiting.said += bytes;
      this.#said += bytes;
    });
    this.#said += first;
    const inside = (): void => {
      enough();
      enter();
    };
    this.#waiting.push(whose, Object.assign(waiting, { enter: inside }));
  }

  /** Nobody takes the places of those who come later from elsewhere. */
  #mayWait(whose: string): boolean {
    const { mostWaiting = usualWaiting } = this.#options;
    if (this.#waiting.size < mostWaiting) return true;
    const share = Math.max(1, Math.floor(mostWaiting / (this.#waiting.lines + 1)));
    return this.#waiting.size < 2 * mostWaiting && this.#waiting.waitingOf(whose) < share;
  }

  #count(whose: string): void {
    const now = performance.now();
    const until = Math.max(now, this.#gone.get(whose) ?? 0) + goneCounts;
    this.#gone.set(whose, Math.min(until, now + longestGone));
    this.#forgetting ??= setTimeout(() => this.#forget(), 1_000).unref();
  }

  #forget(): void {
    const now = performance.now();
    for (const [whose, until] of this.#gone) if (until <= now) this.#gone.delete(whose);
    this.#forgetting = this.#gone.size > 0 ? setTimeout(() => this.#forget(), 1_000).unref() : undefined;
  }

  #comesInVain(whose: string): boolean {
    const until = this.#gone.get(whose);
    return until !== undefined && until - performance.now() > (mostGone - 1) * goneCounts;
  }

  #hasRoomFor(bytes: number): boolean {
    return bytes <= usualWord || this.#said + bytes <= mostSaid;
  }

  #turn(): void {
    this.#timer = undefined;
    const next = this.#next();
    if (!next) {
      this.#inVain = 0;
      return;
    }
    this.#timer = setTimeout(() => this.#turn(), this.#pace());
    const { socket, whose, enter } = next;
    this.#coming.delete(keyOf(socket));
    this.#inside.enter(keyOf(socket), { whose, leave: () => void socket.destroy() });
    enter();
  }

  #pace(): number {
    const accepted = this.#options.accepted();
    this.#inVain = accepted ? 0 : this.#inVain + 1;
    if (accepted || this.#waiting.lines >= manyAddresses) return sooner;
    return this.#inVain > manyInVain ? paceInVain : pace;
  }

  /** Who waits still and is not gone. */
  #next(): Waiting | undefined {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      this.#said -= next.said;
      if (!next.socket.destroyed) return next;
    }
    return undefined;
  }

  #leave(key: string): void {
    this.#silent.leave(key);
    this.#inside.leave(key);
  }
}

/** Address and port of the peer. */
const keyOf = ({ remoteAddress, remotePort }: Pick<Socket, "remoteAddress" | "remotePort">): string =>
  `${remoteAddress} ${remotePort}`;
