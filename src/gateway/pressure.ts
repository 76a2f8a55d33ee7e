import type { WebSocket } from "ws";

const high = 64 * 1024;
const low = 16 * 1024;

/** Reading from a socket: it goes on while nobody holds it. */
export class Inlet {
  readonly #socket: WebSocket;
  #holds = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** Stop reading; the returned function, called once, lets go. */
  hold(): () => void {
    if (this.#holds++ === 0) this.#socket.pause();
    return () => {
      if (--this.#holds === 0) this.#socket.resume();
    };
  }
}

/** Writing to a socket: whoever causes more than it takes is held until it has taken it, so that no memory grows. */
export class Outlet {
  readonly #socket: WebSocket;
  readonly #held = new Map<Inlet, () => void>();
  readonly #sent = (): void => {
    if (this.#held.size > 0 && this.#socket.bufferedAmount <= low) this.#letGo();
  };

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.once("close", () => this.#letGo());
  }

  /** cause: where what is sent came from, or what made us say it. */
  send(bytes: Buffer, binary: boolean, cause: Inlet): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(bytes, { binary }, this.#sent);
    if (this.#socket.bufferedAmount > high && !this.#held.has(cause)) this.#held.set(cause, cause.hold());
  }

  #letGo(): void {
    for (const release of this.#held.values()) release();
    this.#held.clear();
  }
}
