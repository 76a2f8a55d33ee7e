import type { CountedName } from "./counted.ts";
import type { Refusal } from "./errors.ts";
import type { Identity } from "./identity.ts";

/** Where a visitor asked. */
export type Way = "sip" | "handshake" | "exchange" | "voxbone" | "authenticate" | "data-tokens" | "events" | "stats";

/** What was refused to whom, as far as it is known; texts are as they came. */
export interface RefusedVisit {
  readonly refusal: Refusal;
  readonly way: Way;
  /** Its id, where it is proved. */
  readonly customer?: string | undefined;
  /** Whom an unproved one claims to be of. */
  readonly claimed?: CountedName | undefined;
  readonly user?: string | undefined;
  readonly origin?: string | undefined;
  readonly address: string;
  readonly method?: string | undefined;
  /** Of the request: what kind of address it is for. */
  readonly destination?: "number" | "user" | "domain" | undefined;
}

/** Who keeps count of what became of visitors. Called on the data path: it must not wait. */
export interface Verdicts {
  accepted(identity: Identity): void;
  refused(visit: RefusedVisit): void;
}

export const nobodyCounts: Verdicts = { accepted: () => {}, refused: () => {} };
