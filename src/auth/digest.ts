import { LRUCache } from "lru-cache";
import { type Clock, seconds } from "../core/clock.ts";
import type { Customers } from "../core/customers.ts";
import { refuse } from "../core/errors.ts";
import type { Customer, Identity, Name, Secret } from "../core/identity.ts";
import { digestResponse, ha1 } from "../sip/digest.ts";
import { accountNarrowing } from "./account.ts";
import {
  type Authenticator,
  type NotMine,
  notMine,
  type Presented,
  type PresentedDigest,
  type Proof,
} from "./authenticator.ts";
import {
  inWindow,
  lifetime,
  type ParsedUsername,
  parseUsername,
  provingSecret,
  rejected,
  type Sign,
  sameText,
  sign,
} from "./ephemeral.ts";

type Username = Extract<ParsedUsername, { kind: "username" }>;

const credentialName = ({ credentials: { username } }: PresentedDigest): Name => ({
  kind: "credential",
  value: username,
});

/** A proof that succeeded: good while this very Secret is the customer's and in its window. */
interface Remembered {
  readonly ha1: string;
  readonly secret: Secret;
}

const uriMismatch = refuse(
  "message-malformed",
  "the uri of the digest is not the Request-URI: answer for the request itself",
);
const replayed = refuse("credential-replayed", "this answer was used before: count nc up or answer a new challenge");

/** Compared against where nothing is remembered, so that a refusal costs the same either way. */
const noHa1 = "0".repeat(32);

/**
 * What every digest answer must be, whoever's secret is behind it: for this very request, under a nonce of this
 * connection, and not used before. identify: whom the response proves; a refusal without customer is no proof at all.
 */
export function proveAnswer(
  presented: PresentedDigest,
  username: ParsedUsername,
  identify: (username: Username) => Proof,
): Proof {
  const { credentials, nonces, realm } = presented;
  if (credentials.uri !== presented.requestUri) return { kind: "refused", refusal: uriMismatch };
  if (username.kind === "malformed") return { kind: "refused", refusal: username.refusal };
  if (nonces.check(credentials.nonce) === "stale") return { kind: "stale" };
  const proof = identify(username);
  if (credentials.realm.toLowerCase() !== realm) return { kind: "refused", refusal: rejected };
  const customer = customerOf(proof);
  if (customer === undefined) return proof;
  if (nonces.use(credentials.nonce, Number.parseInt(credentials.nc, 16))) return proof;
  return { kind: "refused", refusal: replayed, customer };
}

function customerOf(proof: Proof): Customer | undefined {
  if (proof.kind === "proved") return proof.identity.customer;
  return proof.kind === "refused" ? proof.customer : undefined;
}

/**
 * Proves ephemeral credentials by digest (RFC 3261 §22, MD5, `qop=auth`) in the order of verdicts: malformed, stale,
 * rejected, and only after the proof replayed, expired, ttl. cacheSize: proofs remembered; sign: for tests that count.
 */
export class DigestAuthenticator implements Authenticator {
  readonly #customers: () => Customers;
  readonly #clock: Clock;
  readonly #sign: Sign;
  readonly #remembered: LRUCache<string, Remembered>;

  constructor(parts: {
    readonly customers: () => Customers;
    readonly clock: Clock;
    readonly cacheSize?: number;
    readonly sign?: Sign;
  }) {
    this.#customers = parts.customers;
    this.#clock = parts.clock;
    this.#sign = parts.sign ?? sign;
    this.#remembered = new LRUCache({ max: parts.cacheSize ?? 10_000 });
  }

  prove(presented: Presented): Proof | NotMine {
    if (presented.kind !== "digest" || presented.credentials.username.includes(";")) return notMine;
    return proveAnswer(presented, parseUsername(presented.credentials.username), (username) => {
      const now = seconds(this.#clock);
      const identity = this.#identify(presented, username, now);
      if (identity === undefined) return { kind: "refused", refusal: rejected };
      const refusal = lifetime(identity.customer, identity.expiry, now);
      return refusal ? { kind: "refused", refusal, customer: identity.customer } : { kind: "proved", identity };
    });
  }

  /** Whom the response proves, whatever the credential's lifetime. */
  #identify(request: PresentedDigest, { user, domain: named, expiry }: Username, now: number): Identity | undefined {
    const customers = this.#customers();
    const domain = named ?? request.realm;
    const ours = request.credentials.realm.toLowerCase() === request.realm;
    const customer = ours ? customers.byDomain(domain) : undefined;
    const secret = this.#secretBehind(request, customers, customer, now);
    if (customer === undefined || secret === undefined) return undefined;
    const narrowing = accountNarrowing(customer, user, named);
    return { customer, user, domain, provedBy: secret, expiry, narrowing, names: [credentialName(request)] };
  }

  #secretBehind(
    { credentials, method }: PresentedDigest,
    customers: Customers,
    customer: Customer | undefined,
    now: number,
  ): Secret | undefined {
    const { username, realm, response } = credentials;
    const answers = (hash: string): boolean =>
      sameText(response, digestResponse({ ...credentials, ha1: hash, method }));
    const key = `${username} ${realm}`;
    const known = this.#recall(key, customer, now);
    if (answers(known?.ha1 ?? noHa1) && known !== undefined) return known.secret;
    let hash = noHa1;
    const matches = (password: string): boolean => {
      hash = ha1(username, realm, password);
      return answers(hash);
    };
    const secret = provingSecret({ customers, customer, username, now, matches, sign: this.#sign });
    if (secret !== undefined) this.#remembered.set(key, { ha1: hash, secret });
    return secret;
  }

  /** What was remembered, if the customer still has that secret: a reload, a removal, a window's end forget it. */
  #recall(key: string, customer: Customer | undefined, now: number): Remembered | undefined {
    const known = this.#remembered.get(key);
    if (known === undefined || customer === undefined) return undefined;
    if (customer.secrets.includes(known.secret) && inWindow(known.secret, now)) return known;
    this.#remembered.delete(key);
    return undefined;
  }
}
