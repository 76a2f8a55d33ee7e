import { collect, isMapValue } from "./collect.ts";
import type { Value } from "./walk.ts";

/** Keys that are checked but do nothing yet. An entry leaves this table when its part is built. */
const notBuilt: readonly string[] = ["store", "state", "customers[].permissionUrl"];

/** Those of them that a file sets to something, each once, as it stands in the table. */
export const notAvailable = (root: Value): string[] =>
  notBuilt.filter((key) => collect(root, key).some(({ value }) => says(value)));

/** An empty list, an empty map and what is switched off say nothing. */
function says(value: Value): boolean {
  if (Array.isArray(value)) return value.some(says);
  if (isMapValue(value)) return Object.values(value).some(says);
  return value !== undefined && value !== null && value !== false && value !== "" && value !== "off";
}
