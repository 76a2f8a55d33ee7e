import { collect, isMapValue } from "./collect.ts";
import type { Value } from "./walk.ts";

/** Keys that are checked but do nothing yet, but for such values. An entry leaves this table when its part is built. */
const notBuilt: Readonly<Record<string, (value: string) => boolean>> = {
  state: (value) => value === "memory",
};

/** Those of them that a file sets to something, each once, as it stands in the table. */
export const notAvailable = (root: Value): string[] =>
  Object.entries(notBuilt)
    .filter(([key, built]) => collect(root, key).some(({ value }) => says(value) && !built(String(value))))
    .map(([key]) => key);

/** An empty list, an empty map and what is switched off say nothing. */
function says(value: Value): boolean {
  if (Array.isArray(value)) return value.some(says);
  if (isMapValue(value)) return Object.values(value).some(says);
  return value !== undefined && value !== null && value !== false && value !== "" && value !== "off";
}
