import type { CallRecord } from "../core/calls.ts";

/** A record as it is now, and whether its customer's webhook is to be told of it yet. */
export interface CallEntry {
  readonly record: CallRecord;
  readonly owed: boolean;
}

/** A gateway says that it lives. at: milliseconds. */
export interface Alive {
  readonly gateway: string;
  readonly at: number;
}

/** What is looked for; absent: any. Times are milliseconds, of a call's start. */
export interface CallFilter {
  readonly customer?: string;
  readonly user?: string;
  readonly domain?: string;
  /** In any spelling of core/calls.ts. */
  readonly number?: string;
  readonly callId?: string;
  /** At or after. */
  readonly since?: number;
  /** Before. */
  readonly until?: number;
  /** The id of the last that was seen. */
  readonly after?: string;
  readonly limit: number;
}

export interface TakenOver {
  /** Ended now, by `gateway-lost`; owed from now on. */
  readonly ended: readonly CallRecord[];
  /** Had ended, and were owed. */
  readonly owed: readonly CallRecord[];
}

/** Records of one answer at most. */
export const mostRecords = 500;

/** Where calls are recorded. Every method rejects with an Error whose message is a sentence where it could not be done. */
export interface CallRecords {
  /** All of it or nothing. A record of an id that is there already takes its place; alive: who carries them. */
  write(entries: readonly CallEntry[], alive: Alive): Promise<void>;
  /** The latest first. */
  find(filter: CallFilter): Promise<readonly CallRecord[]>;
  /**
   * What gateways left that were last seen before a time (milliseconds): calls that go on there end when they were last
   * seen, and what they owed is the taker's to tell. A page at a time, until none is left.
   */
  takeOver(by: Alive, silentSince: number): Promise<TakenOver>;
  /** These are owed no more. */
  settle(ids: readonly string[]): Promise<void>;
  /** Calls that have ended and began before a time (milliseconds), the oldest first, at most so many. How many it was. */
  forget(before: number, most: number): Promise<number>;
}
