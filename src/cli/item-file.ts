import { readBounded } from "../config/file.ts";
import { isJsonObject, type JsonObject, parseStrictJson } from "../core/strict-json.ts";
import { usage } from "./outcome.ts";

/** Bytes. Some hundred thousand customers. */
const largest = 256 * 1024 * 1024;
/** A JWK in an item is the deepest that there is. */
const depth = 6;

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

/** A sentence where it is no JSON object. */
export function readJson(text: string): JsonObject | string {
  const parsed = parseStrictJson(text, { depth });
  if (parsed.kind === "malformed") return parsed.sentence;
  return isJsonObject(parsed.value) ? parsed.value : "is no JSON object";
}

export function readItemFile(file: string): JsonObject {
  const item = readJson(readText(file));
  return typeof item === "string" ? usage(`the file: ${item}`) : item;
}
