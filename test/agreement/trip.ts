import { parse } from "../../src/gateway/parse.ts";
import { md5 } from "./arena.ts";
import type { Report } from "./report.ts";

/** One message on its way, and what became of it. */
export interface Trip {
  readonly bytes: Buffer;
  /** The gateway has looked at it. */
  handled: boolean;
  /** The gateway's word; empty where it said none. */
  verdict: string;
  /** What the gateway sent to Kamailio. */
  forwarded: Buffer | undefined;
  /** Further messages that the gateway sent over it, and that Kamailio saw though nobody sent them. */
  surplus: number;
  report: Report | undefined;
}

export function newTrip(bytes: Buffer): Trip {
  const { kind } = parse(bytes, 30_000);
  const silently = kind === "dropped" || kind === "keep-alive" || kind === "noise";
  return { bytes, handled: silently, verdict: "", forwarded: undefined, surplus: 0, report: undefined };
}

/**
 * Gives each trip its report. Kamailio takes the messages of a connection in the order in which they were written, so
 * that one for which there is no report where its turn is was lost, and a report of what was not written is a surplus.
 */
export function match(trips: readonly Trip[], reports: readonly Report[]): void {
  let next = 0;
  let latest: Trip | undefined;
  for (const trip of trips) {
    if (!trip.forwarded) continue;
    const key = md5(trip.forwarded);
    const at = reports.findIndex((report, index) => index >= next && report.md5 === key);
    if (at < 0) continue;
    if (latest) latest.surplus += at - next;
    trip.report = reports[at];
    next = at + 1;
    latest = trip;
  }
}
