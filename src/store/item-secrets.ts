import type { Item } from "./port.ts";

/** Lists of an item whose entries have an id and may have a secret. Its webhook may have one too, and no id. */
const lists = ["secrets", "keys", "apiKeys"] as const;

export type ChangeSecret = (secret: string, list: string, id: string) => string | undefined;

/** The item with each of its secrets changed; where change gives nothing it stands without. */
export function mapSecrets(item: Item, change: ChangeSecret): Item {
  const changed: Record<string, unknown> = { ...item };
  for (const list of lists) {
    const entries = item[list];
    if (Array.isArray(entries)) changed[list] = entries.map((entry: unknown) => mapEntry(entry, list, change));
  }
  if ("webhook" in item) changed.webhook = mapEntry(item.webhook, "webhook", change);
  return changed;
}

function mapEntry(entry: unknown, list: string, change: ChangeSecret): unknown {
  if (typeof entry !== "object" || entry === null) return entry;
  const { secret, ...rest } = entry as Record<string, unknown>;
  if (typeof secret !== "string") return entry;
  const changed = change(secret, list, String(rest.id ?? ""));
  return changed === undefined ? rest : { ...rest, secret: changed };
}

/** What may be shown. */
export const withoutSecrets = (item: Item): Item => mapSecrets(item, () => undefined);
