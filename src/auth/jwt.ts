import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { type Awaitable, after } from "../core/awaitable.ts";
import type { Clock } from "../core/clock.ts";
import type { Customers } from "../core/customers.ts";
import { type Refusal, refuse } from "../core/errors.ts";
import type { Customer, Identity } from "../core/identity.ts";
import type { State } from "../state/port.ts";
import {
  type Authenticator,
  type NotMine,
  notMine,
  type Presented,
  type PresentedToken,
  type Proof,
} from "./authenticator.ts";
import type { Claims } from "./claims.ts";
import { DecoyKeys } from "./decoy-keys.ts";
import { rejectedToken } from "./ephemeral.ts";
import type { KeySets } from "./jwks.ts";
import { ProofShare } from "./proof-share.ts";
import { type Candidate, TokenKeys } from "./token-keys.ts";
import { readToken, type TokenText } from "./token-reading.ts";
import { identify, timeVerdict } from "./token-verdict.ts";
import { verifyJws } from "./verification-keys.ts";

/** A token that was proved: good while customer and key stand, and by its times. */
interface Proved {
  readonly claims: Claims;
  readonly identity: Identity;
  readonly candidate: Candidate;
  readonly from: string | undefined;
  /** Characters of the token: what is kept of it is about as much. */
  readonly size: number;
}

/** Of all tokens remembered. */
const rememberedCharacters = 16_000_000;

const replayed = refuse(
  "credential-replayed",
  "the token was shown before and is good for one connection: get a new one for each",
);
const tooMany = refuse(
  "limit-reached",
  "more new tokens of this customer come than are proved in its part of the time: show one again, or ask in a few seconds",
);
const full = refuse("limit-reached", "no more tokens for single use can be remembered: try again later");

/**
 * Proves tokens that customers sign (RFC 7519) in the order of verdicts: malformed, rejected, and only after the proof
 * expired, ttl, replayed. A proved one is remembered by its hash: another look costs that hash, and waits for nothing
 * but the state of a token for single use. cacheSize: tokens remembered; verifySignature: for tests that count.
 */
export class JwtAuthenticator implements Authenticator {
  readonly #customers: () => Customers;
  readonly #clock: Clock;
  readonly #state: State;
  readonly #verify: typeof verifyJws;
  readonly #keySets: KeySets;
  readonly #keys: TokenKeys;
  readonly #decoys = new DecoyKeys();
  readonly #share: ProofShare;
  readonly #proved: LRUCache<string, Proved>;

  constructor(parts: {
    readonly customers: () => Customers;
    readonly clock: Clock;
    readonly state: State;
    readonly keySets: KeySets;
    readonly cacheSize?: number;
    readonly verifySignature?: typeof verifyJws;
  }) {
    this.#customers = parts.customers;
    this.#clock = parts.clock;
    this.#state = parts.state;
    this.#verify = parts.verifySignature ?? verifyJws;
    this.#keySets = parts.keySets;
    this.#share = new ProofShare(parts.clock);
    this.#keys = new TokenKeys(parts.keySets);
    this.#proved = new LRUCache({
      max: parts.cacheSize ?? 10_000,
      maxSize: rememberedCharacters,
      sizeCalculation: ({ size }) => size,
    });
  }

  /** Has the customers' key sets fetched before a token needs them: at the start and after each reload. */
  prepare(): void {
    this.#keys.prepare(this.#customers());
  }

  prove(presented: Presented): Awaitable<Proof | NotMine> {
    if (presented.kind !== "token") return notMine;
    const hash = createHash("sha256").update(presented.token).digest("base64url");
    const known = this.#recall(hash, presented.domain);
    return known ? this.#judge(known, presented.holder) : this.#proveFirst(presented, hash);
  }

  /** What was proved must be proved anew. */
  forgetAll(): void {
    this.#proved.clear();
  }

  #recall(hash: string, domain: string | undefined): Proved | undefined {
    const known = this.#proved.get(hash);
    if (known === undefined) return undefined;
    const { customer } = known.identity;
    const stands = this.#customers().byId(customer.id) === customer && this.#keys.stands(known.candidate);
    if (!stands) this.#proved.delete(hash);
    return stands && (known.from === undefined || known.from === domain) ? known : undefined;
  }

  #proveFirst(presented: PresentedToken, hash: string): Awaitable<Proof> {
    const { token, domain, holder } = presented;
    const read = readToken(token, domain, this.#customers());
    if (read.kind === "refused") return read;
    const { claims, customer, from } = read.token;
    if (customer !== undefined && this.#share.isUsedUp(customer.id)) return refused(tooMany);
    return this.#search(read.token).then((candidate) => {
      if (candidate === undefined || customer === undefined) return refused(rejectedToken);
      this.#share.proved(customer.id, read.token.name.alg);
      // While it was verified the customers may have become others.
      if (this.#customers() !== read.token.customers) return this.#proveFirst(presented, hash);
      const identified = identify(claims, customer, candidate.of, token.slice(0, token.lastIndexOf(".")));
      if (identified.kind === "refused") return refused(identified.refusal, customer);
      const { thumbprint } = candidate;
      const identity = thumbprint === undefined ? identified.identity : { ...identified.identity, jwk: thumbprint };
      const proved: Proved = { claims, identity, candidate, from, size: token.length };
      this.#proved.set(hash, proved);
      return this.#judge(proved, holder);
    });
  }

  /** Twice, where a set that may have the key is another one when it is asked for again. */
  async #search(token: TokenText): Promise<Candidate | undefined> {
    const { customers, name, claimed } = token;
    this.#keys.prepare(customers);
    const { generation } = this.#keySets;
    const found = await this.#try(token);
    if (found !== undefined) return found;
    const sets = this.#keys.sets(customers, name.alg, claimed);
    await Promise.all(sets.map((uri) => this.#keySets.consult(uri)));
    return this.#keySets.generation === generation ? undefined : this.#try(token);
  }

  /** As many checks for an unknown customer as for the known one with most keys. */
  async #try({ jws, name, customers, customer }: TokenText): Promise<Candidate | undefined> {
    const candidates = customer === undefined ? [] : this.#keys.candidates(customer, name);
    const slots = this.#keys.slots(customers, name);
    for (let slot = 0; slot < slots; slot++) {
      const candidate = candidates[slot];
      const right = await this.#verify(jws, candidate?.key ?? this.#decoys.for(name.alg));
      if (right && candidate !== undefined) return candidate;
    }
    return undefined;
  }

  /** Of a proved token, each time it is seen. */
  #judge({ claims, identity, candidate }: Proved, holder: string): Awaitable<Proof> {
    const { customer, expiry } = identity;
    const refusal = timeVerdict(claims, customer, this.#clock.now());
    // It stays remembered: an ended one is no failure that is counted, so each further look has to be cheap.
    if (refusal !== undefined) return refused(refusal, customer);
    if (!candidate.of.singleUse) return { kind: "proved", identity };
    const until = (expiry + customer.clockSkew + 1) * 1000;
    return after(this.#state.claim("jti", `${customer.id} ${claims.id}`, holder, until), (claim) => {
      if (claim.kind === "full") return refused(full, customer);
      return claim.holder === holder ? { kind: "proved", identity } : refused(replayed, customer);
    });
  }
}

const refused = (refusal: Refusal, customer?: Customer): Proof => ({
  kind: "refused",
  refusal,
  ...(customer !== undefined && { customer }),
});
