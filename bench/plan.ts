/** How much is measured. requests: of one turn, for 32 clients and for a single one. */
export interface Plan {
  readonly turns: number;
  readonly requests: { readonly many: number; readonly one: number };
  readonly customers: readonly number[];
  readonly secrets: readonly number[];
  readonly connections: number;
}

export const manyClients = 32;

export const full: Plan = {
  turns: 5,
  requests: { many: 12_800, one: 2_000 },
  customers: [1, 100, 1_000, 100_000],
  secrets: [1, 100, 1_000],
  connections: 2_000,
};

/** About a minute. */
export const quick: Plan = {
  turns: 5,
  requests: { many: 3_200, one: 500 },
  customers: [1, 100_000],
  secrets: [1, 1_000],
  connections: 500,
};

/** Seconds: to see that the benchmark itself works. */
export const tiny: Plan = {
  turns: 1,
  requests: { many: 64, one: 4 },
  customers: [1, 10],
  secrets: [1, 2],
  connections: 20,
};
