import type { SigningKey } from "../core/signing-keys.ts";
import type { Use } from "../core/uses.ts";
import type { CallRecords } from "./calls.ts";
import type { QualityRecords } from "./quality.ts";

/** A customer as an item of `customers:` in the config says it, its secrets in the clear. */
export type Item = Readonly<Record<string, unknown>>;

/** What only one customer can have. value: in the one spelling that all of its spellings have; of a secret the secret. */
export interface Claim {
  readonly kind: "id" | "domain" | "number" | "api-key" | "secret";
  readonly value: string;
}

export type StoredRecord =
  | {
      readonly kind: "stored";
      readonly id: string;
      readonly revision: number;
      readonly item: Item;
      /** When it was made, milliseconds: only where another had its id before. */
      readonly since?: number;
    }
  | { readonly kind: "removed"; readonly id: string; readonly revision: number }
  /** The sentence holds no secret. */
  | { readonly kind: "unreadable"; readonly id: string; readonly revision: number; readonly sentence: string };

/** The last record that a reader of changes has seen. */
export interface Position {
  readonly revision: number;
  readonly id: string;
}

export const beginning: Position = { revision: 0, id: "" };

export interface Changes {
  readonly records: readonly StoredRecord[];
  /** To go on from. */
  readonly position: Position;
  readonly more: boolean;
}

/** expected: the revision that the customer has, 0 for none; where it has another, nothing is written. */
export type Edit =
  | {
      readonly kind: "put";
      readonly id: string;
      readonly item: Item;
      readonly claims: readonly Claim[];
      readonly expected?: number;
    }
  | { readonly kind: "remove"; readonly id: string; readonly expected?: number };

/** Who does what. None of it holds a secret; what is too long is cut, control characters are replaced. */
export interface Act {
  /** `cli:<user of the system>`, `operator:<id>`, `customer:<id>/<API key>`, `gateway`. */
  readonly by: string;
  /** As in `secret.retire k1`. */
  readonly what: string;
  /** Of a change each customer of it stands in an entry of its own. */
  readonly customer?: string;
  readonly address?: string;
}

/** What a customer has already that another one wants. claim: index among those asked for. */
export interface Taken {
  readonly claim: number;
  readonly owner: string;
}

export type Written =
  | { readonly kind: "written"; readonly revision: number }
  /** edit: index of the one that wants what another customer has. */
  | { readonly kind: "taken"; readonly edit: number; readonly claim: Claim["kind"]; readonly owner: string }
  | { readonly kind: "stale"; readonly id: string }
  /** Nothing was changed: the database is full, locked, gone. */
  | { readonly kind: "unavailable"; readonly sentence: string };

/** changed: by whomever, this process too. troubled: until it is well again the store can be neither read nor changed. */
export type StoreEvent =
  | { readonly kind: "changed" }
  | { readonly kind: "troubled"; readonly sentence: string }
  | { readonly kind: "well" };

/**
 * Where customers are kept beside those of the config. Reading rejects with an Error whose message is a sentence where the
 * database cannot be read.
 */
export interface Store {
  /** What has changed since, oldest first, a page at a time; from the beginning: all that there is. */
  changes(since: Position): Promise<Changes>;
  get(id: string): Promise<StoredRecord | undefined>;
  /** By id, those after one; never removed ones. */
  list(after: string, limit: number): Promise<readonly StoredRecord[]>;
  /** Who has what of these claims. */
  taken(claims: readonly Claim[]): Promise<readonly Taken[]>;
  /** All of it or nothing, and an entry of the audit for each edit with it. */
  write(edits: readonly Edit[], act: Act): Promise<Written>;
  watch(listener: (event: StoreEvent) => void): void;
  /** Of the database: its audit too. */
  close(): Promise<void>;
}

/** An entry as it lies in the database. text: JSON, an AuditEntry; mac: over the mac before it and the text. */
export interface AuditRow {
  readonly seq: number;
  readonly text: string;
  readonly mac: string;
}

/** at: Unix milliseconds; key: id of the key of its mac; detail: which members changed, and how where that may be shown. */
export interface AuditEntry extends Act {
  readonly seq: number;
  readonly at: number;
  readonly key: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** The last entry; before the first: seq 0, mac empty. */
export type AuditHead = Pick<AuditRow, "seq" | "mac">;

/** after: oldest first from there on; without it the newest, oldest of them first. since: Unix milliseconds. */
export interface AuditQuery {
  readonly after?: number;
  /** Those before this one alone. */
  readonly before?: number;
  readonly limit: number;
  readonly customer?: string;
  readonly by?: string;
  readonly since?: number;
}

/** A key of older entries, sealed under the store's. */
export interface SealedKey {
  readonly id: string;
  readonly sealed: string;
}

/** Who did what, never changed and never removed. All of it rejects with an Error whose message is a sentence. */
export interface Audit {
  /** What changes no customer: a sign-in, a start, the use of a command. One transaction. */
  append(acts: readonly Act[]): Promise<AuditHead>;
  read(query: AuditQuery): Promise<readonly AuditRow[]>;
  head(): Promise<AuditHead>;
  /** For who verifies over a change of the store's key. */
  olderKeys(): Promise<readonly SealedKey[]>;
}

/**
 * Counts beside the customers: no revision, nobody is told. A change that removes a secret or puts another in its place
 * forgets its count in the same transaction. Rejects with an Error whose message is a sentence.
 */
export interface Uses {
  /** Each count is added to the one that is there. One transaction. */
  add(uses: readonly Use[]): Promise<void>;
  of(customer: string): Promise<readonly Use[]>;
}

/** What becomes of the gateway's keys. known: the kids of all that were there; where others are, nothing is changed. */
export interface KeyChange {
  readonly known: readonly string[];
  readonly add?: SigningKey;
  readonly forget: readonly string[];
}

/**
 * The gateway's own private keys, sealed, shared by all gateways of the database. No revision, nobody is told: who signs
 * with them looks now and then. Rejects with an Error whose message is a sentence.
 */
export interface SigningKeys {
  all(): Promise<readonly SigningKey[]>;
  /** One transaction, with an entry of the audit. False: somebody else was first, nothing was changed. */
  change(change: KeyChange, act: Act): Promise<boolean>;
}

/** One database, behind all of its ports; closed by its store. */
export interface Ports {
  readonly store: Store;
  readonly audit: Audit;
  readonly calls: CallRecords;
  readonly uses: Uses;
  readonly quality: QualityRecords;
  readonly signingKeys: SigningKeys;
}
