import { revokedKinds } from "../config/revocation.ts";
import { parseInstant } from "../config/values.ts";
import type { CallsThen, Revocation } from "../core/identity.ts";
import type { Item } from "../store/port.ts";
import { absent, type Edit, entriesOf, fault, made, refused, withMember } from "./edit.ts";

export { revokedKinds };

type Written = Readonly<Record<string, unknown>>;

/** One that is there already, of the same kind and name, is replaced. entry: as in an item; now: Unix seconds. */
export const revoke =
  (entry: Written, now: number): Edit<Written> =>
  (item) => {
    if ((parseInstant(entry.until) ?? now) < now) return refused(fault("revoked[0].until", over));
    const kind = revokedKinds.find((one) => entry[one] !== undefined);
    const value = kind && entry[kind];
    const left =
      typeof value === "string" ? revokedOf(item).filter((one) => !isOf(one, kind!, value)) : revokedOf(item);
    return made({ ...item, revoked: [{ ...entry }, ...left] }, entry);
  };

/** It would be dropped at once, and whoever asked would take it for revoked. */
const over = "is over already, so nobody would be refused: give a time that is yet to come";

/** It is taken again. */
export const restore =
  (kind: Revocation["kind"], value: string): Edit<{ readonly kind: Revocation["kind"]; readonly value: string }> =>
  (item) => {
    const revoked = revokedOf(item);
    const left = revoked.filter((one) => !isOf(one, kind, value));
    return left.length === revoked.length ? absent("revocation") : made({ ...item, revoked: left }, { kind, value });
  };

/** What has ended refuses nobody, and would fill the room. now: Unix seconds. */
export function dropEnded(item: Item, now: number): Item {
  const revoked = revokedOf(item);
  const left = revoked.filter((entry: Written | null) => (parseInstant(entry?.until) ?? now) >= now);
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
