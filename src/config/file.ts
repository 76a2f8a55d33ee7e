import { closeSync, openSync, readSync } from "node:fs";

/** Bytes. Reading YAML costs 1 s for every few thousand customers: more of them belong in the store. */
export const largestFile = 4 * 1024 * 1024;

/** All of a file (a path, or an open descriptor; it may be a pipe). More bytes than `limit` are a RangeError; throws what node:fs throws. */
export function readBounded(source: string | number, limit: number): Buffer {
  if (typeof source === "number") return readAll(source, limit);
  const file = openSync(source, "r");
  try {
    return readAll(file, limit);
  } finally {
    closeSync(file);
  }
}

function readAll(file: number, limit: number): Buffer {
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
}
