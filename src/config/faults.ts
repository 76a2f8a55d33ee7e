import type { Fault } from "./types.ts";

export type Path = readonly (string | number)[];

/** Faults of a file that nobody could count to the end of help nobody. */
export const mostFaults = 200;

/** Gathers every fault of one file, one for each path (the first found), and knows the lines. */
export class Faults {
  readonly #found = new Map<string, Fault>();
  readonly #lines = new Map<string, number>();
  readonly #room: number;
  #more = 0;
  #stopped = false;

  /** room: so many are kept, of those beyond it how many there are. */
  constructor(room = Number.POSITIVE_INFINITY) {
    this.#room = room;
  }

  /** Where a key or an entry stands, for the faults to come. */
  place(path: Path, line: number): void {
    this.#lines.set(id(path), line);
  }

  placed(path: Path): boolean {
    return this.#lines.has(id(path));
  }

  /** The line of what the path names, or of the nearest existing node above it. */
  line(path: Path): number {
    for (let length = path.length; length > 0; length--) {
      const line = this.#lines.get(id(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return 1;
  }

  add(path: Path, message: string, line?: number): void {
    if (this.isFull) {
      this.#more++;
      return;
    }
    const key = id(path);
    if (!this.#found.has(key)) this.#found.set(key, { path: show(path), line: line ?? this.line(path), message });
  }

  /** Nobody has looked for others. */
  stop(): void {
    this.#stopped = true;
  }

  get isFull(): boolean {
    return this.#found.size >= this.#room;
  }

  /** For what is wrong with the text itself, where several faults have no path. */
  addAt(line: number, message: string): void {
    const key = `line ${line}: ${message}`;
    if (!this.#found.has(key)) this.#found.set(key, { path: "", line, message });
  }

  has(path: Path): boolean {
    return this.#found.has(id(path));
  }

  get any(): boolean {
    return this.#found.size > 0;
  }

  /** By line; the first 200, and a word on how many more there are. */
  list(most = mostFaults): Fault[] {
    const sorted = [...this.#found.values()].sort((a, b) => a.line - b.line);
    if (!this.#stopped) return someOf(sorted, most, this.#more);
    const line = sorted.at(-1)?.line ?? 1;
    return [...sorted.slice(0, most), { path: "", line, message: "and maybe more: mend these, and look again" }];
  }
}

/** unkept: how many there are beyond those. */
export function someOf(faults: readonly Fault[], most = mostFaults, unkept = 0): Fault[] {
  const more = Math.max(0, faults.length - most) + unkept;
  const last = faults[Math.min(most, faults.length) - 1];
  if (more === 0 || !last) return [...faults];
  return [...faults.slice(0, most), { path: "", line: last.line, message: `and ${more} more faults` }];
}

const id = (path: Path): string => JSON.stringify(path);

const plainKey = /^[A-Za-z][A-Za-z0-9_-]{0,23}$/;
const numberKey = /^\+?[0-9]{1,20}$/;

/** `customers[0].inbound["+3225887000"]`. A key that no config has may be a secret put in the wrong place: not shown. */
export function show(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (plainKey.test(step)) text += text === "" ? step : `.${step}`;
    else text += numberKey.test(step) ? `["${step}"]` : "[…]";
  }
  return text;
}

/** The known key that an unknown one was probably meant to be. */
export function nearest(key: string, known: readonly string[]): string | undefined {
  const plain = key.toLowerCase().replaceAll(/[-_]/g, "");
  const allowed = plain.length < 5 ? 1 : 2;
  const ranked = known.map((name) => ({ name, steps: distance(plain, name.toLowerCase(), allowed) }));
  const best = ranked.sort((a, b) => a.steps - b.steps)[0];
  return best && best.steps <= allowed ? best.name : undefined;
}

/** Levenshtein's; anything above `limit` is reported as more than it, so that a giant key costs nothing. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let line = 1; line <= a.length; line++) {
    const next = [line];
    for (let column = 1; column <= b.length; column++) {
      const swap = row[column - 1]! + (a[line - 1] === b[column - 1] ? 0 : 1);
      next.push(Math.min(swap, row[column]! + 1, next[column - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
