/** Primary result codes of SQLite, as a sentence that follows "the store …". */
const sentences: Readonly<Record<number, string>> = {
  5: "is locked by another program: try again",
  8: "may only be read by this user",
  10: "could not be written to or read from its disk",
  11: "is damaged: restore it from a backup",
  13: "has no room left on its disk",
  14: "cannot be opened: look at the folder and who may write there",
  23: "may not be read by this user",
  26: "is no SQLite database",
};

const files: Readonly<Record<string, string>> = {
  ENOENT: "cannot be made: its folder is not there",
  EACCES: "may not be read or made by this user",
  EROFS: "cannot be made: the file system may only be read",
  EISDIR: "is a folder",
  ENOSPC: "has no room left on its disk",
};

/** What to tell of a fault of the database; what SQLite says of it may quote values, so nothing of it is told. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return "failed";
  if ("errcode" in error && typeof error.errcode === "number") {
    return sentences[error.errcode & 0xff] ?? `failed (SQLite ${error.errcode})`;
  }
  if ("code" in error) return files[String(error.code)] ?? `failed (${String(error.code)})`;
  return error.message;
}
