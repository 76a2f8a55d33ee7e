import { customerOf } from "../config/assemble.ts";
import { customer as schema } from "../config/customer.ts";
import { Faults, mostFaults } from "../config/faults.ts";
import { report } from "../config/issues.ts";
import { checkCustomers } from "../config/rules.ts";
import type { Config, Fault } from "../config/types.ts";
import type { Value } from "../config/walk.ts";
import type { Customer } from "../core/identity.ts";
import { claimKey, claimsOf, type Owners, ownersIn, type PlacedClaim } from "./claims.ts";
import type { Item, Store } from "./port.ts";
import { schemaIssues } from "./schema-issues.ts";

/** An item, and the line of the file it came from. */
export interface Candidate {
  readonly item: Item;
  readonly line: number;
}

/** What a candidate must agree with beside the others and the store. */
export interface Surroundings {
  readonly owners: Owners;
  readonly callbackNetworks: readonly string[];
  /** Who asks is not told whose it is that cannot be had twice. */
  readonly discreet?: boolean;
  /** Where the gateway and its Kamailio listen: no trunk. */
  readonly places: {
    readonly gateway: Pick<Config["gateway"], "listen" | "publicUrl" | "domains">;
    readonly upstream: Pick<Config["upstream"], "urls">;
    readonly admin: Pick<Config["admin"], "listen">;
  };
}

/** No more of it: its secrets are told apart by the owners, whose words a customer may hear. */
const placesIn = ({ gateway, upstream, admin }: Config): Surroundings["places"] => ({
  gateway: { listen: gateway.listen, publicUrl: gateway.publicUrl, domains: gateway.domains },
  upstream: { urls: upstream.urls },
  admin: { listen: admin.listen },
});

export const surroundingsOf = (config: Config): Surroundings => ({
  owners: ownersIn(config),
  callbackNetworks: config.exchange?.callbackNetworks ?? [],
  places: placesIn(config),
});

/**
 * Everything that is wrong with customers to be stored, each path relative to its customer. most: faults of the items
 * themselves; where there are as many, nothing else is looked for.
 */
export async function judge(
  candidates: readonly Candidate[],
  { owners, callbackNetworks, discreet = false, places: { gateway, upstream, admin } }: Surroundings,
  store: Pick<Store, "taken"> | undefined,
  most = mostFaults,
): Promise<readonly Fault[]> {
  const faults = new Faults(most);
  const items = candidates.map(({ item }) => item);
  const root = { gateway, upstream, admin, exchange: { callbackNetworks }, customers: items } as unknown as Value;
  for (const [at, { item, line }] of candidates.entries()) {
    faults.place(["customers", at], line);
    if (faults.isFull) break;
    forYamlAlone(item, ["customers", at], faults);
    for (const issues of schemaIssues(item)) {
      for (const issue of issues) report({ ...issue, path: ["customers", at, ...issue.path] }, root, faults);
      if (faults.isFull) break;
    }
  }
  // Whoever has so many to mend hears of the others afterwards; to look for them all takes longest where there are most.
  const isEnough = faults.isFull;
  if (isEnough) faults.stop();
  else checkCustomers(root, faults);
  const found = faults.list(most).map((fault) => ({ ...fault, path: relative(fault.path) }));
  if (isEnough) return found;
  const taken = await takenOf(candidates, owners, store, discreet);
  const known = new Set(found.map(({ line, path }) => `${line} ${path}`));
  return [...found, ...taken.filter(({ line, path }) => !known.has(`${line} ${path}`))];
}

/** `file:` and `${}` would be taken for what they name by whoever knows them from the config. */
function forYamlAlone(value: unknown, path: readonly (string | number)[], faults: Faults): void {
  if (typeof value === "string") {
    if (value.includes("${")) faults.add(path, "holds ${, which is for the config file alone: write the value itself");
    if (value.startsWith("file:"))
      faults.add(path, "begins with file:, which is for the config file alone: write the value itself");
  } else if (typeof value === "object" && value !== null) {
    for (const [key, member] of Object.entries(value)) {
      forYamlAlone(member, [...path, Array.isArray(value) ? Number(key) : key], faults);
    }
  }
}

const relative = (path: string): string => path.replace(/^customers\[\d+\]\.?/, "");

/** What others have, in the config and in the store; what a customer of the same id has there is its own. */
async function takenOf(
  candidates: readonly Candidate[],
  owners: Owners,
  store: Pick<Store, "taken"> | undefined,
  discreet: boolean,
): Promise<Fault[]> {
  const wanted = candidates.flatMap(({ item, line }) => claimsOf(item).map((claim) => ({ claim, line, item })));
  const stored = new Map<number, string>();
  for (const { claim, owner } of (await store?.taken(wanted.map(({ claim: { kind, value } }) => ({ kind, value })))) ??
    []) {
    stored.set(claim, owner);
  }
  return wanted.flatMap(({ claim, line, item }, at) => {
    const owner = stored.get(at);
    const told =
      owners.get(claimKey(claim)) ??
      (owner !== undefined && owner !== item.id ? `customer ${owner} has it` : undefined);
    return told === undefined ? [] : [{ path: claim.path, line, message: sentence(claim, discreet ? somebody : told) }];
  });
}

const somebody = "somebody else has it";

const sentence = ({ kind }: PlacedClaim, owner: string): string =>
  kind === "secret" ? `must differ: ${owner}` : `is taken: ${owner}`;

/** A stored customer as the program sees it. */
export interface StoredCustomer {
  readonly customer: Customer;
  /** Legs of one user at once; 0: no limit. */
  readonly connectionsPerUser: number;
}

/** Undefined for what this version's schema does not take. since: of its record. */
export function readItem(item: Item, since?: number): StoredCustomer | undefined {
  const parsed = schema.safeParse(item);
  if (!parsed.success) return undefined;
  const customer = { ...customerOf(parsed.data), ...(since !== undefined && { since }) };
  return { customer, connectionsPerUser: parsed.data.limits.connectionsPerUser };
}
