import type { Item } from "./port.ts";

/** Lists of an item whose entries have an id and may have a secret. Its webhook may have one too, and no id, and so may trunkAuth, as its password. */
const lists = ["secrets", "keys", "apiKeys"] as const;
/** Members that are URLs: a token may stand in the query. */
const urls: ReadonlySet<string> = new Set(["keys.jwksUri", "webhook.url", "permissionUrl"]);

/** list: of a URL its place, as in `keys.jwksUri`. */
export type ChangeSecret = (secret: string, list: string, id: string) => string | undefined;

type Entry = Readonly<Record<string, unknown>>;

/** The item with each of its secrets changed, URLs with a query among them; where change gives nothing it stands without. */
export function mapSecrets(item: Item, change: ChangeSecret): Item {
  const changed: Record<string, unknown> = { ...withUrl(item, "permissionUrl", "permissionUrl", "", change) };
  for (const list of lists) {
    const entries = item[list];
    if (Array.isArray(entries)) changed[list] = entries.map((entry: unknown) => mapEntry(entry, list, change));
  }
  if ("webhook" in item) changed.webhook = mapEntry(item.webhook, "webhook", change);
  if ("trunkAuth" in item) changed.trunkAuth = withPassword(item.trunkAuth, change);
  return changed;
}

function mapEntry(entry: unknown, list: string, change: ChangeSecret): unknown {
  if (typeof entry !== "object" || entry === null) return entry;
  const { id: said } = entry as Entry;
  const id = typeof said === "string" ? said : "";
  const member = list === "webhook" ? "url" : "jwksUri";
  const { secret, ...rest } = withUrl(entry as Entry, member, `${list}.${member}`, id, change);
  if (typeof secret !== "string") return { ...rest, ...(secret !== undefined && { secret }) };
  const changed = change(secret, list, id);
  return changed === undefined ? rest : { ...rest, secret: changed };
}

function withPassword(auth: unknown, change: ChangeSecret): unknown {
  if (typeof auth !== "object" || auth === null || Array.isArray(auth)) return auth;
  const { password, ...rest } = auth as Entry;
  const changed = typeof password === "string" ? change(password, "trunkAuth", "") : password;
  return changed === undefined ? rest : { ...rest, password: changed };
}

function withUrl(of: Entry, member: string, place: string, id: string, change: ChangeSecret): Entry {
  const { [member]: url, ...rest } = of;
  if (!urls.has(place) || typeof url !== "string" || !mayHide(url)) return of;
  const changed = change(url, place, id);
  return changed === undefined ? rest : { ...of, [member]: changed };
}

/** With a query, or what became of one. */
const mayHide = (url: string): boolean => url.includes("?") || url.startsWith("sealed:");

/** What may be shown: of a URL what stands before its query. */
export const withoutSecrets = (item: Item): Item =>
  mapSecrets(item, (text, list) => (urls.has(list) ? text.replace(/\?.*$/s, "") : undefined));
