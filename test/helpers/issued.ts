import { mintAccessToken } from "../../src/auth/access-token.ts";
import { type ExchangeSecret, issue, issueDirect } from "../../src/auth/issued.ts";
import { OwnKeys } from "../../src/auth/own-keys.ts";
import type { Identity, Narrowing } from "../../src/core/identity.ts";
import { customer, identity } from "./customers.ts";
import { acmeSecret, chainSecret, globexSecret, type TestGateway } from "./gateway.ts";
import type { Credential } from "./raw-client.ts";

/** What a test gateway issues, made by hand: it has the same secrets, and so the same keys. */
const exchangeSecret = "the-exchange-secret-of-the-tests";
export const exchange: ExchangeSecret = { secret: exchangeSecret, algorithm: "sha1" };
/** `more` of a gateway that exchanges. */
export const withExchange = `exchange: { secret: ${exchangeSecret} }`;

export interface Given {
  readonly narrowing?: Narrowing;
  /** Seconds. */
  readonly ttl?: number;
  /** Default: now. */
  readonly now?: number;
  readonly keys?: OwnKeys;
  readonly exchange?: ExchangeSecret;
}

export const gatewayKeys = (secrets: { readonly exchange?: string } = { exchange: exchangeSecret }): OwnKeys =>
  new OwnKeys({ chain: [chainSecret], ...secrets });

const secrets: Readonly<Record<string, string>> = { acme: acmeSecret, globex: globexSecret };

/** user@acme.example or user@globex.example, proved by its customer's one secret. */
function visitor(address: string, narrowing: Narrowing = {}): Identity {
  const [user = "", domain = ""] = address.split("@");
  const id = domain.split(".")[0]!;
  const of = customer({ id, domains: [domain], secrets: [{ id: "k1", secret: secrets[id]!, algorithm: "sha1" }] });
  return identity(of, { user, narrowing });
}

const defaults = (given: Given) => ({
  ttl: 300,
  now: Math.floor(Date.now() / 1000),
  keys: gatewayKeys(),
  exchange,
  ...given,
});

export const exchanged = (address: string, given: Given = {}): Credential =>
  issue({ ...defaults(given), identity: visitor(address, given.narrowing) });

export const exchangedDirect = (address: string): Credential =>
  issueDirect({ ...defaults({}), identity: visitor(address) });

/** The access token that this gateway would give. */
export const accessToken = (gateway: Pick<TestGateway, "gatewayUrl">, address: string, given: Given = {}): string =>
  mintAccessToken({ ...defaults(given), issuer: gateway.gatewayUrl, identity: visitor(address, given.narrowing) });
