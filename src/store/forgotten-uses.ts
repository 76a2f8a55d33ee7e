import type { Use, UsedKind } from "../core/uses.ts";
import type { Item } from "./port.ts";

const lists: Readonly<Record<string, UsedKind>> = { secrets: "secret", keys: "key", apiKeys: "apiKey" };
/** What a secret or key is; all else of it may change while it stays the same. */
const material = ["secret", "jwk", "pem", "jwksUri"] as const;

/** What has no uses any more: it is gone, or another one has its id. */
export function forgottenBy(before: Item | undefined, after: Item): Pick<Use, "kind" | "id">[] {
  return Object.entries(lists).flatMap(([list, kind]) => {
    const left = new Map(entriesOf(after, list).map((entry) => [entry.id, materialOf(entry)]));
    return entriesOf(before, list)
      .filter((entry) => left.get(entry.id) !== materialOf(entry))
      .map(({ id }) => ({ kind, id: String(id) }));
  });
}

type Entry = Readonly<Record<string, unknown>>;

const entriesOf = (item: Item | undefined, list: string): readonly Entry[] =>
  Array.isArray(item?.[list]) ? item[list].filter((one) => typeof one === "object" && one !== null) : [];

const materialOf = (entry: Entry): string => JSON.stringify(material.map((name) => entry[name] ?? null));
