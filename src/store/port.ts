/** A customer as an item of `customers:` in the config says it, its secrets in the clear. */
export type Item = Readonly<Record<string, unknown>>;

/** What only one customer can have. value: in the one spelling that all of its spellings have; of a secret the secret. */
export interface Claim {
  readonly kind: "id" | "domain" | "number" | "api-key" | "secret";
  readonly value: string;
}

export type StoredRecord =
  | { readonly kind: "stored"; readonly id: string; readonly revision: number; readonly item: Item }
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
  /** All of it or nothing. */
  write(edits: readonly Edit[]): Promise<Written>;
  watch(listener: (event: StoreEvent) => void): void;
  close(): Promise<void>;
}
