/** Bytes [start, end) of a message replaced by text (latin1). */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The message with the edits made and every other byte as it was. edits: sorted by start, not overlapping. */
export function splice(bytes: Buffer, edits: readonly Edit[]): Buffer {
  let length = bytes.length;
  for (const edit of edits) length += edit.text.length - (edit.end - edit.start);
  const result = Buffer.allocUnsafe(length);
  let from = 0;
  let at = 0;
  for (const edit of edits) {
    at += bytes.copy(result, at, from, edit.start);
    if (edit.text !== "") at += result.write(edit.text, at, "latin1");
    from = edit.end;
  }
  bytes.copy(result, at, from);
  return result;
}
