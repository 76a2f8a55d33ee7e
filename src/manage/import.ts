import type { Fault } from "../config/types.ts";
import { isJsonObject, type JsonObject, parseStrictJson } from "../core/strict-json.ts";
import { claimsOf } from "../store/claims.ts";
import { mapSecrets } from "../store/item-secrets.ts";
import { type Candidate, judge } from "../store/judge.ts";
import type { Act, Edit, Item, Store, Written } from "../store/port.ts";
import { isSealed, type SealKeys } from "../store/seal.ts";
import type { Desk } from "./change.ts";
import { itemsOfCsv, type Table } from "./csv.ts";
import { idOf } from "./edit.ts";

/** A JWK in an item is the deepest that there is. */
const depth = 6;

/** A sentence where it is no JSON object. */
export function readItem(text: string): JsonObject | string {
  const parsed = parseStrictJson(text, { depth });
  if (parsed.kind === "malformed") return parsed.sentence;
  return isJsonObject(parsed.value) ? parsed.value : "is no JSON object";
}

/** What a file of many says: candidates, and what could not be read, each with its line. */
export type Many = Table;

/** Characters of a line, and faults that are told: enough for one of each customer. */
const longestLine = 1_048_576;
const mostFaults = 20_000;

/** A customer a line. */
export function readLines(text: string): Many {
  const candidates: Candidate[] = [];
  const faults: Fault[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const item = line.length > longestLine ? "is longer than any customer" : readItem(line);
    if (typeof item === "string") faults.push({ path: "", line: at + 1, message: item });
    else candidates.push({ item, line: at + 1 });
  }
  return { candidates, faults };
}

export const readTable: (text: string) => Many = itemsOfCsv;

export interface ImportWish {
  /** Those that are there already are replaced. */
  readonly replace: boolean;
  /** Only say what would be refused. */
  readonly check: boolean;
  /** Opens what an export has sealed. */
  readonly keys: SealKeys;
  readonly act: Act;
}

export type Imported =
  | { readonly kind: "imported"; readonly added: number; readonly replaced: number; readonly revision: number }
  | { readonly kind: "refused"; readonly faults: readonly Fault[] }
  | Exclude<Written, { readonly kind: "written" }>;

/** A store that is not there yet can only be imported into by way of a check. */
export type ImportDesk = Pick<Desk, "surroundings"> & { readonly store: Store | undefined };

/** Customers of one import: others wait as long as it is written. */
export const mostAtOnce = 20_000;

/** All of them in one transaction, or every fault with its line and nothing changed. */
export async function importMany(many: Many, { store, surroundings }: ImportDesk, wish: ImportWish): Promise<Imported> {
  const { replace, check } = wish;
  if (many.candidates.length > mostAtOnce) return { kind: "refused", faults: [tooMany(many)] };
  const there = store ? await present(many.candidates, store) : new Set<string>();
  const whole = await completed(many.candidates, there, wish.keys, store);
  const candidates = whole.map(({ candidate }) => candidate);
  const faults = [...many.faults, ...(await judge(candidates, surroundings, store, mostFaults))];
  if (!replace) faults.push(...many.candidates.filter(({ item }) => there.has(idOf(item))).map(already));
  if (faults.length > 0) return { kind: "refused", faults: faults.toSorted((a, b) => a.line - b.line) };
  const counts = { added: whole.length - there.size, replaced: there.size };
  if (check || whole.length === 0 || !store) return { kind: "imported", ...counts, revision: 0 };
  const written = await store.write(whole.map(putOf), wish.act);
  return written.kind === "written" ? { kind: "imported", ...counts, revision: written.revision } : written;
}

const tooMany = ({ candidates }: Many): Fault => ({
  path: "",
  line: candidates[mostAtOnce]?.line ?? 1,
  message: `is customer ${mostAtOnce + 1}: import at most ${mostAtOnce.toLocaleString("en")} at once, in several files`,
});

/** What somebody else writes meanwhile is not lost. */
const putOf = ({ candidate: { item }, expected }: Whole): Edit => ({
  kind: "put",
  id: idOf(item),
  item,
  claims: claimsOf(item),
  expected,
});

/** Ids that are in the store already. */
async function present(candidates: readonly Candidate[], store: Store): Promise<ReadonlySet<string>> {
  const ids = [...new Set(candidates.map(({ item }) => item.id).filter((id) => typeof id === "string"))];
  const taken = await store.taken(ids.map((value) => ({ kind: "id", value })));
  return new Set(taken.map(({ claim }) => ids[claim]!));
}

const already = ({ line }: Candidate): Fault => ({
  path: "id",
  line,
  message: "is there already: replace (--replace) takes its place",
});

interface Whole {
  readonly candidate: Candidate;
  /** The revision that the customer has in the store. */
  readonly expected: number;
}

/** A store is asked for so many at a time. */
const asked = 100;

async function completed(
  candidates: readonly Candidate[],
  there: ReadonlySet<string>,
  keys: SealKeys,
  store: Store | undefined,
): Promise<Whole[]> {
  const whole: Whole[] = [];
  for (let from = 0; from < candidates.length; from += asked) {
    const some = candidates
      .slice(from, from + asked)
      .map((one) => complete(one, keys, there.has(idOf(one.item)) ? store : undefined));
    whole.push(...(await Promise.all(some)));
  }
  return whole;
}

/** What a line says nothing of stays as it was. */
const kept = ["secrets", "keys", "apiKeys", "webhook", "trunkAuth"] as const;

/** With its sealed secrets opened; where it takes another's place, with the secrets of that one if it says nothing of its own. */
async function complete(
  { item, line }: Candidate,
  keys: SealKeys,
  store: Pick<Store, "get"> | undefined,
): Promise<Whole> {
  const opened = mapSecrets(item, (secret, list, id) =>
    isSealed(secret) ? (keys.open(secret, [idOf(item), list, id]) ?? "") : secret,
  );
  const before = store && (await store.get(idOf(item)));
  const expected = before?.revision ?? 0;
  if (before?.kind !== "stored") return { candidate: { item: opened, line }, expected };
  const rest: Record<string, unknown> = {};
  for (const list of kept)
    if (item[list] === undefined && before.item[list] !== undefined) rest[list] = before.item[list];
  return { candidate: { item: { ...opened, ...rest } satisfies Item, line }, expected };
}
