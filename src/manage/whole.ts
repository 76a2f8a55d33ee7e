import { withoutQuery } from "../auth/jwks.ts";
import type { Item } from "../store/port.ts";
import { type Edit, type Entry, entriesOf, fault, made, refused } from "./edit.ts";

type Json = Readonly<Record<string, unknown>>;

/** Another item in the place of the one that is there. What it says without its secret keeps the one that it has. */
export const replaceWhole =
  (next: Json): Edit<undefined> =>
  (before) => {
    if (next.id !== undefined && next.id !== before.id) return refused(otherId);
    return made(keepSecrets({ ...next, id: before.id }, before), undefined);
  };

/** RFC 7396: null takes a member away, a list replaces a list. Its secrets stay where it does not say others. */
export const mergePatch =
  (patch: Json): Edit<undefined> =>
  (before) => {
    if (patch.id !== undefined && patch.id !== before.id) return refused(otherId);
    return made(keepSecrets(merge(before, patch) as Item, before), undefined);
  };

const otherId = fault("id", "cannot be changed: add another customer and remove this one");

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** RFC 7396 section 2. Its objects have no prototype, so that no name means anything but itself. */
function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = Object.assign(Object.create(null), isObject(target) ? target : undefined);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = merge(merged[name], value);
  }
  return merged;
}

/**
 * What was shown without its secrets can be sent back: an entry without one takes that of the entry with its id. A key
 * says how it is verified by one member, so only one that says none of them takes a secret.
 */
export function keepSecrets(next: Item, before: Item): Item {
  let kept = next;
  for (const list of ["secrets", "keys", "apiKeys"]) {
    const known = new Map(entriesOf(before, list).map((entry) => [entry.id, entry]));
    if (known.size === 0 || !Array.isArray(kept[list])) continue;
    kept = { ...kept, [list]: entriesOf(kept, list).map((entry) => filled(entry, known.get(entry?.id))) };
  }
  if (kept.permissionUrl !== undefined)
    kept = { ...kept, permissionUrl: keepQuery(kept.permissionUrl, before.permissionUrl) };
  if (isObject(kept.trunkAuth) && isObject(before.trunkAuth))
    kept = { ...kept, trunkAuth: { password: before.trunkAuth.password, ...kept.trunkAuth } };
  if (!isObject(kept.webhook) || !isObject(before.webhook)) return kept;
  const { url, secret = before.webhook.secret } = kept.webhook;
  return { ...kept, webhook: { ...kept.webhook, url: keepQuery(url, before.webhook.url), secret } };
}

function filled(entry: Entry, before: Entry | undefined): Entry {
  if (!before || !isObject(entry)) return entry;
  if (entry.jwksUri !== undefined) return { ...entry, jwksUri: keepQuery(entry.jwksUri, before.jwksUri) };
  const says = ["secret", "jwk", "pem"].some((member) => entry[member] !== undefined);
  return says || before.secret === undefined ? entry : { ...entry, secret: before.secret };
}

/** A URL is shown without its query. */
const keepQuery = (url: unknown, before: unknown): unknown =>
  typeof before === "string" && url === withoutQuery(before) ? before : url;
