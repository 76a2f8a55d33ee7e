import { row } from "./terminal.ts";

/**
 * What a spreadsheet takes for a formula, where a cell begins: behind a semicolon too, which parts cells where commas are
 * for decimals. A number with its sign is none that does anything.
 */
const formula = /(^|;)(?=\s*(?:[=@\t\r]|[+-](?![0-9]*(?:;|$))))/g;

/** A line of RFC 4180; a cell that a spreadsheet would run begins with ' there. */
export const csvRow = (cells: readonly string[]): string =>
  `${cells.map((cell) => quoted(row(cell.replace(formula, "$1'")))).join(",")}\r\n`;

const quoted = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
