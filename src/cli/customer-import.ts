import { someOf } from "../config/faults.ts";
import type { Fault } from "../config/types.ts";
import type { ImportWish, Many } from "../manage/import.ts";
import type { Item } from "../store/port.ts";
import { actOf } from "./act.ts";
import { readText } from "./item-file.ts";
import { failure, print, say, sayFaults } from "./outcome.ts";
import { answerOf, faultsIn, isRemote, mustBeDone, type PlaceOptions } from "./place.ts";
import { jsonOf } from "./terminal.ts";
import { type Bench, notWritten, withStore } from "./with-store.ts";

export interface ImportOptions extends PlaceOptions {
  readonly csv?: true;
  readonly replace?: true;
  readonly check?: true;
}

/** All of them in one transaction, or every fault with its line and nothing changed. */
export async function importAll(file: string, options: ImportOptions): Promise<void> {
  const { config, replace = false, check = false, json = false } = options;
  const { readLines, readTable } = await import("../manage/import.ts");
  const text = readText(file);
  if (isRemote(options)) return bringTo(options, text);
  const many = (options.csv ?? file.endsWith(".csv")) ? readTable(text) : readLines(text);
  (await withStore({ config, make: !check }, (bench) => bring(many, bench))) ?? (await onlyLook());

  async function bring(
    many: Many,
    {
      store,
      surroundings,
      keys,
    }: Pick<Bench, "surroundings" | "keys"> & { readonly store: Bench["store"] | undefined },
  ): Promise<true> {
    const { importMany } = await import("../manage/import.ts");
    const wish: ImportWish = { replace, check, keys, act: actOf("customer.import") };
    const imported = await importMany(many, { store, surroundings }, wish);
    if (imported.kind === "refused") return refused(imported.faults);
    if (imported.kind !== "imported") return notWritten(imported);
    tell(imported);
    return true;
  }

  /** What is wrong with the text itself a gateway says as the store does. */
  async function bringTo(options: ImportOptions, text: string): Promise<void> {
    const query = new URLSearchParams({ replace: String(replace), check: String(check) });
    const type = (options.csv ?? file.endsWith(".csv")) ? "text/csv" : "application/jsonl";
    const request = { method: "POST", path: `/v1/customers/import?${query}`, body: text, type } as const;
    const answer = await answerOf(request, options);
    const faults = faultsIn(answer);
    if (faults.length > 0) return refused(faults);
    tell(mustBeDone(answer, options) as { readonly added: number; readonly replaced: number });
  }

  function tell({ added, replaced }: { readonly added: number; readonly replaced: number }): void {
    if (json) print({ ok: true, imported: added, replaced, refused: 0, faults: [] });
    else say(`${check ? "would be " : ""}imported: ${added}, replaced: ${replaced}`);
  }

  /** Ends the command, exit 1. As JSON it is all of them, on a terminal those that somebody may read. */
  function refused(faults: readonly Fault[]): never {
    const lines = new Set(faults.map(({ line }) => line)).size;
    if (json) print({ ok: false, imported: 0, replaced: 0, refused: lines, faults });
    else sayFaults(file, someOf(faults));
    return failure(`${lines} of its lines are refused, with ${faults.length} faults: nothing was changed`);
  }

  /** There is no store yet, and --check makes none. */
  async function onlyLook(): Promise<void> {
    const { need } = await import("./config-file.ts");
    const { config: whole } = await need(config);
    const [{ surroundingsOf }, { SealKeys }] = await Promise.all([
      import("../store/judge.ts"),
      import("../store/seal.ts"),
    ]);
    await bring(many, { store: undefined, surroundings: surroundingsOf(whole), keys: new SealKeys([""]) });
  }
}

/** A page at a time, on a store that others change meanwhile. */
export async function exportAll(config: string): Promise<void> {
  const { mapSecrets } = await import("../store/item-secrets.ts");
  await withStore({ config, make: false }, async ({ store, keys, audit }) => {
    await audit.append([actOf("customer.export")]).catch((error: unknown) => unnoted(error));
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

const unnoted = (error: unknown): void =>
  say(`this use is not in the audit: ${error instanceof Error ? error.message : "the store failed"}`);

const write = (item: Item): void => void process.stdout.write(`${jsonOf(item)}\n`);
