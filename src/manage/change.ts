import type { Fault } from "../config/types.ts";
import { claimsOf } from "../store/claims.ts";
import { judge, type Surroundings } from "../store/judge.ts";
import type { Act, Item, Store, StoredRecord, Written } from "../store/port.ts";
import { type Edit, fault, idOf } from "./edit.ts";
import { dropEnded } from "./revocations.ts";
import { operatorRights, type Rights } from "./rights.ts";

/** Where customers are changed. */
export interface Desk {
  readonly store: Store;
  readonly surroundings: Surroundings;
  /** Unix seconds. */
  readonly now: () => number;
}

export interface Wish<Told> {
  /** For the audit. */
  readonly act: (told: Told) => Act;
  /** One of these revisions the customer must have; absent: whichever it has. */
  readonly expected?: readonly number[] | undefined;
  /** Default: an operator's. */
  readonly rights?: Rights;
  /** Asked before all else: what it refuses is judged no further. */
  readonly room?: Rights | undefined;
}

/** Nothing was changed but where it says so. */
export type Outcome<Told> =
  | { readonly kind: "changed"; readonly revision: number; readonly item: Item; readonly told: Told }
  /** denied: some of it is not this manager's to change. */
  | { readonly kind: "refused"; readonly denied: boolean; readonly faults: readonly Fault[] }
  /** The customer has nothing of that name. */
  | { readonly kind: "absent"; readonly what: string }
  | { readonly kind: "unknown" }
  | { readonly kind: "unreadable"; readonly sentence: string }
  | { readonly kind: "stale" }
  | { readonly kind: "unavailable"; readonly sentence: string };

/** Others may write between reading and writing; then it is done anew on what they wrote. */
const attempts = 5;

/** One edit of one customer: read, made, judged and written in one transaction. */
export function changeCustomer<Told>(
  id: string,
  edit: Edit<Told>,
  desk: Desk,
  wish: Wish<Told>,
): Promise<Outcome<Told>> {
  return repeated<Told>(desk, wish, async (store) => {
    const record = await store.get(id);
    if (record?.kind !== "stored") return notThere(record);
    if (wish.expected && !wish.expected.includes(record.revision)) return { kind: "stale" };
    const made = edit(record.item);
    if (made.kind === "absent") return made;
    if (made.kind === "refused") return { ...made, denied: false };
    const item = dropEnded(made.item, desk.now());
    const crowded = wish.room?.(record.item, item) ?? [];
    if (crowded.length > 0) return { kind: "refused", denied: true, faults: crowded };
    const denied = (wish.rights ?? operatorRights)(record.item, item);
    const faults = [...denied, ...(await judgeOne(item, desk, store))];
    if (faults.length > 0) return { kind: "refused", denied: denied.length > 0, faults: eachPathOnce(faults) };
    const put = { kind: "put", id, item, claims: claimsOf(item), expected: record.revision } as const;
    const written = await store.write([put], wish.act(made.told));
    return written.kind === "written"
      ? { kind: "changed", revision: written.revision, item, told: made.told }
      : written;
  });
}

/** A customer that is not there yet. */
export function addCustomer(given: Item, desk: Desk, wish: Wish<undefined>): Promise<Outcome<undefined>> {
  return repeated(desk, wish, async (store) => {
    const item = dropEnded(given, desk.now());
    const id = idOf(item);
    const faults = await judgeOne(item, desk, store);
    if (id !== "" && (await store.get(id))) faults.push(fault("id", alreadyThere));
    if (faults.length > 0) return { kind: "refused", denied: false, faults: eachPathOnce(faults) };
    const written = await store.write(
      [{ kind: "put", id, item, claims: claimsOf(item), expected: 0 }],
      wish.act(undefined),
    );
    return written.kind === "written"
      ? { kind: "changed", revision: written.revision, item, told: undefined }
      : written;
  });
}

export const alreadyThere = "is there already: change that one, or remove it first";

/** The item is the one that it was. */
export function removeCustomer(id: string, desk: Desk, wish: Wish<undefined>): Promise<Outcome<undefined>> {
  return repeated(desk, wish, async (store) => {
    const record = await store.get(id);
    if (!record || record.kind === "removed") return { kind: "unknown" };
    if (wish.expected && !wish.expected.includes(record.revision)) return { kind: "stale" };
    const written = await store.write([{ kind: "remove", id, expected: record.revision }], wish.act(undefined));
    const item = record.kind === "stored" ? record.item : { id };
    return written.kind === "written"
      ? { kind: "changed", revision: written.revision, item, told: undefined }
      : written;
  });
}

type Attempt<Told> = Outcome<Told> | Exclude<Written, { readonly kind: "written" }>;

/** A store that cannot be read is told as one that cannot be written. */
async function repeated<Told>(
  { store }: Desk,
  { expected }: Wish<Told>,
  attempt: (store: Guarded) => Promise<Attempt<Told>>,
): Promise<Outcome<Told>> {
  try {
    for (let time = 0; time < attempts; time++) {
      const outcome = await attempt(new Guarded(store));
      if (outcome.kind === "taken" || (outcome.kind === "stale" && expected === undefined)) continue;
      return outcome.kind === "stale" ? { kind: "stale" } : outcome;
    }
    return { kind: "unavailable", sentence: "others change the same at the same time: try again" };
  } catch (error) {
    if (error instanceof StoreFailed) return { kind: "unavailable", sentence: error.message };
    throw error;
  }
}

const notThere = (record: Exclude<StoredRecord, { kind: "stored" }> | undefined): Outcome<never> =>
  record?.kind === "unreadable" ? { kind: "unreadable", sentence: record.sentence } : { kind: "unknown" };

const judgeOne = async (item: Item, { surroundings }: Desk, store: Guarded): Promise<Fault[]> => [
  ...(await judge([{ item, line: 1 }], surroundings, store)),
];

function eachPathOnce(faults: readonly Fault[]): Fault[] {
  const first = new Map<string, Fault>();
  for (const one of faults) if (!first.has(one.path)) first.set(one.path, one);
  return [...first.values()];
}

/** Never leaves this file. */
class StoreFailed extends Error {}

/** What the store rejects with is told apart from what is a fault of ours. */
class Guarded implements Pick<Store, "get" | "taken" | "write"> {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get(...asked: Parameters<Store["get"]>): ReturnType<Store["get"]> {
    return this.#store.get(...asked).catch(failed);
  }

  taken(...asked: Parameters<Store["taken"]>): ReturnType<Store["taken"]> {
    return this.#store.taken(...asked).catch(failed);
  }

  write(...asked: Parameters<Store["write"]>): ReturnType<Store["write"]> {
    return this.#store.write(...asked).catch(failed);
  }
}

function failed(error: unknown): never {
  throw new StoreFailed(error instanceof Error ? error.message : "the store failed");
}
