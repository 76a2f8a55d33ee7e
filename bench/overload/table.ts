import { table } from "../table.ts";
import type { FloodRow } from "./measure.ts";

const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);

/** Markdown. quiet: the same good users, just before, without a flood. */
export function overloadTable(rows: readonly FloodRow[], budget: number): string {
  const head = ["", "flood/s", "p50 ms quiet", "flooded", "p99 ms quiet", "flooded", "p99 ratio (least–most)"];
  const lines = rows.map((row) => [
    row.name,
    row.perSecond.toFixed(0),
    row.quiet.p50.toFixed(2),
    row.flooded.p50.toFixed(2),
    row.quiet.p99.toFixed(2),
    row.flooded.p99.toFixed(2),
    `×${row.ratio.toFixed(2)} (${row.least.toFixed(2)}–${row.most.toFixed(2)})`,
    `${megabytes(row.resident)} of ${budget}`,
    `${row.refused} of ${row.requests}`,
  ]);
  return table("Good users under floods", [...head, "RSS MB", "good refused"], lines);
}
