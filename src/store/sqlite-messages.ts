import type { Piece } from "../core/quality-piece.ts";
import type { Use } from "../core/uses.ts";
import type { Alive, CallEntry, CallFilter } from "./calls.ts";
import type { Act, AuditQuery, Claim, Edit, KeyChange, Position, StoreEvent } from "./port.ts";
import type { Conference, QualityFilter } from "./quality.ts";

/** What the two threads of a SQLite store say to each other. */

export interface Opening {
  readonly path: string;
  /** Newest first. */
  readonly keys: readonly string[];
  /** Where another key is the newest now, everything is sealed anew under it. */
  readonly renew: boolean;
}

export type Call =
  | { readonly name: "changes"; readonly since: Position }
  | { readonly name: "get"; readonly id: string }
  | { readonly name: "list"; readonly after: string; readonly limit: number }
  | { readonly name: "taken"; readonly claims: readonly Claim[] }
  | { readonly name: "write"; readonly edits: readonly Edit[]; readonly act: Act }
  | { readonly name: "audit.append"; readonly acts: readonly Act[] }
  | { readonly name: "audit.read"; readonly query: AuditQuery }
  | { readonly name: "audit.head" }
  | { readonly name: "audit.keys" }
  | { readonly name: "calls.write"; readonly entries: readonly CallEntry[]; readonly alive: Alive }
  | { readonly name: "calls.find"; readonly filter: CallFilter }
  | { readonly name: "calls.takeOver"; readonly by: Alive; readonly silentSince: number }
  | { readonly name: "calls.settle"; readonly ids: readonly string[] }
  | { readonly name: "calls.forget"; readonly before: number; readonly most: number }
  | { readonly name: "uses.add"; readonly uses: readonly Use[] }
  | { readonly name: "uses.of"; readonly customer: string }
  | { readonly name: "quality.write"; readonly pieces: readonly Piece[] }
  | { readonly name: "quality.find"; readonly filter: QualityFilter }
  | { readonly name: "quality.of"; readonly conferences: readonly Conference[] }
  | { readonly name: "quality.forget"; readonly before: number; readonly most: number }
  | { readonly name: "signingKeys.all" }
  | { readonly name: "signingKeys.change"; readonly change: KeyChange; readonly act: Act }
  | { readonly name: "close" };

export interface Asked {
  readonly number: number;
  readonly call: Call;
}

export type Told =
  | { readonly kind: "opened" }
  | { readonly kind: "unusable"; readonly sentence: string }
  | { readonly kind: "answer"; readonly number: number; readonly value: unknown }
  | { readonly kind: "failed"; readonly number: number; readonly sentence: string }
  | { readonly kind: "event"; readonly event: StoreEvent };
