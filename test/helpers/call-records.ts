import { type CallRecord, newId } from "../../src/core/calls.ts";
import type { Alive, CallEntry, CallRecords, TakenOver } from "../../src/store/calls.ts";
import type { Log } from "../../src/telemetry/log.ts";

export const noon = Date.UTC(2026, 5, 1, 12);

/** A call that rings, of a customer. start: milliseconds after noon. */
export function ringing(start = 0, more: Partial<CallRecord> = {}): CallRecord {
  const at = noon + start;
  const who = { customer: "acme", user: "alice", domain: "acme.example", provedBy: "k1" };
  return { id: newId(at), gateway: "g1", callId: `c${start}`, ...who, direction: "to-user", start: at, ...more };
}

/** The same as it ended, nine seconds after its start. */
export const ended = (record: CallRecord = ringing()): CallRecord => ({
  ...record,
  answer: record.start + 4_000,
  end: record.start + 9_000,
  seconds: 5,
  endedBy: "client",
  status: 200,
});

/** An INVITE that was refused. */
export const refused = (more: Partial<CallRecord> = {}): CallRecord => {
  const record = ringing(0, more);
  return { ...record, end: record.start, endedBy: "gateway", reason: "destination-denied", status: 403 };
};

/** A store in memory that says what it was asked, and fails on demand. */
export class FakeRecords implements CallRecords {
  readonly written: { readonly entries: readonly CallEntry[]; readonly alive: Alive }[] = [];
  readonly settled: string[] = [];
  readonly kept = new Map<string, CallEntry>();
  forgets: number[] = [];
  taken: TakenOver[] = [];
  fails = false;
  /** Asked for, with what time. */
  silentSince: number[] = [];

  async write(entries: readonly CallEntry[], alive: Alive): Promise<void> {
    if (this.fails) throw new Error("the store is locked");
    this.written.push({ entries: structuredClone(entries), alive });
    for (const entry of structuredClone(entries)) this.kept.set(entry.record.id, entry);
  }

  async find(): Promise<readonly CallRecord[]> {
    return [...this.kept.values()].map(({ record }) => record);
  }

  async takeOver(_by: Alive, silentSince: number): Promise<TakenOver> {
    if (this.fails) throw new Error("the store is locked");
    this.silentSince.push(silentSince);
    return this.taken.shift() ?? { ended: [], owed: [] };
  }

  async settle(ids: readonly string[]): Promise<void> {
    this.settled.push(...ids);
  }

  async forget(before: number, most: number): Promise<number> {
    this.forgets.push(before);
    return Math.min(most, this.forgets.length === 1 ? most : 3);
  }
}

/** What was logged: level, line and fields. */
export function fakeLog(): { readonly log: Log; readonly lines: [string, string, unknown][] } {
  const lines: [string, string, unknown][] = [];
  const at = (level: string) => (fields: unknown, line: string) => lines.push([level, line, fields]);
  const log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  return { log: log as unknown as Log, lines };
}
