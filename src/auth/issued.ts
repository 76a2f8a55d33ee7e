import { LRUCache } from "lru-cache";
import { type Clock, seconds } from "../core/clock.ts";
import type { Customers } from "../core/customers.ts";
import { PosternError, type Refusal, refuse } from "../core/errors.ts";
import { address, type HashName, type Identity, type Name, type Narrowing, unnarrowed } from "../core/identity.ts";
import { digestResponse, ha1 } from "../sip/digest.ts";
import {
  type Authenticator,
  type NotMine,
  notMine,
  type Presented,
  type PresentedDigest,
  type PresentedPassword,
  type Proof,
} from "./authenticator.ts";
import { proveAnswer } from "./digest.ts";
import { type Credential, mint, type ParsedUsername, parseUsername, rejected, sameText, sign } from "./ephemeral.ts";
import { type Evidence, evidenceOf, keyOf, noRemoteKeys, ownerOf, provedByOf, type RemoteKeys } from "./evidence.ts";
import type { OwnKeys } from "./own-keys.ts";

/** What exchanged credentials are signed with: not the chain's secret. ttl: longest life, seconds. */
export interface ExchangeSecret {
  readonly secret: string;
  /** All that are good, newest first; absent: that one. */
  readonly secrets?: readonly string[];
  readonly algorithm: HashName;
}

export interface Wanted {
  readonly identity: Identity;
  readonly exchange: ExchangeSecret;
  /** Seconds. */
  readonly ttl: number;
  /** Unix seconds. */
  readonly now: number;
}

/** What a handle carries of the proof that was exchanged. */
interface Handle {
  readonly evidence: Evidence;
  readonly narrowing: Narrowing;
}

/** Characters: with it a username still fits into a digest answer. */
const longestHandle = 3_000;
const handleGrammar = /^[A-Za-z0-9_-]{38,3000}$/;

/**
 * `<expiry>:<user>@<domain>;<handle>` and its password under the exchange secret. The handle is sealed under the
 * gateway's own key and bound to what stands before it. Throws exchange-narrowed where it would be too long.
 */
export function issue({ keys, ...wanted }: Wanted & { readonly keys: OwnKeys }): Credential {
  const { identity, exchange, ttl, now } = wanted;
  const bare = `${now + ttl}:${address(identity)}`;
  const handle: Handle = { evidence: evidenceOf(identity, keys), narrowing: identity.narrowing };
  const sealed = keys.seal(JSON.stringify(handle), bare);
  if (sealed.length > longestHandle) {
    throw new PosternError(
      "exchange-narrowed",
      "the token narrows by more than a credential can carry: shorten its lists",
    );
  }
  const username = `${bare};${sealed}`;
  return { username, password: sign(exchange.secret, exchange.algorithm, username), ttl };
}

/** `<expiry>:<user>@<domain>`, for a Kamailio that is reached directly and holds the exchange secret. */
export function issueDirect({ identity, exchange, ttl, now }: Wanted): Credential {
  return mint({ ...exchange, user: address(identity), ttl, now });
}

const malformed = refuse(
  "credential-malformed",
  "what follows the ; of the username is no handle: use it as the exchange gave it",
);
const revoked = refuse("credential-revoked", "what was exchanged for this credential is no longer good: get a new one");

/** Proves what `issue` made: usernames with a handle, under the exchange secret. Undefined exchange: none is right. */
export class IssuedAuthenticator implements Authenticator {
  readonly #customers: () => Customers;
  readonly #clock: Clock;
  readonly #exchange: () => ExchangeSecret | undefined;
  readonly #keys: () => OwnKeys;
  readonly #remote: RemoteKeys;
  /** One identity for one credential, for what hangs on it downstream. */
  readonly #known = new LRUCache<string, Identity>({ max: 2_000 });

  constructor(parts: {
    readonly customers: () => Customers;
    readonly clock: Clock;
    readonly exchange: () => ExchangeSecret | undefined;
    readonly keys: () => OwnKeys;
    readonly remote?: RemoteKeys;
  }) {
    this.#customers = parts.customers;
    this.#clock = parts.clock;
    this.#exchange = parts.exchange;
    this.#keys = parts.keys;
    this.#remote = parts.remote ?? noRemoteKeys;
  }

  prove(presented: Presented): Proof | NotMine {
    if (presented.kind === "token") return notMine;
    const username = presented.kind === "digest" ? presented.credentials.username : presented.username;
    const cut = username.indexOf(";");
    if (cut < 0) return notMine;
    const parsed = readUsername(username, cut);
    const judge = (named: Username): Proof => this.#judge(presented, username, cut, named);
    if (presented.kind === "digest") return proveAnswer(presented, parsed, judge);
    return parsed.kind === "malformed" ? { kind: "refused", refusal: parsed.refusal } : judge(parsed);
  }

  /** Signature and seal are both looked at, whichever is wrong; nothing before that depends on a customer. */
  #judge(presented: PresentedDigest | PresentedPassword, username: string, cut: number, parsed: Username): Proof {
    const exchange = this.#exchange();
    const opened = this.#keys().open(username.slice(cut + 1), username.slice(0, cut));
    const secrets = exchange ? (exchange.secrets ?? [exchange.secret]) : ["none"];
    const right = secrets.filter((secret) =>
      shows(presented, username, sign(secret, exchange?.algorithm ?? "sha1", username)),
    );
    if (right.length === 0 || !exchange || opened === undefined) {
      return { kind: "refused", refusal: rejected };
    }
    return this.#stands(username, parsed, JSON.parse(opened) as Handle);
  }

  #stands(username: string, { user, domain = "", expiry }: Username, { evidence, narrowing }: Handle): Proof {
    const customer = ownerOf(evidence, domain, this.#customers());
    const refused = (refusal: Refusal): Proof => ({ kind: "refused", refusal, ...(customer && { customer }) });
    if (seconds(this.#clock) > expiry) return refused(expired);
    const [keys, remote, now] = [this.#keys(), this.#remote, seconds(this.#clock)];
    const provedBy = provedByOf(customer, evidence, { keys, remote, now });
    if (!customer || !provedBy) return refused(revoked);
    const known = this.#known.get(username);
    if (known?.customer === customer) return { kind: "proved", identity: known };
    const narrowed = Object.keys(narrowing).length === 0 ? unnarrowed : narrowing;
    const handle: Name = { kind: "handle", value: username.slice(username.indexOf(";") + 1) };
    const names = [handle, ...(evidence.names ?? [])];
    const proof = { provedBy, expiry, ownClock: true, narrowing: narrowed, names, ...keyOf(evidence) } as const;
    const identity = { customer, user, domain, ...proof };
    this.#known.set(username, identity);
    return { kind: "proved", identity };
  }
}

type Username = Extract<ParsedUsername, { kind: "username" }>;

function readUsername(username: string, cut: number): ParsedUsername {
  const parsed = parseUsername(username.slice(0, cut));
  if (parsed.kind === "malformed") return parsed;
  const whole = parsed.domain !== undefined && handleGrammar.test(username.slice(cut + 1));
  return whole ? parsed : { kind: "malformed", refusal: malformed };
}

const expired = refuse("credential-expired", "the credential has expired: exchange for a new one");

function shows(presented: PresentedDigest | PresentedPassword, username: string, password: string): boolean {
  if (presented.kind === "password") return sameText(presented.password, password);
  const { credentials, method } = presented;
  const hash = ha1(username, credentials.realm, password);
  return sameText(credentials.response, digestResponse({ ...credentials, ha1: hash, method }));
}
