import { createHmac, timingSafeEqual } from "node:crypto";
import type { Act, AuditEntry, AuditHead, AuditRow } from "./port.ts";
import type { ChainKey } from "./seal.ts";

/** Before the first entry. */
export const chainStart: AuditHead = { seq: 0, mac: "" };

/** Characters of what others give. */
const longest = { by: 160, what: 200, customer: 64, address: 64 } as const;

export interface Stamp {
  /** Unix milliseconds. */
  readonly at: number;
  readonly key: ChainKey;
  readonly detail?: AuditEntry["detail"];
}

/** An act to be added, and what it did. */
export type Entry = Pick<Stamp, "detail"> & { readonly act: Act };

/** The entry that follows another one. */
export function nextRow(before: AuditHead, act: Act, { at, key, detail }: Stamp): AuditRow {
  const { by, what, customer, address } = act;
  const entry: AuditEntry = {
    seq: before.seq + 1,
    at,
    key: key.id,
    by: bounded(by, longest.by),
    what: bounded(what, longest.what),
    ...(customer !== undefined && { customer: bounded(customer, longest.customer) }),
    ...(address !== undefined && { address: bounded(address, longest.address) }),
    ...(detail && { detail }),
  };
  const text = JSON.stringify(entry);
  return { seq: entry.seq, text, mac: macOf(key.key, before.mac, text).toString("base64url") };
}

/** A mac has a fixed length, so that nothing of the text can be taken for the end of it. */
const macOf = (key: Buffer, before: string, text: string): Buffer =>
  createHmac("sha256", key).update(before).update("\n").update(text).digest();

const bounded = (text: string, most: number): string =>
  [...text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, "\ufffd")].slice(0, most).join("");

/** Where a chain is broken. seq: of the first entry that is missing or not what was written. */
export interface Break {
  readonly seq: number;
  readonly sentence: string;
}

/**
 * Whether a chain is whole, entry by entry. Entries under an older key are vouched for by the one after them: the last
 * must be under a key in use, so that who has an older one can add nothing.
 */
export class ChainCheck {
  readonly #keys: ReadonlyMap<string, Buffer>;
  readonly #own: ReadonlySet<string>;
  readonly #wanted: AuditHead | undefined;
  #head = chainStart;
  #key: string | undefined;

  /** own: of the keys that are in use, older: of those before; wanted: a head that was seen before, as in the log. */
  constructor(own: readonly ChainKey[], older: readonly ChainKey[], wanted?: AuditHead) {
    this.#keys = new Map([...older, ...own].map(({ id, key }) => [id, key]));
    this.#own = new Set(own.map(({ id }) => id));
    this.#wanted = wanted;
  }

  /** Of the last good entry. */
  get head(): AuditHead {
    return this.#head;
  }

  /** The rows that come next. */
  take(rows: readonly AuditRow[]): Break | undefined {
    for (const row of rows) {
      const sentence = this.#wrong(row);
      if (sentence !== undefined) return { seq: Math.min(row.seq, this.#head.seq + 1), sentence };
      this.#head = { seq: row.seq, mac: row.mac };
    }
    return undefined;
  }

  /** After the last row. */
  end(): Break | undefined {
    const { seq } = this.#head;
    if (this.#wanted && this.#wanted.seq > seq)
      return { seq: seq + 1, sentence: `entries ${seq + 1} to ${this.#wanted.seq} are missing: the end was cut off` };
    if (this.#key === undefined || this.#own.has(this.#key)) return undefined;
    return { seq, sentence: `entry ${seq}, the last, is under a key that is the store's no more` };
  }

  #wrong({ seq, text, mac }: AuditRow): string | undefined {
    const next = this.#head.seq + 1;
    if (seq > next) return `entry ${next} is missing`;
    const entry = entryOf(text);
    if (seq < next || entry?.seq !== seq) return `entry ${seq} is not the one that was written there`;
    const key = this.#keys.get(entry.key);
    if (!key) return `entry ${seq} is under a key that is not the store's`;
    const expected = macOf(key, this.#head.mac, text);
    const given = Buffer.from(mac, "base64url");
    if (given.length !== expected.length || !timingSafeEqual(given, expected) || mac !== expected.toString("base64url"))
      return `entry ${seq} was changed, or put there by somebody who has not the key`;
    if (seq === this.#wanted?.seq && mac !== this.#wanted.mac)
      return `entry ${seq} is another one than the head that was given`;
    this.#key = entry.key;
    return undefined;
  }
}

/** Undefined for what is no entry. */
export function entryOf(text: string): AuditEntry | undefined {
  try {
    const entry: unknown = JSON.parse(text);
    return typeof entry === "object" && entry !== null ? (entry as AuditEntry) : undefined;
  } catch {
    return undefined; // a changed entry may be anything
  }
}
