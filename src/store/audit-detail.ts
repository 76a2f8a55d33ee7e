import type { Entry } from "./chain.ts";
import type { Act, Edit, Item } from "./port.ts";

type Detail = Readonly<Record<string, unknown>>;

/** Lists of entries with an id: nothing of them but their ids is told. */
const entries = ["secrets", "keys", "apiKeys"];
/** Lists of texts that may be shown. */
const texts = ["domains", "numbers", "origins", "callFrom", "dial", "methods", "passHeaders"];
/** Values that may be shown. */
const values = [
  "trunk",
  "trunk2",
  "trunkFormat",
  "trunkTrusted",
  "callerId",
  "maxTtl",
  "clockSkew",
  "originReports",
  "suspended",
  "limits",
  "ceilings",
];

/** Texts of one list. */
const most = 20;
/** Characters of a text, and of all. */
const longest = { text: 255, detail: 4_096 } as const;

/** What an edit adds to the audit. before: the customer as it was, as far as its secrets open. */
export const entryOf = (act: Act, edit: Edit, before: Item | undefined, revision: number): Entry => ({
  act: { ...act, customer: edit.id },
  detail: detailOf(before, edit.kind === "put" ? edit.item : undefined, revision),
});

/**
 * What a change did to a customer, items with their secrets in the clear. Of members that are named in none of the lists
 * only the name is told: what is not known to be harmless may be a secret.
 */
export function detailOf(before: Item | undefined, after: Item | undefined, revision: number): Detail {
  if (!after) return { revision, removed: true };
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after)])].filter(
    (name) => name !== "id" && !same(before?.[name], after[name]),
  );
  const told = Object.fromEntries(names.flatMap((name) => shown(name, before?.[name], after[name])));
  const fresh = before ? {} : { created: true };
  const whole = { revision, ...fresh, changed: names, ...told };
  if (JSON.stringify(whole).length <= longest.detail) return whole;
  const short = { revision, ...fresh, changed: names };
  return JSON.stringify(short).length <= longest.detail ? short : { revision, ...fresh };
}

function shown(name: string, before: unknown, after: unknown): [string, unknown][] {
  if (entries.includes(name)) return [[name, ofEntries(list(before), list(after))]];
  if (name === "revoked") return [[name, ofTexts(list(before).map(revocationText), list(after).map(revocationText))]];
  if (texts.includes(name)) return [[name, ofTexts(list(before), list(after))]];
  if (values.includes(name)) return [[name, { before: before ?? null, after: after ?? null }]];
  return [];
}

function ofTexts(before: readonly unknown[], after: readonly unknown[]): Detail {
  const [had, has] = [new Set(before), new Set(after)];
  return pick({
    added: after.filter((one) => !had.has(one)),
    removed: before.filter((one) => !has.has(one)),
  });
}

function ofEntries(before: readonly unknown[], after: readonly unknown[]): Detail {
  const [had, has] = [byId(before), byId(after)];
  const ids = [...has.keys()];
  return pick({
    added: ids.filter((id) => !had.has(id)),
    removed: [...had.keys()].filter((id) => !has.has(id)),
    changed: ids.filter((id) => had.has(id) && !same(had.get(id), has.get(id))),
  });
}

/** Those that are not empty; an order that changed is no addition. */
function pick(lists: Readonly<Record<string, readonly unknown[]>>): Detail {
  const told: Record<string, unknown> = {};
  for (const [name, all] of Object.entries(lists)) {
    if (all.length > 0) told[name] = all.slice(0, most).map((one) => String(one).slice(0, longest.text));
    if (all.length > most) told[`${name}More`] = all.length - most;
  }
  return Object.keys(told).length > 0 ? told : { reordered: true };
}

const byId = (all: readonly unknown[]): Map<string, unknown> =>
  new Map(all.map((one) => [String((one as { readonly id?: unknown } | null)?.id), one]));

/** Who or what, by a name that every request shows anyhow, and until when: `user alice until 1767225600, end`. */
function revocationText(entry: unknown): string {
  const { until, calls = "end", ...named } = (entry ?? {}) as Readonly<Record<string, unknown>>;
  const [[kind, name] = ["?", ""]] = Object.entries(named);
  return `${kind} ${String(name).slice(0, 200)} until ${until}, ${calls}`;
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
