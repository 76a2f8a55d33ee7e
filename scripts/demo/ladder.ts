import type { NewRow, Row, RowVerdict } from "./row.ts";

/** Of one page; older rows are forgotten. */
export const mostRows = 500;
/** Characters of all its messages. */
const mostText = 1_000_000;
/** Who may read it at once: the page, and itself again before the first reading is seen to have ended. */
const mostReaders = 2;

/** What a reader is told. A verdict comes after its message. */
export type Told =
  | { readonly row: Row }
  | { readonly id: number; readonly verdict: RowVerdict }
  | { readonly cleared: true };

export type Reader = (told: Told) => void;

/** What passed on the connections of one page. */
export class Ladder {
  readonly #rows: Row[] = [];
  readonly #readers = new Set<Reader>();
  #text = 0;
  #last = 0;

  get rows(): readonly Row[] {
    return this.#rows;
  }

  get isRead(): boolean {
    return this.#readers.size > 0;
  }

  add(made: NewRow): Row {
    const row: Row = { id: ++this.#last, ...made };
    this.#rows.push(row);
    this.#text += row.message.length;
    while (this.#rows.length > mostRows || this.#text > mostText) this.#text -= this.#rows.shift()!.message.length;
    this.#tell({ row });
    return row;
  }

  judge(row: Row, verdict: RowVerdict): void {
    row.verdict = verdict;
    this.#tell({ id: row.id, verdict });
  }

  clear(): void {
    this.#rows.length = 0;
    this.#text = 0;
    this.#tell({ cleared: true });
  }

  /** Everything so far, then what comes. Returns how to stop, or undefined where too many read. */
  read(reader: Reader): (() => void) | undefined {
    if (this.#readers.size >= mostReaders) return undefined;
    for (const row of this.#rows) reader({ row });
    this.#readers.add(reader);
    return () => void this.#readers.delete(reader);
  }

  #tell(told: Told): void {
    for (const reader of this.#readers) reader(told);
  }
}
