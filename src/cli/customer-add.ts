import { actOf } from "./act.ts";
import { readItemFile } from "./item-file.ts";
import { failure, print, say, usage } from "./outcome.ts";
import { askFor, changeAt, isRemote, type PlaceOptions } from "./place.ts";
import { readSecret } from "./secret-source.ts";
import { urlOf } from "./url-source.ts";
import { deskOf, notChanged, withStore } from "./with-store.ts";

export interface AddOptions extends PlaceOptions {
  readonly file?: string;
  readonly domain?: readonly string[];
  readonly origin?: readonly string[];
  readonly number?: readonly string[];
  readonly dial?: readonly string[];
  readonly trunk?: string;
  readonly trunkUser?: string;
  /** Where it comes from. */
  readonly trunkPassword?: string;
  readonly callerId?: string;
  readonly maxTtl?: number;
  readonly permissionUrl?: string;
}

/** `postern customer add`. */
export async function addOne(id: string, options: AddOptions): Promise<void> {
  const item = await itemOf(id, options);
  if (isRemote(options)) {
    const { revision } = await askFor({ method: "POST", path: "/v1/customers", body: item }, options);
    print({ customer: id, revision });
  } else await addStored(id, item, options);
  if (!options.json) say(`stored. A secret for its servers: postern secret add ${id}`);
}

async function itemOf(id: string, options: AddOptions): Promise<Readonly<Record<string, unknown>>> {
  const { file } = options;
  const read = file === undefined ? {} : await readItemFile(file);
  if (read.id !== undefined && read.id !== id) return failure("the id in the file is another one");
  return { ...read, id, ...given(options) };
}

/** What options say, by the names of an item. */
function given({
  domain,
  origin,
  number,
  dial,
  trunk,
  trunkUser,
  trunkPassword,
  callerId,
  maxTtl,
  permissionUrl,
}: AddOptions): Readonly<Record<string, unknown>> {
  return {
    ...(domain && { domains: domain }),
    ...(origin && { origins: origin }),
    ...(number && { numbers: number }),
    ...(dial && { dial }),
    ...(trunk !== undefined && { trunk }),
    ...trunkAuth(trunkUser, trunkPassword),
    ...(callerId !== undefined && { callerId }),
    ...(maxTtl !== undefined && { maxTtl }),
    ...(permissionUrl !== undefined && { permissionUrl: urlOf("--permission-url", permissionUrl) }),
  };
}

/** A change says one of both, and leaves the other as it is. */
function trunkAuth(username: string | undefined, source: string | undefined): Readonly<Record<string, unknown>> {
  if (username === undefined && source === undefined) return {};
  const read = source === undefined ? undefined : readSecret("--trunk-password", source, process.env);
  if (read?.kind === "fault") return usage(read.sentence);
  return { trunkAuth: { ...(username !== undefined && { username }), ...(read && { password: read.secret }) } };
}

async function addStored(
  id: string,
  item: Readonly<Record<string, unknown>>,
  { config, json = false }: AddOptions,
): Promise<void> {
  await withStore({ config, make: true }, async (bench) => {
    const { addCustomer } = await import("../manage/change.ts");
    const outcome = await addCustomer(item, deskOf(bench), { act: () => actOf("customer.add", id) });
    if (outcome.kind !== "changed") return notChanged(id, outcome, bench, json);
    print({ customer: id, revision: outcome.revision });
  });
}

/** `postern customer change`: a merge patch (RFC 7396). Its secrets stay where it says no others. */
export async function changeOne(id: string, options: AddOptions): Promise<void> {
  const patch = { ...(options.file === undefined ? {} : await readItemFile(options.file)), ...given(options) };
  if (Object.keys(patch).length === 0) return usage("say by --file or another option what is to change");
  await changeAt(
    id,
    {
      what: () => "customer.change",
      edit: async () => (await import("../manage/whole.ts")).mergePatch(patch),
      ask: { method: "PATCH", part: "", body: patch },
    },
    options,
  );
  print({ customer: id, changed: Object.keys(patch) });
  if (!options.json) say("changed");
}
