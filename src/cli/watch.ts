import { unwatchFile, watchFile } from "node:fs";

const everyMs = 1_000;

/** Tells when one of the files was replaced or written to. Looks once a second, for that sees replaced links too. */
export class Watch {
  readonly #changed: () => void;
  #files: readonly string[] = [];

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** These files, and no longer the former ones. */
  follow(files: readonly string[]): void {
    this.stop();
    this.#files = files;
    for (const file of files) {
      watchFile(file, { interval: everyMs, persistent: false }, (now, before) => {
        if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino || now.size !== before.size) this.#changed();
      });
    }
  }

  stop(): void {
    for (const file of this.#files) unwatchFile(file);
  }
}
