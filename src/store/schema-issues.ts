import { customer as schema } from "../config/customer.ts";
import type { report } from "../config/issues.ts";
import type { Item } from "./port.ts";

type Issue = Parameters<typeof report>[0];

/** Entries of a list that are looked at together. */
const atOnce = 200;

/**
 * What the schema says of an item, a part at a time, the whole of it last: of ten thousand entries that are all wrong
 * nobody is told more than the first, and whoever has enough looks at no further part.
 */
export function* schemaIssues(item: Item): Generator<readonly Issue[]> {
  for (const [name, shape] of Object.entries(schema.shape)) {
    const list = item[name];
    if (!Array.isArray(list) || list.length <= atOnce) continue;
    for (let from = 0; from < list.length; from += atOnce) {
      const part = shape.safeParse(list.slice(from, from + atOnce));
      yield (part.error?.issues ?? []).map((issue) => ({ ...issue, path: placed(name, issue.path, from) }));
    }
  }
  yield schema.safeParse(item).error?.issues ?? [];
}

function placed(name: string, [entry, ...rest]: Issue["path"], from: number): Issue["path"] {
  if (entry === undefined) return [name];
  return [name, typeof entry === "number" ? entry + from : entry, ...rest];
}
