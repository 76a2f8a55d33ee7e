/** One SIP message between two parties, as a ladder shows it. */
export interface LadderEntry {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly from: string;
  readonly to: string;
  /** The whole message; credentials are masked. */
  readonly message: string;
  /** What was decided about it, where that is known. */
  readonly verdict?: string;
}

/** A header's first value, unfolded lines only. */
export const header = (message: string, name: string): string | undefined =>
  new RegExp(`^${name}[ \\t]*:[ \\t]*(.*?)[ \\t]*\\r?$`, "im").exec(message)?.[1];

/** A message with the values of its credential headers taken out, folded lines as well. */
export const mask = (message: string): string =>
  message.replace(/^((?:Proxy-)?Authorization[ \t]*:)[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*/gim, "$1 ***");

const longestLabel = 40;
const longestReason = 20;

/** What stands on the arrow: `INVITE sip:bob@acme.example`, `403 Forbidden (INVITE) credential-expired`; URI parameters left out. */
export function label(message: string): string {
  const start = /^[^\r\n]*/.exec(message)?.[0] ?? "";
  const [, status, reason = ""] = /^SIP\/2\.0 (\d{3}) ?(.*)$/.exec(start) ?? [];
  if (status === undefined) return shorten(start.replace(/(;[^ ]*)? SIP\/2\.0$/, ""));
  const method = header(message, "CSeq")?.split(" ")[1] ?? "";
  const code = header(message, "Postern-Code") ?? "";
  const words = reason.length > longestReason ? "" : reason;
  return [status, words, `(${method})`, code].filter(Boolean).join(" ").replace(control, "?");
}

const noted = ({ message, verdict }: LadderEntry): string =>
  verdict === undefined ? label(message) : `${label(message)} [${verdict.replace(control, "?")}]`;

// Fit for a terminal: what the far end sent may hold escape sequences, or turn what stands beside it around.
const control = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function shorten(text: string): string {
  const plain = text.replace(control, "?");
  return plain.length > longestLabel ? `${plain.slice(0, longestLabel - 1)}…` : plain;
}

/** The entries as a text ladder: names on top, one arrow a line, seconds since the first at the left. */
export function renderLadder(entries: readonly LadderEntry[], names: readonly string[] = namesOf(entries)): string {
  const arrows = entries.toSorted((a, b) => a.at - b.at).map((entry) => ({ ...entry, text: noted(entry) }));
  const start = arrows[0]?.at ?? 0;
  const column = columns(names, arrows);
  const width = (column.get(names.at(-1) ?? "") ?? 0) + 1;
  const rails = (): string[] => Array.from({ length: width }, (_, x) => ([...column.values()].includes(x) ? "|" : " "));
  const lines = arrows.map(({ at, from, to, text }) => {
    const line = rails();
    draw(line, column.get(from) ?? 0, column.get(to) ?? 0, text);
    return `${((at - start) / 1000).toFixed(3).padStart(8)} ${line.join("")}`;
  });
  return [title(names, column), ...lines].join("\n");
}

function namesOf(entries: readonly LadderEntry[]): string[] {
  return [...new Set(entries.flatMap(({ from, to }) => [from, to]))];
}

/** Where each name's rail stands: far enough apart for the longest label between it and its left neighbour. */
function columns(
  names: readonly string[],
  arrows: readonly { readonly from: string; readonly to: string; readonly text: string }[],
): Map<string, number> {
  const column = new Map<string, number>();
  let x = Math.ceil((names[0]?.length ?? 0) / 2);
  names.forEach((name, index) => {
    const left = names[index - 1];
    if (left !== undefined) {
      const between = arrows.filter((arrow) => [arrow.from, arrow.to].every((end) => end === left || end === name));
      x += Math.max(12, (left.length + name.length) / 2 + 2, ...between.map(({ text }) => text.length + 8));
    }
    x = Math.ceil(x);
    column.set(name, x);
  });
  return column;
}

function title(names: readonly string[], column: ReadonlyMap<string, number>): string {
  let line = " ".repeat(9);
  for (const name of names) {
    const left = 9 + (column.get(name) ?? 0) - Math.floor(name.length / 2);
    line = line.padEnd(left) + name.replace(control, "?");
  }
  return line;
}

function draw(line: string[], from: number, to: number, text: string): void {
  const [left, right] = [Math.min(from, to), Math.max(from, to)];
  line.fill("-", left + 1, right);
  if (from < to) line[right - 1] = ">";
  else line[left + 1] = "<";
  const begin = left + Math.max(2, Math.floor((right - left - text.length) / 2) - 1);
  line.splice(begin, text.length + 2, ...` ${text} `);
}
