import type { Customer, CustomerLimits, Identity } from "../../src/core/identity.ts";
import { defaultMethods, unnarrowed } from "../../src/core/identity.ts";

/** What is not said has no limit. */
export const limits = (changes: Partial<CustomerLimits> = {}): CustomerLimits => ({
  ...{ connections: 0, registrations: 0, calls: 0, callsPerMinute: 0, callSeconds: 0 },
  ...changes,
});

/** A customer for unit tests: one domain, one secret, no rights beyond its own users. */
export function customer(changes: Partial<Customer> = {}): Customer {
  return {
    id: "acme",
    domains: ["acme.example"],
    secrets: [{ id: "k1", secret: "0123456789abcdef", algorithm: "sha1" }],
    keys: [],
    apiKeys: [],
    origins: [],
    maxTtl: 3600,
    clockSkew: 0,
    callFrom: [],
    numbers: [],
    dial: [],
    methods: defaultMethods,
    inbound: {},
    passHeaders: [],
    limits: limits({ connections: 1000, calls: 100, callSeconds: 14_400 }),
    ceilings: {},
    revoked: [],
    ...changes,
  };
}

/** alice of that customer's first domain. */
export function identity(of: Customer = customer(), changes: Partial<Identity> = {}): Identity {
  const proof = { provedBy: of.secrets[0]!, expiry: 2_000_000_000, narrowing: unnarrowed, names: [] };
  return { customer: of, user: "alice", domain: of.domains[0]!, ...proof, ...changes };
}
