import type { Fault } from "../config/types.ts";
import type { Config } from "../config.ts";
import type { Desk, Outcome } from "../manage/change.ts";
import type { Edit } from "../manage/edit.ts";
import type { Surroundings } from "../store/judge.ts";
import type { OpenedStore } from "../store/open.ts";
import type { Item, Written } from "../store/port.ts";
import { actOf } from "./act.ts";
import { need } from "./config-file.ts";
import { failure, print, say } from "./outcome.ts";

/** Commands on the store itself, whether a gateway runs or not. */
export interface Bench extends OpenedStore {
  readonly config: Config;
  /** Of the config: what stored customers must agree with. */
  readonly surroundings: Surroundings;
}

interface Wanted {
  readonly config: string;
  /** The store is made where it is not there. */
  readonly make: boolean;
}

/** Undefined where there is no store and none is to be made. A store that cannot be used ends the command, exit 1. */
export async function withStore<Result>(
  { config: file, make }: Wanted,
  work: (bench: Bench) => Promise<Result>,
): Promise<Result | undefined> {
  const { config } = await need(file);
  const [{ openStore }, { surroundingsOf }] = await Promise.all([
    import("../store/open.ts"),
    import("../store/judge.ts"),
  ]);
  const opened = await openStore(config, { make, renew: false }).catch((error: unknown) => failure(sentence(error)));
  if (!opened) return undefined;
  try {
    return await work({ config, ...opened, surroundings: surroundingsOf(config) });
  } finally {
    await opened.store.close();
  }
}

/** An empty list alone would look as if nobody had called. */
export function sayNoStore(): void {
  say("there is no store, so nothing of calls is kept in one: the first postern customer add makes it");
}

const sentence = (error: unknown): string => (error instanceof Error ? error.message : "the store failed");

/** The item of a stored customer. Ends the command, exit 1, where there is none, or it cannot be read. */
export async function itemOf(id: string, { store, config }: Bench): Promise<{ item: Item; revision: number }> {
  const record = await store.get(id);
  if (record?.kind === "stored") return record;
  if (record?.kind === "unreadable") return failure(`customer ${shown(id)} cannot be read: ${record.sentence}`);
  return noSuch(id, config);
}

export function noSuch(id: string, { customers }: Pick<Config, "customers">): never {
  const declared = customers.some((customer) => customer.id === id);
  return failure(
    declared
      ? `customer ${id} is declared in the config file: change it there`
      : `there is no customer ${shown(id)} in the store`,
  );
}

/** What was typed goes to a terminal again only where it can be an id. */
export const shown = (id: string): string => (/^[A-Za-z0-9_.-]{1,64}$/.test(id) ? id : "of that name");

/** Ends the command, exit 1, with every fault; as JSON where asked for. */
export function refused(faults: readonly Fault[], json: boolean): never {
  if (json) print({ ok: false, faults: faults.map(({ path, message }) => ({ path, message })) });
  else for (const { path, message } of faults) say(`${path ? `${path}: ` : ""}${message}`);
  return failure(
    faults.length === 1 ? "refused: nothing was changed" : `refused, with ${faults.length} faults: nothing was changed`,
  );
}

/** What an edit of a stored customer has become. */
export interface Changed<Told> {
  readonly told: Told;
  readonly item: Item;
  readonly revision: number;
}

export interface ChangeOptions {
  readonly config: string;
  readonly json?: boolean | undefined;
  /** How a path in the item is called by who typed the command. */
  readonly path?: ((path: string) => string) | undefined;
}

/** One edit of a stored customer, in one transaction. Ends the command, exit 1, where nothing was changed. */
export async function changeStored<Told>(
  id: string,
  what: (told: Told) => string,
  edit: Edit<Told>,
  { config, json, path }: ChangeOptions,
): Promise<Changed<Told>> {
  const changed = await withStore({ config, make: false }, async (bench) => {
    const { changeCustomer } = await import("../manage/change.ts");
    const outcome = await changeCustomer(id, edit, deskOf(bench), { act: (told) => actOf(what(told), id) });
    return outcome.kind === "changed" ? outcome : notChanged(id, outcome, bench, json ?? false, path);
  });
  return changed ?? noStore(id, config);
}

export const deskOf = ({ store, surroundings }: Bench): Desk => ({
  store,
  surroundings,
  now: () => Math.floor(Date.now() / 1000),
});

/** Ends the command, exit 1, and says why. */
export function notChanged(
  id: string,
  outcome: Exclude<Outcome<unknown>, { readonly kind: "changed" }>,
  { config }: Pick<Bench, "config">,
  json: boolean,
  path = (text: string) => text,
): never {
  switch (outcome.kind) {
    case "refused":
      return refused(
        outcome.faults.map((one) => ({ ...one, path: path(one.path) })),
        json,
      );
    case "absent":
      return failure(`the customer has no ${outcome.what} of that name`);
    case "unknown":
      return noSuch(id, config);
    case "unreadable":
      return failure(`customer ${shown(id)} cannot be read: ${outcome.sentence}`);
    case "stale":
      return failure(`customer ${shown(id)} was changed by somebody else just now: look at it and try again`);
    case "unavailable":
      return failure(`${outcome.sentence}: nothing was changed`);
  }
}

/** Nobody is in a store that is not there. */
export async function noStore(id: string, file: string): Promise<never> {
  return noSuch(id, (await need(file)).config);
}

/** Ends the command, exit 1. */
export function notWritten(written: Exclude<Written, { readonly kind: "written" }>): never {
  switch (written.kind) {
    case "stale":
      return failure(`customer ${written.id} was changed by somebody else just now: look at it and try again`);
    case "taken":
      return failure(`a ${written.claim} was given to customer ${written.owner} just now: nothing was changed`);
    case "unavailable":
      return failure(`${written.sentence}: nothing was changed`);
  }
}
