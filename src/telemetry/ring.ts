import { conceal } from "./conceal.ts";
import type { Line, Party, Traced, TraceListener } from "./trace.ts";

export interface RingOptions {
  /** Memory for messages; default 16 MiB. */
  readonly bytes?: number;
  /** Default 32,768. */
  readonly messages?: number;
}

/** A message as a ladder shows it. */
export interface RingEntry {
  /** Milliseconds since the epoch, with microseconds. */
  readonly at: number;
  readonly from: string;
  readonly to: string;
  /** Credentials are masked. */
  readonly message: string;
  /** Of what came in: what was decided. */
  readonly verdict?: string;
  readonly sentence?: string;
}

interface Slot {
  readonly traced: Traced;
  readonly start: number;
  readonly end: number;
}

const mostShown = 1000;

/**
 * The last messages, in one block of memory that never grows: a new one is copied over the oldest. Copying costs less
 * than it would to keep the buffers of sockets alive.
 */
export class Ring implements TraceListener {
  readonly #block: Buffer;
  readonly #slots: (Slot | undefined)[];
  /** Slots from #first on, #count of them, oldest first; they go round. */
  #first = 0;
  #count = 0;
  /** Where the next message goes. */
  #next = 0;

  constructor({ bytes = 16 * 1024 * 1024, messages = 32_768 }: RingOptions = {}) {
    // Not filled: the system gives the pages as they are written to.
    this.#block = Buffer.allocUnsafeSlow(bytes);
    this.#slots = new Array(messages).fill(undefined);
  }

  get size(): number {
    return this.#count;
  }

  message(traced: Traced, bytes: Buffer): void {
    if (bytes.length === 0 || bytes.length > this.#block.length) return;
    const start = this.#reserve(bytes.length);
    bytes.copy(this.#block, start);
    this.#slots[(this.#first + this.#count) % this.#slots.length] = { traced, start, end: start + bytes.length };
    this.#count++;
  }

  /** The message's own entry has it. */
  verdict(): void {}

  /** The latest messages with this Call-ID, oldest first. */
  find(callId: string): RingEntry[] {
    const found: Slot[] = [];
    for (let at = 0; at < this.#count; at++) {
      const slot = this.#slots[(this.#first + at) % this.#slots.length]!;
      if (slot.traced.callId === callId) found.push(slot);
    }
    return found.slice(-mostShown).map((slot) => this.#show(slot));
  }

  #show({ traced, start, end }: Slot): RingEntry {
    const { at, verdict } = traced;
    const message = conceal(this.#block.subarray(start, end)).toString("utf8");
    const said = verdict && { verdict: verdict.code, ...(verdict.sentence && { sentence: verdict.sentence }) };
    return { at: at / 1000, ...ends(traced), message, ...said };
  }

  /** Room for so many bytes in one piece; what stood there is forgotten. */
  #reserve(length: number): number {
    if (this.#count === this.#slots.length) this.#forgetOldest();
    const over = this.#next;
    const wraps = over + length > this.#block.length;
    // What stands behind the end of the block's used part is older than what stands at its beginning.
    if (wraps) while (this.#oldest && this.#oldest.start >= over) this.#forgetOldest();
    const start = wraps ? 0 : over;
    while (this.#oldest && this.#oldest.start < start + length && this.#oldest.end > start) this.#forgetOldest();
    this.#next = start + length;
    return start;
  }

  get #oldest(): Slot | undefined {
    return this.#count === 0 ? undefined : this.#slots[this.#first];
  }

  #forgetOldest(): void {
    this.#slots[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.#slots.length;
    this.#count--;
  }
}

function ends({ way, line }: Traced): { from: string; to: string } {
  const [client, upstream] = [`client ${show(line.client)}`, upstreamOf(line)];
  switch (way) {
    case "from-client":
      return { from: client, to: "gateway" };
    case "to-client":
      return { from: "gateway", to: client };
    case "from-upstream":
      return { from: upstream, to: "gateway" };
    case "to-upstream":
      return { from: "gateway", to: upstream };
  }
}

const upstreamOf = ({ upstream }: Line): string => (upstream ? `upstream ${show(upstream)}` : "upstream");

const show = ({ address, port }: Party): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
