import { nearest } from "../config/faults.ts";
import type { Fault } from "../config/types.ts";
import type { Candidate } from "../store/judge.ts";

export interface Row {
  /** Where it begins. */
  readonly line: number;
  readonly cells: readonly string[];
}

/** A table of RFC 4180, its rows with their lines; a sentence where a quote is not closed or stands in the middle. */
export function readCsv(text: string): Row[] | string {
  const rows: Row[] = [];
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

export interface Table {
  readonly candidates: readonly Candidate[];
  readonly faults: readonly Fault[];
}

/** Columns: the keys of a customer, limits by their own names, and `secret` with `algorithm` for a first secret, k1. */
export function itemsOfCsv(text: string): Table {
  const rows = readCsv(text.replace(/^\ufeff/, ""));
  if (typeof rows === "string") return unreadable(rows);
  const [head, ...body] = rows;
  if (!head) return unreadable("line 1: there is no line with the names of the columns");
  const names = head.cells.map((name) => name.trim());
  const faults = headFaults(names).map((message) => ({ path: "", line: head.line, message }));
  if (faults.length > 0) return { candidates: [], faults };
  const isWhole = ({ cells }: Row): boolean => cells.length === names.length;
  return {
    candidates: body.filter(isWhole).map(({ line, cells }) => ({ line, item: itemOf(names, cells) })),
    faults: body
      .filter((row) => !isWhole(row))
      .map(({ line, cells: { length } }) => ({
        path: "",
        line,
        message: `has ${length} cells where the first line has ${names.length}`,
      })),
  };
}

function unreadable(sentence: string): Table {
  const [, line = "1", message = sentence] = /^line ([0-9]+): (.*)$/.exec(sentence) ?? [];
  return { candidates: [], faults: [{ path: "", line: Number(line), message }] };
}

/** Nothing of it is repeated: where the names are missing these are values. */
function headFaults(names: readonly string[]): string[] {
  if (names.length === 1 && names[0]!.includes(";")) return ["its cells are apart by ; where commas are wanted"];
  return names.flatMap((name, at) => {
    if (names.indexOf(name) < at) return [`column ${at + 1} is the same as column ${names.indexOf(name) + 1}`];
    if (columns.includes(name)) return [];
    const meant = nearest(name.slice(0, 64), columns);
    const no = `column ${at + 1} is no key of a customer that a table can hold`;
    return [meant === undefined ? no : `${no}: did you mean ${meant}?`];
  });
}

const columns: readonly string[] = [...lists, ...numbers, ...texts, ...limits, "secret", "algorithm"];

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
