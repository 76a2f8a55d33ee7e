import type { Customer, Identity } from "../../src/core/identity.ts";
import { defaultMethods, unnarrowed } from "../../src/core/identity.ts";

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
    limits: { connections: 1000, calls: 100, callSeconds: 14_400 },
    ...changes,
  };
}

/** alice of that customer's first domain. */
export function identity(of: Customer = customer(), changes: Partial<Identity> = {}): Identity {
  const proof = { provedBy: of.secrets[0]!, expiry: 2_000_000_000, narrowing: unnarrowed };
  return { customer: of, user: "alice", domain: of.domains[0]!, ...proof, ...changes };
}
