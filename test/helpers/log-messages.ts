import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const src = fileURLToPath(new URL("../../src", import.meta.url));

export interface LogCall {
  /** Under src. */
  readonly file: string;
  readonly level: string;
  /** What it may say; of a template the part before its first value. None where the message is no literal. */
  readonly messages: readonly string[];
  /** The source of the message. */
  readonly source: string;
}

/** Every call of a log in src, as the sources have it. */
export function logCalls(): LogCall[] {
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
  return files.flatMap((file) => callsIn(file, readFileSync(join(src, file), "utf8")));
}

export function callsIn(file: string, text: string): LogCall[] {
  return [...text.matchAll(/\blog\??\.(trace|debug|info|warn|error|fatal)\(/g)].map((found) => {
    const source = lastArgument(text, found.index + found[0].length);
    return { file, level: found[1] ?? "", messages: literals(source), source };
  });
}

/** The last argument of a call; from: just behind its opening parenthesis. */
function lastArgument(text: string, from: number): string {
  let [depth, begin, at] = [0, from, from];
  for (; at < text.length; at++) {
    const character = text[at] ?? "";
    if (`"'\``.includes(character)) at = endOfString(text, at);
    else if ("([{".includes(character)) depth++;
    else if (")]}".includes(character) && depth-- === 0) break;
    else if (character === "," && depth === 0 && text.slice(at + 1).trimStart()[0] !== ")") begin = at + 1;
  }
  return text.slice(begin, at).replace(/,\s*$/, "").trim();
}

function endOfString(text: string, at: number): number {
  for (let end = at + 1; end < text.length; end++) {
    if (text[end] === "\\") end++;
    else if (text[end] === text[at]) return end;
  }
  return text.length;
}

/** A literal, or both branches of a condition. */
function literals(source: string): string[] {
  const branches = /\?([\s\S]*):([\s\S]*)$/.exec(source.replace(/^(["'`])[\s\S]*\1$/, ""));
  const parts = branches ? [branches[1] ?? "", branches[2] ?? ""] : [source];
  return parts.flatMap((part) => /^(["'`])([\s\S]*)\1$/.exec(part.trim())?.[2]?.split("${", 1)[0] ?? []);
}
