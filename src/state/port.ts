import type { Awaitable } from "../core/awaitable.ts";

/**
 * What is kept for a while and shared by all gateways. `jti`, `management`, `calls` and `replies` are filled by proved
 * callers alone and refuse when they are full; `failures` and `bans` are filled by strangers and forget the least used.
 */
export type Space = "jti" | "management" | "calls" | "replies" | "failures" | "bans";

export type Claim =
  /** Who has it now, and since when: milliseconds since the epoch. */
  { readonly kind: "held"; readonly holder: string; readonly since: number } | { readonly kind: "full" };

/**
 * Expiring state. In a space that refuses, what stands before the first blank of a key is whose entry it is: nobody gets
 * more than a quarter of the room, so that one customer cannot take it from all the others. until: milliseconds since
 * the epoch; an entry is there while now < until. Rejects only for faults.
 */
export interface State {
  /** Takes the key for this holder unless somebody has it; one of many that ask at once gets it. */
  claim(space: Space, key: string, holder: string, until: number): Awaitable<Claim>;
  get(space: Space, key: string): Awaitable<string | undefined>;
  /** false: no room. */
  put(space: Space, key: string, value: string, until: number): Awaitable<boolean>;
  /** One more, within the window that the first of them opened; returns how many now. */
  add(space: Space, key: string, until: number): Awaitable<number>;
  forget(space: Space, key: string): Awaitable<void>;
  close(): Awaitable<void>;
}
