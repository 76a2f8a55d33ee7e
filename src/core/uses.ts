/** What proves somebody: of visitors a secret or a key, of who manages an API key. */
export type UsedKind = "secret" | "key" | "apiKey";

/** How often something of a customer has proved somebody, and when it last did (Unix milliseconds). */
export interface Use {
  readonly customer: string;
  readonly kind: UsedKind;
  readonly id: string;
  readonly count: number;
  readonly last: number;
}
