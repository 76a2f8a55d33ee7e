import { type FileHandle, open, stat } from "node:fs/promises";
import type { CallRecord } from "../core/calls.ts";
import type { Log } from "../telemetry/log.ts";

export interface RecordFileParts {
  /** Absolute; asked anew each time, for a reload may change it. Undefined: none. */
  readonly path: () => string | undefined;
  readonly log: Log;
  /** So many records were not written and never will be. */
  readonly lost: (count: number) => void;
}

/** Lines that wait for a disk that takes nothing. */
const mostLines = 10_000;

/** Calls that have ended, a line of JSON each, appended. A file that was moved away is made anew. */
export class RecordFile {
  readonly #parts: RecordFileParts;
  readonly #lines: string[] = [];
  #file: { readonly handle: FileHandle; readonly path: string; readonly inode: number } | undefined;
  #troubled = false;

  constructor(parts: RecordFileParts) {
    this.#parts = parts;
  }

  get waiting(): number {
    return this.#lines.length;
  }

  add(record: CallRecord): void {
    if (this.#parts.path() === undefined) return;
    if (this.#lines.length >= mostLines) this.#parts.lost(1);
    else this.#lines.push(`${JSON.stringify(record)}\n`);
  }

  /** Never rejects: what could not be written stays. One at a time. */
  async flush(): Promise<void> {
    const path = this.#parts.path();
    if (path === undefined) this.#lines.length = 0;
    if (path === undefined || this.#lines.length === 0) return;
    const lines = this.#lines.slice();
    try {
      const handle = await this.#opened(path);
      // What a full disk took of a line is not to be the beginning of another.
      await handle.appendFile(this.#troubled ? `\n${lines.join("")}` : lines.join(""));
      this.#lines.splice(0, lines.length);
      if (this.#troubled) this.#parts.log.info({ path }, "call records are written to their file again");
      this.#troubled = false;
    } catch (error) {
      this.#complain(path, error);
    }
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#file?.handle.close();
    this.#file = undefined;
  }

  async #opened(path: string): Promise<FileHandle> {
    const there = await stat(path).catch(() => undefined);
    if (this.#file && this.#file.path === path && this.#file.inode === there?.ino) return this.#file.handle;
    await this.#file?.handle.close();
    this.#file = undefined;
    const handle = await open(path, "a", 0o600);
    this.#file = { handle, path, inode: (await handle.stat()).ino };
    return handle;
  }

  #complain(path: string, error: unknown): void {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    if (!this.#troubled) this.#parts.log.error({ path, reason }, "call records cannot be written to their file");
    this.#troubled = true;
  }
}
