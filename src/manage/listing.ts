import type { Item, StoredRecord } from "../store/port.ts";

/** A customer in a list. declared: in the config; revision: of a stored one. */
export interface Summary {
  readonly id: string;
  readonly readable: boolean;
  readonly domains: readonly string[];
  readonly secrets: number;
  readonly keys: number;
  readonly suspended: string | null;
  readonly declared: boolean;
  readonly revision?: number;
}

/** next: what to go on after, null at the end. */
export interface Page {
  readonly customers: readonly Summary[];
  readonly next: string | null;
}

export interface PageAsked {
  readonly after: string;
  readonly limit: number;
}

interface DeclaredItem {
  readonly id: string;
  readonly item: Item;
}

/** Those of the config and of the store together, by id. stored: the first after `after`, `limit` at most. */
export function pageOf(
  declared: readonly DeclaredItem[],
  stored: readonly StoredRecord[],
  { after, limit }: PageAsked,
): Page {
  const own = declared.filter(({ id }) => id > after).map(({ id, item }) => ({ ...summary(id, item), declared: true }));
  const all = [...own, ...stored.map(ofRecord)].sort((a, b) => (a.id < b.id ? -1 : 1));
  const customers = all.slice(0, limit);
  const more = all.length > limit || stored.length === limit;
  return { customers, next: more ? (customers.at(-1)?.id ?? null) : null };
}

const ofRecord = (record: StoredRecord): Summary => ({
  ...summary(record.id, record.kind === "stored" ? record.item : undefined),
  declared: false,
  revision: record.revision,
});

function summary(id: string, item: Item | undefined): Omit<Summary, "declared"> {
  const count = (list: unknown): number => (Array.isArray(list) ? list.length : 0);
  return {
    id,
    readable: item !== undefined,
    domains: Array.isArray(item?.domains) ? (item.domains as string[]) : [],
    secrets: count(item?.secrets),
    keys: count(item?.keys),
    suspended: typeof item?.suspended === "string" ? item.suspended : null,
  };
}
