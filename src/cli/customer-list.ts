import type { Config } from "../config.ts";
import type { Page } from "../manage/listing.ts";
import type { Item } from "../store/port.ts";
import { need } from "./config-file.ts";
import { failure, print, say } from "./outcome.ts";
import { askFor, isRemote, type PlaceOptions, pathOf } from "./place.ts";
import { jsonOf, row } from "./terminal.ts";
import { itemOf, noSuch, withStore } from "./with-store.ts";

export interface ListOptions extends PlaceOptions {
  readonly after: string;
  readonly limit: number;
}

/** `postern customer list`. */
export async function listAll(options: ListOptions): Promise<void> {
  const limit = Math.min(Math.max(options.limit, 1), 500);
  const page = isRemote(options) ? await listRemote({ ...options, limit }) : await listLocal({ ...options, limit });
  if (options.json) return print(page);
  for (const { id, domains, secrets, readable, declared, suspended } of page.customers) {
    const state = readable ? `${secrets} secrets` : "cannot be read";
    const place = declared ? "config" : "store";
    process.stdout.write(`${row(id, domains.join(" "), state, place, ...(suspended === null ? [] : ["suspended"]))}\n`);
  }
  if (page.next !== null) say(`more: --after ${page.next}`);
}

async function listRemote(options: ListOptions): Promise<Page> {
  const query = new URLSearchParams({ after: options.after, limit: String(options.limit) });
  const { body } = await askFor({ method: "GET", path: `/v1/customers?${query}` }, options);
  return body as unknown as Page;
}

async function listLocal({ config: file, after, limit }: ListOptions): Promise<Page> {
  const { config } = await need(file);
  const records = (await withStore({ config: file, make: false }, ({ store }) => store.list(after, limit))) ?? [];
  const { pageOf } = await import("../manage/listing.ts");
  return pageOf(await declaredItems(config), records, { after, limit });
}

async function declaredItems(config: Config): Promise<{ readonly id: string; readonly item: Item }[]> {
  const { itemOf } = await import("../manage/view.ts");
  return config.customers.map((customer) => ({
    id: customer.id,
    item: itemOf(customer, config.connectionsPerUser.get(customer.id) ?? 0),
  }));
}

/** `postern customer show`. */
export async function showOne(id: string, options: PlaceOptions): Promise<void> {
  const told = isRemote(options) ? await showRemote(id, options) : await showLocal(id, options);
  process.stdout.write(`${jsonOf(told, options.json ? undefined : 2)}\n`);
}

async function showRemote(id: string, options: PlaceOptions): Promise<object> {
  const { body, revision } = await askFor({ method: "GET", path: pathOf(id) }, options);
  return { ...body, declared: revision === undefined, ...(revision !== undefined && { revision }) };
}

async function showLocal(id: string, { config: file }: PlaceOptions): Promise<object> {
  const { viewOf } = await import("../manage/view.ts");
  const { config } = await need(file);
  const declared = (await declaredItems(config)).find((one) => one.id === id);
  if (declared) return { ...viewOf(declared.item), declared: true };
  const stored = await withStore({ config: file, make: false }, (bench) => itemOf(id, bench));
  if (!stored) return noSuch(id, config);
  const view = viewOf(stored.item);
  if (!view) return failure("the customer is of another version of Postern and cannot be shown");
  return { ...view, declared: false, revision: stored.revision };
}
