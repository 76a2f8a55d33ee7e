import { closeSync, openSync, readSync } from "node:fs";

/** Bytes. Reading YAML costs 1 s for every few thousand customers: more of them belong in the store. */
export const largestFile = 4 * 1024 * 1024;

/** At most `limit` bytes of a file, more being a RangeError; it may be a pipe. Throws what node:fs throws. */
export function readBounded(path: string, limit: number): Buffer {
  const file = openSync(path, "r");
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for (;;) {
      const chunk = Buffer.alloc(Math.min(65_536, limit + 1));
      const count = readSync(file, chunk);
      if (count === 0) return Buffer.concat(chunks);
      size += count;
      if (size > limit) throw new RangeError(`is larger than ${limit} bytes`);
      chunks.push(chunk.subarray(0, count));
    }
  } finally {
    closeSync(file);
  }
}
