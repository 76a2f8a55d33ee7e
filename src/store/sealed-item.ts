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

/** A row of a customer. item: null where it was removed; since: of a removed one when, else as in port.ts. */
export interface Kept {
  readonly id: string;
  readonly revision: number;
  readonly item: string | null;
  readonly since: number | null;
}

export function recordOf(keys: SealKeys, { id, revision, item: text, since }: Kept): StoredRecord {
  if (text === null) return { kind: "removed", id, revision };
  const item = openItem(keys, id, text);
  if (!item) return { kind: "unreadable", id, revision, sentence: foreign };
  return { kind: "stored", id, revision, item, ...(since !== null && { since }) };
}

const foreign = "a secret of it does not open: it was sealed under another key, or put there by hand";
