import type { Fault } from "../config/types.ts";
import { isJsonObject, type JsonObject, parseStrictJson } from "../core/strict-json.ts";
import { claimsOf } from "../store/claims.ts";
import { mapSecrets } from "../store/item-secrets.ts";
import { type Candidate, judge } from "../store/judge.ts";
import type { Act, Item, Store, Written } from "../store/port.ts";
import { isSealed, type SealKeys } from "../store/seal.ts";
import type { Desk } from "./change.ts";
import { itemsOfCsv } from "./csv.ts";

/** A JWK in an item is the deepest that there is. */
const depth = 6;

/** A sentence where it is no JSON object. */
export function readItem(text: string): JsonObject | string {
  const parsed = parseStrictJson(text, { depth });
  if (parsed.kind === "malformed") return parsed.sentence;
  return isJsonObject(parsed.value) ? parsed.value : "is no JSON object";
}

/** What a file of many says: candidates, and what could not be read, each with its line. */
export interface Many {
  readonly candidates: readonly Candidate[];
  readonly faults: readonly Fault[];
}

/** A customer a line. */
export function readLines(text: string): Many {
  const candidates: Candidate[] = [];
  const faults: Fault[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const item = readItem(line);
    if (typeof item === "string") faults.push({ path: "", line: at + 1, message: item });
    else candidates.push({ item, line: at + 1 });
  }
  return { candidates, faults };
}

export function readTable(text: string): Many {
  const items = itemsOfCsv(text);
  if (typeof items !== "string") return { candidates: items, faults: [] };
  const [, line = "1", message = items] = /^line ([0-9]+): (.*)$/.exec(items) ?? [];
  return { candidates: [], faults: [{ path: "", line: Number(line), message }] };
}

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

/** All of them in one transaction, or every fault with its line and nothing changed. */
export async function importMany(many: Many, { store, surroundings }: ImportDesk, wish: ImportWish): Promise<Imported> {
  const { replace, check, keys } = wish;
  const there = store ? await present(many.candidates, store) : new Set<string>();
  const whole = await Promise.all(
    many.candidates.map((one) => complete(one, keys, there.has(String(one.item.id)) ? store : undefined)),
  );
  const faults = [...many.faults, ...(await judge(whole, surroundings, store))];
  if (!replace) faults.push(...many.candidates.filter(({ item }) => there.has(String(item.id))).map(already));
  if (faults.length > 0) return { kind: "refused", faults: faults.toSorted((a, b) => a.line - b.line) };
  const edits = whole.map(({ item }) => {
    const id = String(item.id);
    return { kind: "put", id, item, claims: claimsOf(item), ...(!there.has(id) && { expected: 0 }) } as const;
  });
  const counts = { added: edits.length - there.size, replaced: there.size };
  if (check || edits.length === 0 || !store) return { kind: "imported", ...counts, revision: 0 };
  const written = await store.write(edits, wish.act);
  return written.kind === "written" ? { kind: "imported", ...counts, revision: written.revision } : written;
}

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

/** What a line says nothing of stays as it was. */
const kept = ["secrets", "keys", "apiKeys", "webhook"] as const;

/** With its sealed secrets opened; where it takes another's place, with the secrets of that one if it says nothing of its own. */
export async function complete(
  { item, line }: Candidate,
  keys: SealKeys,
  store: Pick<Store, "get"> | undefined,
): Promise<Candidate> {
  const opened = mapSecrets(item, (secret, list, id) =>
    isSealed(secret) ? (keys.open(secret, [String(item.id), list, id]) ?? "") : secret,
  );
  const before = store && (await store.get(String(item.id)));
  if (before?.kind !== "stored") return { item: opened, line };
  const rest: Record<string, unknown> = {};
  for (const list of kept)
    if (item[list] === undefined && before.item[list] !== undefined) rest[list] = before.item[list];
  return { item: { ...opened, ...rest } satisfies Item, line };
}
