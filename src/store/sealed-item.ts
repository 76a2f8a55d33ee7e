import { mapSecrets } from "./item-secrets.ts";
import type { Item, StoredRecord } from "./port.ts";
import type { SealKeys } from "./seal.ts";

/** The text of an item as it is kept: each secret bound to its customer, list and id. */
export const sealItem = (keys: SealKeys, customer: string, item: Item): string =>
  JSON.stringify(mapSecrets(item, (secret, list, id) => keys.seal(secret, [customer, list, id])));

/**
 * Undefined where a secret does not open: it was sealed under another key, or moved here from elsewhere; and for what is
 * no item at all.
 */
export function openItem(keys: SealKeys, customer: string, text: string): Item | undefined {
  const sealed = read(text);
  if (!sealed) return undefined;
  let whole = true;
  const item = mapSecrets(sealed, (sealed, list, id) => {
    const secret = keys.open(sealed, [customer, list, id]);
    whole &&= secret !== undefined;
    return secret;
  });
  return whole ? item : undefined;
}

/** Without the secrets that do not open. */
export const openAsFar = (keys: SealKeys, customer: string, text: string): Item =>
  mapSecrets(read(text) ?? {}, (sealed, list, id) => keys.open(sealed, [customer, list, id]));

function read(text: string): Item | undefined {
  try {
    const item: unknown = JSON.parse(text);
    return typeof item === "object" && item !== null && !Array.isArray(item) ? (item as Item) : undefined;
  } catch {
    return undefined; // put there by hand, or damaged: what the parser says of it may quote it
  }
}

/** text: of the item; null where it was removed. */
export function recordOf(keys: SealKeys, who: { id: string; revision: number }, text: string | null): StoredRecord {
  if (text === null) return { kind: "removed", ...who };
  const item = openItem(keys, who.id, text);
  return item ? { kind: "stored", ...who, item } : { kind: "unreadable", ...who, sentence: foreign };
}

const foreign = "a secret of it does not open: it was sealed under another key, or put there by hand";
