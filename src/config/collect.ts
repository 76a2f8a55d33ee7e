import type { Path } from "./faults.ts";
import type { Value, ValueMap } from "./walk.ts";

export interface Found {
  readonly path: Path;
  readonly value: Value;
}

export const isMapValue = (value: Value): value is ValueMap =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Everything that stands at a pattern like `customers[].secrets[].id`, whatever its type, in the file's order. Rules
 * that compare several places use it, for it finds the sound parts of a config whose other parts are faulty.
 */
export function collect(root: Value, pattern: string): Found[] {
  let found: Found[] = [{ path: [], value: root }];
  for (const step of pattern.replaceAll("[]", ".[]").split(".")) {
    found = found.flatMap((at) => (step === "[]" ? entries(at) : member(at, step)));
  }
  return found;
}

/** Only the texts among them. */
export const texts = (root: Value, ...patterns: readonly string[]): { path: Path; value: string }[] =>
  patterns.flatMap((pattern) =>
    collect(root, pattern).flatMap(({ path, value }) => (typeof value === "string" ? [{ path, value }] : [])),
  );

const entries = ({ path, value }: Found): Found[] =>
  Array.isArray(value) ? value.map((entry, index) => ({ path: [...path, index], value: entry })) : [];

const member = ({ path, value }: Found, key: string): Found[] =>
  isMapValue(value) && value[key] !== undefined ? [{ path: [...path, key], value: value[key] }] : [];

/** What a path names, undefined where there is nothing. */
export function at(root: Value, path: Path): Value {
  let value = root;
  for (const step of path) {
    if (Array.isArray(value) && typeof step === "number") value = value[step];
    else if (isMapValue(value) && typeof step === "string") value = value[step];
    else return undefined;
  }
  return value;
}

/** Puts a value where the path names an existing entry. */
export function put(root: Value, path: Path, value: Value): void {
  const parent = at(root, path.slice(0, -1));
  const step = path.at(-1);
  if (Array.isArray(parent) && typeof step === "number") parent[step] = value;
  else if (isMapValue(parent) && typeof step === "string") parent[step] = value;
}
