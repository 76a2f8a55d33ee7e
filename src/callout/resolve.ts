import { lookup } from "node:dns/promises";
import { LRUCache } from "lru-cache";
import type { Resolve } from "./target.ts";

/**
 * Names asked for at once. libuv itself gives names half of its threads, and there are four unless UV_THREADPOOL_SIZE says more:
 * what is above would wait there, out of order, where other parts' names wait too.
 */
const mostAtOnce = 2;
/** Of them, those that names may hold which came too late the last time: the others are not to wait for such. */
const mostLate = 1;
/** Names remembered as late; they are of the config's URLs. */
const maxNames = 1_000;
/** Milliseconds: who waits longer for a name is given what it had before, which is remembered for so long. */
const [patience, remembered] = [1_000, 600_000];
/** Names of which it is remembered, least used ones forgotten first, and the addresses that such a name has at most. */
const [mostRemembered, fewAddresses] = [10_000, 16];

type Ask = (name: string, options: { all: true; order: "verbatim" }) => Promise<readonly { address: string }[]>;

/**
 * The machine's own resolver, /etc/hosts included. Names that hang hold up no name that was answered before: what it had then
 * is judged as ever.
 */
export function systemResolve(ask: Ask = lookup, now = (): number => performance.now()): Resolve {
  const slots = new Slots();
  const before = new LRUCache<string, Answered>({ max: mostRemembered });
  const askFor: Resolve = async (name, signal) => {
    await slots.enter(name, signal);
    const late = (): void => slots.late(name);
    signal.addEventListener("abort", late, { once: true });
    try {
      const addresses = (await ask(name, { all: true, order: "verbatim" })).map(({ address }) => address);
      if (addresses.length <= fewAddresses) before.set(name, { addresses, at: now() });
      else before.delete(name);
      return addresses;
    } finally {
      signal.removeEventListener("abort", late);
      slots.leave(name, signal.aborted);
    }
  };
  return (name, signal) => {
    const known = before.get(name);
    const asked = askFor(name, signal);
    return known && now() - known.at < remembered ? inTime(asked, known.addresses) : asked;
  };
}

/** at: milliseconds, of a clock that is never put back. */
interface Answered {
  readonly addresses: readonly string[];
  readonly at: number;
}

async function inTime<T>(asked: Promise<T>, known: T): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  const timer = setTimeout(() => resolve(known), patience);
  return Promise.race([asked, promise]).finally(() => clearTimeout(timer));
}

interface Waiting {
  readonly name: string;
  readonly go: () => void;
}

/** Who is asked for, and who waits for that in order; a name may be there more than once. */
class Slots {
  readonly #late = new Set<string>();
  readonly #asked: string[] = [];
  readonly #waiting = new Set<Waiting>();

  /** Resolves when its turn comes; who has given up waits no longer. */
  enter(name: string, signal: AbortSignal): Promise<void> {
    if (this.#hasRoom(name)) {
      this.#asked.push(name);
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const waiting = { name, go: resolve };
      this.#waiting.add(waiting);
      signal.addEventListener("abort", () => this.#waiting.delete(waiting) && reject(signal.reason), { once: true });
    });
  }

  /** Nobody waits for this name any more, though it is still asked for. */
  late(name: string): void {
    if (this.#late.size >= maxNames) this.#late.clear();
    this.#late.add(name);
  }

  leave(name: string, wasLate: boolean): void {
    if (!wasLate) this.#late.delete(name);
    this.#asked.splice(this.#asked.indexOf(name), 1);
    for (const waiting of this.#waiting) {
      if (!this.#hasRoom(waiting.name)) continue;
      this.#waiting.delete(waiting);
      this.#asked.push(waiting.name);
      waiting.go();
    }
  }

  #hasRoom(name: string): boolean {
    if (this.#asked.length >= mostAtOnce) return false;
    return !this.#late.has(name) || this.#asked.filter((one) => this.#late.has(one)).length < mostLate;
  }
}
