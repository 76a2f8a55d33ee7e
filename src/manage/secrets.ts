import { randomBytes } from "node:crypto";
import { parseInstant } from "../config/values.ts";
import type { Use } from "../core/uses.ts";
import type { Item } from "../store/port.ts";
import { absent, type Edit, type Entry, entriesOf, fault, made, refused } from "./edit.ts";

/** As in an item; what does not belong there is refused with the whole of it. */
export interface NewSecret {
  /** Default: the next of k1, k2, … */
  readonly id?: unknown;
  readonly algorithm?: unknown;
  /** One that is brought; absent: made here. */
  readonly secret?: unknown;
  readonly notBefore?: unknown;
  readonly notAfter?: unknown;
}

/** secret: only one that was made here, and this is the only time that it is told. */
export interface CreatedSecret {
  readonly id: unknown;
  readonly algorithm: unknown;
  readonly secret?: string;
}

/** A secret as it may be shown. Unix seconds. */
export interface ShownSecret {
  readonly id: string;
  readonly algorithm: string;
  readonly notBefore: number | null;
  readonly notAfter: number | null;
  readonly state: "valid" | "not yet" | "ended";
  /** How often it proved somebody, and when last. */
  readonly uses?: number;
  readonly lastUsed?: number | null;
}

/** 32 bytes: as strong as the strongest hash here asks for. */
export const makeSecret = (): string => randomBytes(32).toString("base64");

/** Before the others, for it is the newest. */
export const createSecret =
  ({ id: wanted, algorithm = "sha1", secret: brought, ...window }: NewSecret): Edit<CreatedSecret> =>
  (item) => {
    const entries = entriesOf(item, "secrets");
    const id = wanted ?? nextId(entries);
    const secret = brought === undefined ? makeSecret() : undefined;
    if (hasId(entries, id)) return refused(fault("id", "is the id of another secret: take another"));
    const given = Object.fromEntries(Object.entries(window).filter(([, value]) => value !== undefined));
    const entry = { id, secret: secret ?? brought, algorithm, ...given };
    return made({ ...item, secrets: [entry, ...entries] }, { id, algorithm, ...(secret !== undefined && { secret }) });
  };

function nextId(entries: readonly Entry[]): string {
  for (let number = 1; ; number++) if (!hasId(entries, `k${number}`)) return `k${number}`;
}

/** As the rules of the config compare ids. */
export const hasId = (entries: readonly Entry[], id: unknown): boolean =>
  typeof id === "string" && entries.some((entry) => entry.id.toLowerCase() === id.toLowerCase());

/** now: Unix seconds; uses: of this customer. */
export function listSecrets(item: Item, now: number, uses?: readonly Use[]): ShownSecret[] {
  const used = new Map(uses?.filter(({ kind }) => kind === "secret").map((use) => [use.id, use]));
  return entriesOf(item, "secrets").map(({ id, algorithm = "sha1", notBefore, notAfter }) => {
    const [from, until] = [parseInstant(notBefore) ?? null, parseInstant(notAfter) ?? null];
    const state = until !== null && now > until ? "ended" : from !== null && now < from ? "not yet" : "valid";
    const { count = 0, last } = used.get(id) ?? {};
    const lastUsed = last === undefined ? null : Math.floor(last / 1000);
    return {
      id,
      algorithm: String(algorithm),
      notBefore: from,
      notAfter: until,
      state,
      ...(uses && { uses: count, lastUsed }),
    };
  });
}

/** To the front: the newest, which the customer's servers are to mint with. */
export const promoteSecret =
  (id: string): Edit<{ readonly id: string }> =>
  (item) => {
    const entries = entriesOf(item, "secrets");
    const promoted = entries.find((entry) => entry.id === id);
    if (!promoted) return absent("secret");
    return made({ ...item, secrets: [promoted, ...entries.filter((entry) => entry !== promoted)] }, { id });
  };

/** Good until then, unless it ends before. now, grace: seconds. */
export const retireSecret =
  (id: string, now: number, grace: number): Edit<{ readonly id: string; readonly notAfter: number }> =>
  (item) => {
    const entries = entriesOf(item, "secrets");
    const retired = entries.find((entry) => entry.id === id);
    if (!retired) return absent("secret");
    const end = now + grace;
    const notAfter = Math.min(end, parseInstant(retired.notAfter) ?? end);
    const from = parseInstant(retired.notBefore);
    if (from !== undefined && from > notAfter)
      return refused(fault("grace", "ends before the secret is valid: revoke it"));
    const left = entries.map((entry) => (entry === retired ? { ...entry, notAfter } : entry));
    return made({ ...item, secrets: left }, { id, notAfter });
  };

/** Gone now, and all that it proved with it. left: how many there are yet. */
export const revokeSecret =
  (id: string): Edit<{ readonly id: string; readonly left: number }> =>
  (item) => {
    const entries = entriesOf(item, "secrets");
    const left = entries.filter((entry) => entry.id !== id);
    if (left.length === entries.length) return absent("secret");
    return made({ ...item, secrets: left }, { id, left: left.length });
  };
