import type { Candidate } from "../store/judge.ts";

/** A table of RFC 4180, its rows with their lines; a sentence where a quote is not closed or stands in the middle. */
export function readCsv(text: string): { line: number; cells: string[] }[] | string {
  const rows: { line: number; cells: string[] }[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|$)/y;
  let [line, cells]: [number, string[]] = [1, []];
  let begun = line;
  while (cell.lastIndex < text.length || cells.length > 0) {
    const found = cell.exec(text);
    if (!found) return `line ${line}: a " that is not closed, or not doubled inside of a cell`;
    const [all, quoted, plain = "", end] = found;
    cells.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    line += all.split("\n").length - 1;
    if (end === ",") continue;
    if (cells.some((one) => one !== "")) rows.push({ line: begun, cells });
    [cells, begun] = [[], line];
  }
  return rows;
}

/** Several values in one cell are apart by blanks. */
const lists = new Set(["domains", "origins", "callFrom", "numbers", "dial", "methods", "passHeaders"]);
const numbers = new Set(["maxTtl", "clockSkew"]);
const texts = new Set(["id", "trunk", "trunk2", "callerId", "permissionUrl"]);
const limits = new Set([
  "connections",
  "connectionsPerUser",
  "registrations",
  "calls",
  "callsPerMinute",
  "callSeconds",
]);

/** Columns: the keys of a customer, limits by their own names, and `secret` with `algorithm` for a first secret, k1. */
export function itemsOfCsv(text: string): Candidate[] | string {
  const rows = readCsv(text.replace(/^\ufeff/, ""));
  if (typeof rows === "string") return rows;
  const [head, ...body] = rows;
  if (!head) return "line 1: there is no line with the names of the columns";
  const names = head.cells.map((name) => name.trim());
  const unknown = names.findIndex((name) => !isColumn(name));
  if (unknown >= 0) return `line 1: column ${unknown + 1} is no key of a customer that a table can hold`;
  if (new Set(names).size < names.length) return "line 1: a column stands twice";
  const odd = body.find(({ cells }) => cells.length !== names.length);
  if (odd) return `line ${odd.line}: has ${odd.cells.length} cells where the first line has ${names.length}`;
  return body.map(({ line, cells }) => ({ line, item: itemOf(names, cells) }));
}

const isColumn = (name: string): boolean =>
  [lists, numbers, texts, limits].some((kind) => kind.has(name)) || name === "secret" || name === "algorithm";

function itemOf(names: readonly string[], cells: readonly string[]): Candidate["item"] {
  const item: Record<string, unknown> = {};
  const [bounds, secret]: Record<string, unknown>[] = [{}, {}];
  for (const [at, name] of names.entries()) {
    const cell = cells[at]!.trim();
    if (cell === "") continue;
    if (lists.has(name)) item[name] = cell.split(/\s+/);
    else if (limits.has(name)) bounds![name] = numberOf(cell);
    else if (name === "secret" || name === "algorithm") secret![name] = cell;
    else item[name] = numbers.has(name) ? numberOf(cell) : cell;
  }
  if (Object.keys(bounds!).length > 0) item.limits = bounds;
  if (secret!.secret !== undefined) item.secrets = [{ id: "k1", ...secret }];
  return item;
}

/** What is no number stays what it is, for the schema to refuse. */
const numberOf = (text: string): number | string => (/^-?[0-9]{1,15}$/.test(text) ? Number(text) : text);
