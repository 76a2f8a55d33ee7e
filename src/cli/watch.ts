import { statSync } from "node:fs";

const everyMs = 500;

/** What tells one state of a file from another, replaced links included; undefined where it is not there. */
export type Print = string | undefined;

export function printOf(file: string): Print {
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    return found && `${found.ino} ${found.size} ${found.mtimeMs}`;
  } catch (error) {
    // A change like any other: whoever reads the file says what is wrong with it.
    return error instanceof Error && "code" in error ? String(error.code) : "unreadable";
  }
}

/**
 * Tells when one of the files was replaced or written to, once all of them have stayed the same from one look to the
 * next: half a config may be one that allows more. What a file was is remembered from before it was read, so that a
 * change that falls into the reading is not missed.
 */
export class Watch {
  readonly #changed: () => void;
  readonly #timer: NodeJS.Timeout;
  #prints = new Map<string, Print>();
  /** Of those that have changed: what they were at the latest look. */
  #seen = new Map<string, Print>();

  constructor(changed: () => void) {
    this.#changed = changed;
    this.#timer = setInterval(() => this.#look(), everyMs);
    this.#timer.unref();
  }

  /** What the followed files are now; to be taken before they are read. */
  prints(): ReadonlyMap<string, Print> {
    return new Map([...this.#prints.keys()].map((file) => [file, printOf(file)]));
  }

  /** These files from now on, as they were before they were read; a file that is new here counts as changed. */
  follow(files: readonly string[], before: ReadonlyMap<string, Print>): void {
    this.#prints = new Map(files.map((file) => [file, before.has(file) ? before.get(file) : "new"]));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const changed = new Map<string, Print>();
    for (const [file, before] of this.#prints) {
      const now = printOf(file);
      if (now !== before) changed.set(file, now);
    }
    const settled = [...changed].every(([file, now]) => this.#seen.has(file) && this.#seen.get(file) === now);
    this.#seen = settled ? new Map() : changed;
    if (!settled || changed.size === 0) return;
    for (const [file, now] of changed) this.#prints.set(file, now);
    this.#changed();
  }
}
