import type { Fault } from "../config/types.ts";
import type { Candidate } from "../store/judge.ts";
import type { Item, Store } from "../store/port.ts";
import type { SealKeys } from "../store/seal.ts";
import { actOf } from "./act.ts";
import { itemsOfCsv } from "./csv.ts";
import { readJson, readText } from "./item-file.ts";
import { print, say } from "./outcome.ts";
import { type Bench, mustBeWritten, refused, withStore } from "./with-store.ts";

export interface ImportOptions {
  readonly config: string;
  readonly csv?: true;
  readonly replace?: true;
  readonly check?: true;
  readonly json?: true;
}

/** All of them in one transaction, or every fault with its line and nothing changed. */
export async function importAll(file: string, options: ImportOptions): Promise<void> {
  const { config, replace = false, check = false, json = false } = options;
  const { candidates, faults } = read(readText(file), options.csv ?? file.endsWith(".csv"));
  (await withStore({ config, make: !check }, (bench) => bring(candidates, faults, bench))) ?? (await onlyLook());

  async function bring(candidates: readonly Candidate[], found: readonly Fault[], bench: Bench): Promise<true> {
    const { store, surroundings, keys } = bench;
    const [{ judge }, { claimsOf }] = await Promise.all([import("../store/judge.ts"), import("../store/claims.ts")]);
    const there = await present(candidates, store);
    const opened = await Promise.all(
      candidates.map((one) => complete(one, keys, there.has(String(one.item.id)) ? store : undefined)),
    );
    const faults = [...found, ...(await judge(opened, surroundings, store))];
    if (!replace) faults.push(...candidates.filter(({ item }) => there.has(String(item.id))).map(already));
    if (faults.length > 0)
      return refused(
        faults.toSorted((a, b) => a.line - b.line),
        json,
        file,
      );
    const edits = opened.map(({ item }) => {
      const id = String(item.id);
      return { kind: "put", id, item, claims: claimsOf(item), ...(!there.has(id) && { expected: 0 }) } as const;
    });
    if (!check) mustBeWritten(await store.write(edits, actOf("customer.import")));
    tell(edits.length - there.size, there.size);
    return true;
  }

  /** There is no store yet, and --check makes none. */
  async function onlyLook(): Promise<void> {
    const { need } = await import("./config-file.ts");
    const { config: whole } = await need(config);
    const [{ judge }, { ownersIn }] = await Promise.all([import("../store/judge.ts"), import("../store/claims.ts")]);
    const surroundings = { owners: ownersIn(whole), callbackNetworks: whole.exchange?.callbackNetworks ?? [] };
    const all = [...faults, ...(await judge(candidates, surroundings, undefined))];
    if (all.length > 0) return refused(all, json, file);
    tell(candidates.length, 0);
  }

  function tell(imported: number, replaced: number): void {
    if (json) print({ ok: true, imported, replaced, faults: [] });
    else say(`${check ? "would be " : ""}imported: ${imported}, replaced: ${replaced}`);
  }
}

function read(text: string, csv: boolean): { candidates: readonly Candidate[]; faults: Fault[] } {
  const candidates: Candidate[] = [];
  const faults: Fault[] = [];
  if (csv) {
    const items = itemsOfCsv(text);
    if (typeof items !== "string") return { candidates: items, faults };
    const [, line = "1", message = items] = /^line ([0-9]+): (.*)$/.exec(items) ?? [];
    return { candidates, faults: [{ path: "", line: Number(line), message }] };
  }
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const item = readJson(line);
    if (typeof item === "string") faults.push({ path: "", line: at + 1, message: item });
    else candidates.push({ item, line: at + 1 });
  }
  return { candidates, faults };
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
  message: "is there already: --replace takes its place",
});

const kept = ["secrets", "keys", "apiKeys", "webhook"] as const;

/** With its sealed secrets opened; where it takes another's place, with the secrets of that one if it says nothing of its own. */
async function complete({ item, line }: Candidate, keys: SealKeys, store: Store | undefined): Promise<Candidate> {
  const [{ isSealed }, { mapSecrets }] = await Promise.all([
    import("../store/seal.ts"),
    import("../store/item-secrets.ts"),
  ]);
  const opened = mapSecrets(item, (secret, list, id) =>
    isSealed(secret) ? (keys.open(secret, [String(item.id), list, id]) ?? "") : secret,
  );
  const before = store && (await store.get(String(item.id)));
  if (before?.kind !== "stored") return { item: opened, line };
  const rest: Record<string, unknown> = {};
  for (const list of kept)
    if (item[list] === undefined && before.item[list] !== undefined) rest[list] = before.item[list];
  return { item: { ...opened, ...rest }, line };
}

/** A page at a time, on a store that others change meanwhile. */
export async function exportAll(config: string): Promise<void> {
  const { mapSecrets } = await import("../store/item-secrets.ts");
  await withStore({ config, make: false }, async ({ store, keys }) => {
    for (let after: string | undefined = ""; after !== undefined; ) {
      const page = await store.list(after, 500);
      for (const record of page) {
        if (record.kind !== "stored") say(`customer ${record.id} is left out: it cannot be read`);
        else write(mapSecrets(record.item, (secret, list, id) => keys.seal(secret, [record.id, list, id])));
        if (record.kind !== "stored") process.exitCode = 1;
      }
      after = page.length === 0 ? undefined : page.at(-1)?.id;
    }
  });
}

const write = (item: Item): void => void process.stdout.write(`${JSON.stringify(item)}\n`);
