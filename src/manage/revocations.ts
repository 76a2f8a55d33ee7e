import { revokedKinds } from "../config/revocation.ts";
import { parseInstant } from "../config/values.ts";
import type { CallsThen, Revocation } from "../core/identity.ts";
import type { Item } from "../store/port.ts";
import { absent, type Edit, entriesOf, made, withMember } from "./edit.ts";

type Written = Readonly<Record<string, unknown>>;

/** One that is there already, of the same kind and name, is replaced. until: an instant as in the config. */
export const revoke =
  (kind: Revocation["kind"], value: string, until: unknown, calls?: CallsThen): Edit<Revoked> =>
  (item) => {
    const entry = { [kind]: value, until, ...(calls !== undefined && { calls }) };
    const left = revokedOf(item).filter((one) => !isOf(one, kind, value));
    return made({ ...item, revoked: [entry, ...left] }, { kind, value, until: parseInstant(until) ?? 0 });
  };

export interface Revoked {
  readonly kind: Revocation["kind"];
  readonly value: string;
  /** Unix seconds. */
  readonly until: number;
}

/** It is taken again. */
export const restore =
  (kind: Revocation["kind"], value: string): Edit<{ readonly kind: Revocation["kind"]; readonly value: string }> =>
  (item) => {
    const revoked = revokedOf(item);
    const left = revoked.filter((one) => !isOf(one, kind, value));
    return left.length === revoked.length ? absent("revocation") : made({ ...item, revoked: left }, { kind, value });
  };

/** As it may be shown; those that have ended are not. now: Unix seconds. */
export const listRevoked = (item: Item, now: number): (Revoked & { readonly calls: string })[] =>
  revokedOf(dropEnded(item, now)).flatMap((entry) => {
    const kind = revokedKinds.find((one) => entry[one] !== undefined);
    if (kind === undefined) return [];
    const until = parseInstant(entry.until) ?? 0;
    return [{ kind, value: String(entry[kind]), until, calls: String(entry.calls ?? "end") }];
  });

/** What has ended refuses nobody, and would fill the room. now: Unix seconds. */
export function dropEnded(item: Item, now: number): Item {
  const revoked = revokedOf(item);
  const left = revoked.filter((entry) => (parseInstant(entry.until) ?? now) >= now);
  if (left.length === revoked.length) return item;
  return withMember(item, "revoked", left.length === 0 ? undefined : left);
}

const revokedOf = (item: Item): readonly Written[] => entriesOf(item, "revoked");

const isOf = (entry: Written, kind: Revocation["kind"], value: string): boolean =>
  typeof entry[kind] === "string" && spelled(kind, entry[kind]) === spelled(kind, value);

/** The domain of an address knows no case. */
const spelled = (kind: Revocation["kind"], value: string): string =>
  kind === "user" ? value.replace(/@.*$/, (domain) => domain.toLowerCase()) : value;

export const suspend =
  (calls: CallsThen): Edit<{ readonly suspended: CallsThen }> =>
  (item) =>
    made({ ...item, suspended: calls }, { suspended: calls });

export const resume: Edit<{ readonly suspended: null }> = (item) =>
  made(withMember(item, "suspended", undefined), { suspended: null });
