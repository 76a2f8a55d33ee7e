import type { z } from "zod";
import { at } from "./collect.ts";
import type { Faults, Path } from "./faults.ts";
import type { Value } from "./walk.ts";

/** One issue of the schema as faults, in sentences that never repeat a value. */
export function report(issue: z.core.$ZodIssue, root: Value, faults: Faults): void {
  const path = issue.path as Path;
  if (issue.code === "unrecognized_keys") {
    const sentences = issue.message.split("\n");
    for (const [index, key] of issue.keys.entries())
      faults.add([...path, key], sentences[index] ?? "is not a known key");
    return;
  }
  faults.add(path, sentenceOf(issue, at(root, path)));
}

function sentenceOf(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === undefined) return "is required";
  switch (issue.code) {
    case "invalid_type":
      return mustBe(issue.expected, value);
    case "invalid_value":
      return `must be ${issue.values.length > 1 ? "one of " : ""}${issue.values.join(", ")}`;
    case "too_small":
      return issue.origin === "array" ? "needs at least one entry" : `must be at least ${issue.minimum}`;
    case "too_big":
      return issue.origin === "array" ? `has more than ${issue.maximum} entries` : `must be at most ${issue.maximum}`;
    case "invalid_key":
      return issue.issues[0]?.message ?? "is no key that may stand here";
    default:
      return issue.message;
  }
}

const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a map of keys and values",
  record: "a map of keys and values",
};

function mustBe(expected: string, value: unknown): string {
  const quotes = expected === "string" && (typeof value === "number" || typeof value === "boolean");
  return `must be ${kinds[expected] ?? expected}${quotes ? ": put it in quotes" : ""}`;
}
