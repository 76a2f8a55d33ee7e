import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { md5 } from "./arena.ts";

const folder = fileURLToPath(new URL("../fixtures/agreement", import.meta.url));

/** What two parsers read differently once, or its twin that both read the same. */
export interface Case {
  /** In test/fixtures/agreement. */
  readonly file: string;
  /** latin1, with the slots of texts.ts. */
  readonly text: string;
  /** `agrees`, or the gateway's code; undefined of a new one. */
  readonly becomes: string | undefined;
  readonly why: string;
}

/** Every file there is, in the list or not. */
export function readCases(): Case[] {
  const list = JSON.parse(readFileSync(join(folder, "cases.json"), "utf8")) as Record<
    string,
    { becomes: string; why: string }
  >;
  const files = readdirSync(folder).filter((file) => file.endsWith(".sip"));
  const names = new Set([...Object.keys(list), ...files]);
  return [...names].sort().map((file) => ({
    file,
    text: readFileSync(join(folder, file), "latin1"),
    becomes: list[file]?.becomes,
    why: list[file]?.why ?? "",
  }));
}

/** A case that is not in the list yet. Returns its path. */
export function writeCase(text: string): string {
  const bytes = Buffer.from(text, "latin1");
  const path = join(folder, `found-${md5(bytes).slice(0, 8)}.sip`);
  writeFileSync(path, bytes);
  return path;
}
