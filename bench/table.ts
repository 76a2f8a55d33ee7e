import type { MemoryRow } from "./memory.ts";
import { median, type Row } from "./series.ts";

export interface Series {
  readonly title: string;
  /** Whose CPU is a column of its own. */
  readonly behind: string | false;
  readonly rows: readonly Row[];
}

/** Markdown, so that it can be pasted as it is. */
export function seriesTable({ title, behind, rows }: Series): string {
  const head = ["", "clients", "CPU µs", ...(behind ? [`${behind} µs`] : []), "ratio (least–most)", "req/s"];
  const lines = rows.map((row) => [
    row.name,
    String(row.clients),
    row.cpu.toFixed(1),
    ...(behind ? [row.behind.toFixed(0)] : []),
    `×${row.ratio.toFixed(2)} (${row.least.toFixed(2)}–${row.most.toFixed(2)})`,
    row.perSecond.toFixed(0),
    row.p50.toFixed(2),
    row.p99.toFixed(2),
  ]);
  return table(title, [...head, "p50 ms", "p99 ms"], lines) + growth(rows);
}

/** What more customers cost: Postern with the most to Postern with the fewest, turn by turn. */
function growth(rows: readonly Row[]): string {
  const posterns = rows.filter(({ name }) => name.startsWith("Postern"));
  const [fewest, most] = [posterns[0], posterns.at(-1)];
  if (!fewest || !most || fewest === most) return "";
  const ratios = most.turns.map(({ cpu }, at) => cpu / fewest.turns[at]!.cpu);
  const [least, highest] = [Math.min(...ratios).toFixed(2), Math.max(...ratios).toFixed(2)];
  return `\n${most.name}, to ${fewest.name}: ×${median(ratios).toFixed(2)} (${least}–${highest})\n`;
}

export function memoryTable(title: string, rows: readonly MemoryRow[]): string {
  const kilobytes = (bytes: number): string => (bytes / 1024).toFixed(1);
  const lines = rows.map(({ name, connections, idle, leg }) => [
    name,
    String(connections),
    kilobytes(idle),
    kilobytes(leg),
  ]);
  return table(title, ["", "connections", "idle KB", "with an accepted REGISTER KB"], lines);
}

export function table(title: string, head: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = head.map((text, at) => Math.max(text.length, ...lines.map((line) => line[at]!.length)));
  const write = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join(" | ")} |`;
  const rule = `|${widths.map((width, at) => (at === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [`### ${title}`, "", write(head), rule, ...lines.map(write), ""].join("\n");
}
