import type { Fault } from "../config/types.ts";
import type { Item } from "../store/port.ts";

/** What became of a customer's item in an edit that has not been judged yet. */
export type Made<Told> =
  /** told: what whoever asked is told of it, maybe a secret, this once. */
  | { readonly kind: "made"; readonly item: Item; readonly told: Told }
  | { readonly kind: "refused"; readonly faults: readonly Fault[] }
  /** There is nothing of that name in it. what: "secret", "origin". */
  | { readonly kind: "absent"; readonly what: string };

/** Pure: it may be asked again with what somebody else has written meanwhile. */
export type Edit<Told> = (item: Item) => Made<Told>;

export const made = <Told>(item: Item, told: Told): Made<Told> => ({ kind: "made", item, told });

export const refused = (
  ...faults: readonly Fault[]
): { readonly kind: "refused"; readonly faults: readonly Fault[] } => ({
  kind: "refused",
  faults,
});

export const absent = (what: string): { readonly kind: "absent"; readonly what: string } => ({ kind: "absent", what });

/** A fault that stands in no file. */
export const fault = (path: string, message: string): Fault => ({ path, line: 1, message });

/** An entry of secrets, keys or apiKeys. */
export type Entry = Readonly<Record<string, unknown>> & { readonly id: string };

export const entriesOf = (item: Item, list: string): readonly Entry[] => {
  const entries = item[list];
  return Array.isArray(entries) ? (entries as Entry[]) : [];
};

/** Empty for what is no text, which the schema tells. */
export const idOf = ({ id }: Item): string => (typeof id === "string" ? id : "");

export const textsOf = (item: Item, list: string): readonly string[] => {
  const entries = item[list];
  return Array.isArray(entries) ? (entries as string[]) : [];
};

/** Without the member where nothing is left in it. */
export function withMember(item: Item, name: string, value: unknown): Item {
  const { [name]: _before, ...rest } = item;
  return value === undefined ? rest : { ...rest, [name]: value };
}
