import { readBounded } from "../config/file.ts";
import type { JsonObject } from "../core/strict-json.ts";
import { usage } from "./outcome.ts";

/** Bytes: more customers than are imported at once, with many numbers each. */
const largest = 64 * 1024 * 1024;

/** The text of a file or, for -, of stdin. Ends the command, exit 2, where it cannot be read. */
export function readText(file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readBounded(file === "-" ? 0 : file, largest));
  } catch (error) {
    if (error instanceof TypeError) return usage("the file is not UTF-8");
    const reason = error instanceof Error && "code" in error ? String(error.code) : "it is too large";
    return usage(`the file cannot be read (${reason})`);
  }
}

export async function readItemFile(file: string): Promise<JsonObject> {
  const { readItem } = await import("../manage/import.ts");
  const item = readItem(readText(file));
  return typeof item === "string" ? usage(`the file: ${item}`) : item;
}
