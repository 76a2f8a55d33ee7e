import { dirname, resolve } from "node:path";
import type { z } from "zod";
import { assemble } from "./assemble.ts";
import { notAvailable } from "./available.ts";
import { at, isMapValue, put } from "./collect.ts";
import { Faults, type Path } from "./faults.ts";
import { largestFile, readBounded } from "./file.ts";
import { report } from "./issues.ts";
import { checkTls, readSecrets, whyUnreadable } from "./outside.ts";
import { readTree, type Tree } from "./read.ts";
import { checkRules } from "./rules.ts";
import { type Parsed, schema } from "./schema.ts";
import type { Loaded } from "./types.ts";

/** The config in a file, or every fault of it at once, by line. Never throws for what a file holds. */
export function loadConfig(path: string, env: NodeJS.ProcessEnv): Loaded {
  const faults = new Faults();
  const text = readText(path, faults);
  const tree = text === undefined ? undefined : readTree(text, env, faults);
  const own = resolve(path);
  if (tree === undefined) return { kind: "faults", faults: faults.list(), files: [own] };
  if (!isMapValue(tree.root)) {
    if (!faults.any) faults.addAt(1, tree.root == null ? "the file is empty" : "is no map of keys and values");
    return { kind: "faults", faults: faults.list(), files: [own] };
  }
  const folder = dirname(own);
  const secrets = readSecrets(tree.root, folder, faults);
  const pems = checkTls(tree.root, folder, faults);
  const files = [own, ...new Set([...secrets, ...pems])];
  const parsed = parse(tree, faults);
  checkRules(tree.root, faults);
  if (parsed === undefined || faults.any) return { kind: "faults", faults: faults.list(), files };
  const config = assemble(parsed, folder);
  return { kind: "config", config, files, notAvailable: notAvailable(tree.root) };
}

function readText(path: string, faults: Faults): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readBounded(path, largestFile));
  } catch (error) {
    if (error instanceof TypeError) faults.addAt(1, "the file is not UTF-8");
    else if (error instanceof RangeError)
      faults.addAt(1, `the file ${error.message}: many customers belong in the store`);
    else faults.addAt(1, `the config file ${whyUnreadable(error)}`);
    return undefined;
  }
}

/**
 * One pass by the schema, and a second one where a value that is one `${…}` and nothing else stood in the place of a
 * number or a boolean: environment variables are always text.
 */
function parse(tree: Tree, faults: Faults): Parsed | undefined {
  const first = schema.safeParse(tree.root);
  const again = !first.success && coerce(tree, first.error.issues) ? schema.safeParse(tree.root) : first;
  if (again.success) return again.data;
  for (const issue of again.error.issues) report(issue, tree.root, faults);
  return undefined;
}

function coerce(tree: Tree, issues: readonly z.core.$ZodIssue[]): boolean {
  let changed = false;
  for (const issue of issues) {
    const path = issue.path as Path;
    const value = at(tree.root, path);
    if (!tree.expanded.has(JSON.stringify(path)) || typeof value !== "string") continue;
    const meant = issue.code === "invalid_type" || issue.code === "invalid_union" ? scalarOf(value) : undefined;
    if (meant === undefined) continue;
    put(tree.root, path, meant);
    changed = true;
  }
  return changed;
}

function scalarOf(value: string): number | boolean | undefined {
  if (value === "true" || value === "false") return value === "true";
  return /^-?[0-9]{1,15}$/.test(value) ? Number(value) : undefined;
}
