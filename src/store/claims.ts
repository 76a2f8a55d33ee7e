import { inboundKey } from "../config/fields.ts";
import type { Claim } from "./port.ts";
import type { SealKeys } from "./seal.ts";

/** A customer, or an item that may yet be faulty: what is no list and no text claims nothing. */
export interface Claiming {
  readonly id?: unknown;
  readonly domains?: unknown;
  readonly numbers?: unknown;
  readonly inbound?: unknown;
  readonly secrets?: unknown;
  readonly keys?: unknown;
  readonly apiKeys?: unknown;
  readonly webhook?: unknown;
}

/** What stands where; path: as in `domains[0]`. */
export type PlacedClaim = Claim & { readonly path: string };

/** All that no other customer may have too, each once. */
export function claimsOf(of: Claiming): PlacedClaim[] {
  const found = new Map<string, PlacedClaim>();
  const add = (kind: Claim["kind"], value: unknown, path: string): void => {
    if (typeof value === "string" && value !== "") found.set(`${kind} ${value}`, { kind, value, path });
  };
  add("id", lower(of.id), "id");
  for (const [at, domain] of list(of.domains)) add("domain", lower(domain), `domains[${at}]`);
  for (const [at, number] of list(of.numbers)) add("number", plain(number), `numbers[${at}]`);
  for (const number of Object.keys(record(of.inbound))) add("number", plain(number), `inbound["${number}"]`);
  for (const [at, entry] of list(of.secrets)) add("secret", record(entry).secret, `secrets[${at}].secret`);
  for (const [at, entry] of list(of.keys)) {
    const { secret, source } = record(entry);
    add("secret", secret ?? record(source).secret, `keys[${at}].secret`);
  }
  for (const [at, entry] of list(of.apiKeys)) {
    add("api-key", lower(record(entry).id), `apiKeys[${at}].id`);
    add("secret", record(entry).secret, `apiKeys[${at}].secret`);
  }
  add("secret", record(of.webhook).secret, "webhook.secret");
  return [...found.values()];
}

const list = (value: unknown): readonly (readonly [number, unknown])[] =>
  Array.isArray(value) ? [...value.entries()] : [];

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};

const lower = (value: unknown): unknown => (typeof value === "string" ? value.toLowerCase() : value);

/** With +, with 00 and without is one number. */
const plain = (value: unknown): unknown => (typeof value === "string" ? inboundKey(value) : value);

/** Claims → who has them, as a sentence goes on after "is taken already: ". */
export type Owners = ReadonlyMap<string, string>;

/** As the store keeps a claim: a secret is not kept beside what it is sealed in. */
export const nameOf = (keys: SealKeys, { kind, value }: Claim): string =>
  kind === "secret" ? keys.name(value) : value;

export const claimKey = ({ kind, value }: Claim): string => `${kind} ${value}`;

/** What stands taken in a config: by its customers, and by itself. */
export function ownersIn(config: {
  readonly customers: readonly (Claiming & { readonly id: string })[];
  readonly gateway: { readonly domains: readonly string[] };
  readonly chain: { readonly secrets: readonly string[] };
  readonly exchange?: { readonly secrets: readonly string[] };
  readonly turn?: { readonly secret: string };
  readonly admin: { readonly operators: readonly { readonly secret: string }[] };
  readonly storeKeys: readonly string[];
}): Owners {
  const owners = new Map<string, string>();
  const own = (kind: Claim["kind"], values: readonly string[], owner: string): void => {
    for (const value of values) owners.set(claimKey({ kind, value }), owner);
  };
  own("domain", config.gateway.domains, "gateway.domains has it");
  own("secret", config.chain.secrets, "chain has it");
  own("secret", config.exchange?.secrets ?? [], "exchange has it");
  own("secret", config.turn ? [config.turn.secret] : [], "turn has it");
  own(
    "secret",
    config.admin.operators.map((one) => one.secret),
    "an operator has it",
  );
  own("secret", config.storeKeys, "it is the store's key");
  for (const customer of config.customers) {
    for (const claim of claimsOf(customer)) {
      owners.set(claimKey(claim), `customer ${customer.id} of the config has it`);
    }
  }
  return owners;
}

/** Why a stored customer cannot stand beside a config; undefined where it can. */
export function clashOf(customer: Claiming, owners: Owners): string | undefined {
  for (const claim of claimsOf(customer)) {
    const owner = owners.get(claimKey(claim));
    if (owner !== undefined) return `${claim.path} is taken: ${owner}`;
  }
  return undefined;
}

export const besides = (id: string, clash: string): string =>
  `the stored customer ${id} cannot stand beside this config: ${clash}`;
