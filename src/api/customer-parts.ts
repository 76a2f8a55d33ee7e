import type { Edit } from "../manage/edit.ts";
import { type CustomerView, viewOf } from "../manage/view.ts";
import { type Answer, type Asked, done, nothing, shown } from "./asked.ts";
import { ofOtherVersion } from "./customer-refusals.ts";
import type { ManagedCustomers } from "./customers.ts";

/** Unix seconds. */
export const now = ({ options }: ManagedCustomers): number => Math.floor(options.clock.now() / 1000);

/** What stands first in a list of the item is what was sent. */
export const first =
  (list: string) =>
  (path: string): string =>
    path.replace(new RegExp(`^${list}\\[0\\]\\.?`), "");

/** Where an entry of a list is. */
export const entry = (asked: Asked, part: string, id: unknown): string =>
  `/v1/customers/${asked.id}/${part}/${encodeURIComponent(String(id))}`;

export const malformed = { code: "message-malformed" } as const;

export const unknown = (members: object): { path: string; message: string }[] =>
  Object.keys(members).map((name) => ({ path: shown(name), message: "is not a known key" }));

/** A secret is told this once. */
export const onceOf = ({ secret }: { readonly secret?: string }) => (secret === undefined ? {} : { once: "secret" });

/** Of the route. */
export const nameIn = ({ params }: Asked, name: string): string => params[name] ?? "";

/** One entry, by its id. */
export function remove(
  asked: Asked,
  customers: ManagedCustomers,
  act: string,
  name: string,
  edit: (id: string) => Edit<{ readonly id: string }>,
): Promise<Answer> {
  return customers.change(asked, edit(nameIn(asked, name)), {
    what: ({ id }) => `${act} ${id}`,
    answer: ({ revision }) => nothing(revision),
  });
}

/** What may be seen of a part. */
export const readView = async (
  asked: Asked,
  customers: ManagedCustomers,
  body: (view: CustomerView) => object,
): Promise<Answer> => {
  const found = await customers.find(asked);
  if (found.kind === "refused") return found.answer;
  const view = viewOf(found.item);
  return view ? done({ ...body(view) }, { revision: found.revision }) : ofOtherVersion;
};
