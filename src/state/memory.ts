import { createHash } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import type { Claim, Space, State } from "./port.ts";
import { type Entry, Forgetting, Refusing, type Table } from "./tables.ts";

/** How many entries a space holds at most. */
export type Sizes = Readonly<Record<Space, number>>;

export const defaultSizes: Sizes = {
  jti: 200_000,
  management: 100_000,
  calls: 200_000,
  replies: 20_000,
  failures: 40_000,
  bans: 20_000,
};

/** Milliseconds by which a clock is not put back but adjusted: a ban does not wait until one that was has caught up. */
const putBack = 60_000;
const forgetful: ReadonlySet<Space> = new Set(["failures", "bans"]);

/** Characters: longer keys, which strangers can make up, are kept as their hash. */
const longestKey = 128;

/** The state of one gateway alone, in its memory; every answer is there at once. The clock decides what has ended. */
export class MemoryState implements State {
  readonly #clock: Clock;
  readonly #tables: Readonly<Record<Space, Table>>;

  constructor(clock: Clock, sizes: Partial<Sizes> = {}) {
    const { jti, management, calls, replies, failures, bans } = { ...defaultSizes, ...sizes };
    this.#clock = clock;
    this.#tables = {
      jti: new Refusing(jti),
      management: new Refusing(management),
      calls: new Refusing(calls),
      replies: new Refusing(replies),
      failures: new Forgetting(failures),
      bans: new Forgetting(bans),
    };
  }

  claim(space: Space, key: string, holder: string, until: number): Claim {
    const known = this.#find(space, key);
    if (known) return { kind: "held", holder: known.value, since: known.since };
    const since = this.#clock.now();
    return this.#set(space, key, { value: holder, since, until }) ? { kind: "held", holder, since } : { kind: "full" };
  }

  get(space: Space, key: string): string | undefined {
    return this.#find(space, key)?.value;
  }

  put(space: Space, key: string, value: string, until: number): boolean {
    return this.#set(space, key, { value, since: this.#clock.now(), until });
  }

  /** Where there is no room, more than any limit: what cannot be counted is not let through. */
  add(space: Space, key: string, until: number): number {
    const known = this.#find(space, key);
    const count = Number(known?.value ?? 0) + 1;
    if (!Number.isSafeInteger(count)) throw new TypeError(`what stands in ${space} is no count`);
    const entry = { since: this.#clock.now(), until, ...known, value: String(count) };
    return this.#set(space, key, entry) ? count : Number.POSITIVE_INFINITY;
  }

  forget(space: Space, key: string): void {
    this.#tables[space].delete(bounded(key));
  }

  close(): void {
    for (const table of Object.values(this.#tables)) table.clear();
  }

  #find(space: Space, key: string): Entry | undefined {
    const now = this.#clock.now();
    const entry = this.#tables[space].get(bounded(key));
    if (!entry || now >= entry.until) return undefined;
    return entry.since - now > putBack && forgetful.has(space) ? undefined : entry;
  }

  #set(space: Space, key: string, entry: Entry): boolean {
    const now = this.#clock.now();
    const table = this.#tables[space];
    // What has ended already takes no room, and what it replaces is gone.
    if (entry.until > now) return table.set(bounded(key), { ...entry, owner: ownerOf(key) }, now);
    table.delete(bounded(key));
    return true;
  }
}

/** The text before the first blank; a key without one is nobody's. */
function ownerOf(key: string): string | undefined {
  const blank = key.indexOf(" ");
  return blank < 0 ? undefined : key.slice(0, Math.min(blank, longestKey));
}

/** The first character keeps hashes and texts apart, and `__proto__` from being looked up in an object. */
const bounded = (key: string): string =>
  key.length <= longestKey ? `=${key}` : `#${createHash("sha256").update(key).digest("base64url")}`;
