import { insideOrigin } from "../config/call-outs.ts";
import { customer as schema } from "../config/customer.ts";
import { show } from "../config/faults.ts";
import type { Fault } from "../config/types.ts";
import type { Item } from "../store/port.ts";
import { fault, textsOf } from "./edit.ts";

/** What somebody may not do to an item; none: all of it is allowed. */
export type Rights = (before: Item, after: Item) => readonly Fault[];

/** Whoever runs the gateway. */
export const operatorRights: Rights = () => [];

type Members = Readonly<Record<string, unknown>>;

/** A member as it stands in the items, and as they mean it with every default filled in. */
interface Change {
  readonly name: string;
  readonly before: unknown;
  readonly after: unknown;
  readonly items: { readonly before: Members; readonly after: Members };
}

/** Each of a customer's requests looks through its secrets, and a stranger's costs as much as the most that anybody has. */
export const mostSecrets = 8;
export const mostOrigins = 100;
export const mostInbound = 1_000;

/**
 * What a customer may change of itself by its own API keys. A member that is not named here is the operator's, so that one
 * which is added later is nobody else's by itself. owns: whether a number is this customer's and no other's.
 */
export function customerRights(owns: (number: string) => boolean): Rights {
  const own = new Map<string, (change: Change) => readonly Fault[]>([
    ["secrets", atMost(mostSecrets)],
    ["keys", (change) => [...atMost(mostSecrets)(change), ...outside(change)]],
    ["origins", atMost(mostOrigins)],
    ["originReports", () => []],
    ["callFrom", (change) => [...atMost(mostOrigins)(change), ...ownDomains(change)]],
    ["inbound", (change) => [...atMost(mostInbound)(change), ...ownNumbers(change, owns)]],
    ["limits", belowCeilings],
    ["maxTtl", belowCeiling],
    ["revoked", () => []],
  ]);
  return (before, after) => changes(before, after).flatMap((change) => (own.get(change.name) ?? operators)(change));
}

const operators = ({ name }: Change): readonly Fault[] => [fault(show([name]), operatorsOwn)];

/**
 * What a customer says of the operator's secrets, right or wrong: a right one changes nothing, and the answer to it would
 * tell whoever guesses that it is.
 */
export function saidSecrets(said: Members): readonly Fault[] {
  const says = (value: unknown, name: string): value is Members =>
    typeof value === "object" && value !== null && Object.hasOwn(value, name);
  const { trunkAuth, webhook, apiKeys, permissionUrl } = said;
  const named = [
    ...(says(trunkAuth, "password") ? ["trunkAuth"] : []),
    ...(says(webhook, "secret") || (says(webhook, "url") && hasQuery(webhook.url)) ? ["webhook"] : []),
    ...(hasQuery(permissionUrl) ? ["permissionUrl"] : []),
    ...(Array.isArray(apiKeys) && apiKeys.some((key) => says(key, "secret")) ? ["apiKeys"] : []),
  ];
  return named.map((name) => fault(name, operatorsOwn));
}

/** What is shown of a URL has none, for a token may stand there. */
const hasQuery = (url: unknown): boolean => typeof url === "string" && url.includes("?");

const operatorsOwn = "is the operator's to change: leave it out, or as it is";

function changes(before: Item, after: Item): Change[] {
  const items = { before: meant(before), after: meant(after) };
  const names = [...new Set([...Object.keys(items.before), ...Object.keys(items.after)])];
  return names
    .map((name) => ({ name, before: items.before[name], after: items.after[name], items }))
    .filter((change) => !isSame(change.before, change.after) && !isSame(before[change.name], after[change.name]));
}

/** What the schema does not take stands as it is: it is refused for that as well. */
function meant(item: Item): Members {
  const parsed = schema.safeParse(item);
  if (parsed.success) return Object.assign(Object.create(null), parsed.data);
  const members: Record<string, unknown> = Object.create(null);
  for (const [name, value] of Object.entries({ ...schema.parse({ id: "x" }), ...item })) members[name] = value;
  for (const [name, shape] of Object.entries(schema.shape)) {
    const one = shape.safeParse(item[name]);
    if (one.success && one.data !== undefined) members[name] = one.data;
  }
  return members;
}

const isSame = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b);

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_name, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  ) ?? "";

/** What an operator gave beyond it may stay and become less. */
const atMost =
  (most: number) =>
  ({ name, before, after }: Change): readonly Fault[] => {
    const count = countOf(after);
    return count > most && count > countOf(before)
      ? [fault(name, `has more than ${most} entries: remove some, or ask the operator`)]
      : [];
  };

const countOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? Object.keys(value).length : 0;

/** The operator's networks are for what it has named there itself; another path of the same origin may be named. */
function outside({ items: { before, after } }: Change): readonly Fault[] {
  const named = new Set(keySets(before).map(insideOrigin));
  return keySets(after).flatMap((uri, at) => {
    const origin = insideOrigin(uri);
    return origin === undefined || named.has(origin)
      ? []
      : [
          fault(
            `keys[${at}].jwksUri`,
            "is http:// or no public address: that is the operator's to allow, use https://",
          ),
        ];
  });
}

const keySets = (item: Members): unknown[] =>
  (Array.isArray(item.keys) ? item.keys : []).map((key) => (key as { jwksUri?: unknown } | null)?.jwksUri);

/** A foreign domain is the operator's to allow; one that it allowed stays. */
function ownDomains({ items: { before, after } }: Change): readonly Fault[] {
  const allowed = new Set(textsOf(before, "callFrom"));
  const domains = new Set(textsOf(before, "domains").map((domain) => domain.toLowerCase()));
  return textsOf(after, "callFrom").flatMap((address, at) => {
    if (typeof address !== "string" || allowed.has(address)) return [];
    const domain = address.slice(address.lastIndexOf("@") + 1).toLowerCase();
    return domains.has(domain)
      ? []
      : [fault(`callFrom[${at}]`, "is of another domain: that is the operator's to allow")];
  });
}

/** A number that the operator led somewhere may be led elsewhere. */
function ownNumbers({ before, after }: Change, owns: (number: string) => boolean): readonly Fault[] {
  const allowed = new Set(Object.keys((before ?? {}) as object));
  return Object.keys((after ?? {}) as object)
    .filter((number) => !allowed.has(number) && !owns(number))
    .map((number) => fault(show(["inbound", number]), "is no number of yours: numbers are the operator's to give"));
}

function belowCeilings({ before, after, items }: Change): readonly Fault[] {
  const [from, to] = [(before ?? {}) as Members, (after ?? {}) as Members];
  return Object.keys({ ...from, ...to }).flatMap((name) =>
    isAbove(from[name], to[name], ceilingOf(items.before, name)) ? [tooHigh(show(["limits", name]))] : [],
  );
}

const belowCeiling = ({ name, before, after, items }: Change): readonly Fault[] =>
  isAbove(before, after, ceilingOf(items.before, name)) ? [tooHigh(name)] : [];

const tooHigh = (path: string): Fault => fault(path, "is above its ceiling: that is the operator's to raise");

const ceilingOf = (item: Members, name: string): unknown => ((item.ceilings ?? {}) as Members)[name];

/** 0 is no limit at all. What is no number is refused for that. */
function isAbove(before: unknown, after: unknown, ceiling: unknown): boolean {
  const most = ceiling ?? before;
  if (after === before || most === 0 || typeof after !== "number") return false;
  return typeof most !== "number" || after === 0 || after > most;
}
