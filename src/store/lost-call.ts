import type { CallRecord } from "../core/calls.ts";

/** A call of a gateway that was last seen alive at a time (milliseconds) and is no more. */
export function lost(record: CallRecord, seen: number): CallRecord {
  const end = Math.max(seen, record.answer ?? record.ringing ?? record.start);
  const seconds = record.answer === undefined ? {} : { seconds: (end - record.answer) / 1000 };
  return { ...record, end, ...seconds, endedBy: "gateway", reason: "gateway-lost" };
}
