import { createHmac, randomBytes } from "node:crypto";
import type { Customers } from "../core/customers.ts";
import type { Customer, JwtAlgorithm, VerificationKey } from "../core/identity.ts";
import type { KeySets } from "./jwks.ts";
import type { ClaimedName } from "./token-verdict.ts";
import { ownKey, type ProvingKey } from "./verification-keys.ts";

/** How a token names its key: `kid` in the header, callstats.io's `keyID` among the claims, or not at all. */
export interface KeyName {
  readonly alg: JwtAlgorithm;
  readonly kid: string | undefined;
  readonly keyId: string | undefined;
}

/** A key that may have signed a token. */
export interface Candidate {
  readonly of: VerificationKey;
  readonly key: ProvingKey;
  /** Of the set that has it; undefined for the customer's own. */
  readonly uri: string | undefined;
  readonly thumbprint?: string;
}

/** Keys of one set that a token without `kid` is tried with; of a larger set it must name one. */
const mostUnnamed = 8;

/** Keys tried for tokens of one algorithm, whoever they name. */
interface Measure {
  named: number;
  unnamed: number;
  readonly uris: Set<string>;
  /** Most sets that one customer has. */
  sets: number;
}

interface Measured {
  readonly generation: number;
  readonly byAlgorithm: ReadonlyMap<JwtAlgorithm, Measure>;
}

/** The keys of customers, as a token asks for them. */
export class TokenKeys {
  readonly #keySets: KeySets;
  readonly #pick = randomBytes(32);
  readonly #measured = new WeakMap<Customers, Measured>();

  constructor(keySets: KeySets) {
    this.#keySets = keySets;
  }

  /** Has the sets of these customers looked after, and the keys counted. */
  prepare(customers: Customers): void {
    this.#measure(customers);
  }

  /** The customer's keys that the token may mean: of its algorithm and, where it gives a name, of that name. */
  candidates(customer: Customer, name: KeyName): Candidate[] {
    return customer.keys.filter((key) => key.alg === name.alg).flatMap((key) => this.#under(key, name));
  }

  /** Most candidates that such a token can have with any customer, so that each refusal costs that many checks. */
  slots(customers: Customers, { alg, kid, keyId }: KeyName): number {
    const measure = this.#measure(customers).get(alg);
    return Math.max(1, (kid ?? keyId) === undefined ? (measure?.unnamed ?? 0) : (measure?.named ?? 0));
  }

  /**
   * The sets to ask for anew when no candidate signed: under each name that the token gives the customer's own, and others
   * that the name picks, as many together as any customer has, so that it takes no other time for a name that is nobody's.
   * Each name has its sets whatever the others are, or one of them, varied, would show that another is a customer's. Which
   * they are nobody outside can compute, or he would see from what was asked for just now that a name picks nothing else.
   */
  sets(customers: Customers, alg: JwtAlgorithm, claimed: readonly ClaimedName[]): readonly string[] {
    const measure = this.#measure(customers).get(alg);
    return measure === undefined ? [] : [...new Set(claimed.flatMap((name) => this.#setsOf(name, alg, measure)))];
  }

  #setsOf({ name, customer }: ClaimedName, alg: JwtAlgorithm, { uris, sets: most }: Measure): readonly string[] {
    const own = customer?.keys.filter((key) => key.alg === alg).flatMap(uriOf);
    const sets = new Set(own?.filter((uri) => uris.has(uri)));
    const all = [...uris];
    const first = createHmac("sha256", this.#pick).update(name).digest().readUInt32BE();
    for (let step = 0; step < all.length && sets.size < most; step++) sets.add(all[(first + step) % all.length]!);
    return [...sets];
  }

  stands({ uri, key }: Candidate): boolean {
    return uri === undefined || this.#keySets.holds(uri, key);
  }

  /** Counted anew when some set is another one. */
  #measure(customers: Customers): Measured["byAlgorithm"] {
    const known = this.#measured.get(customers);
    if (known === undefined) wantKeySets(this.#keySets, customers);
    const { generation } = this.#keySets;
    if (known?.generation === generation) return known.byAlgorithm;
    const byAlgorithm = new Map<JwtAlgorithm, Measure>();
    for (const customer of customers.keyed) this.#count(customer, byAlgorithm);
    this.#measured.set(customers, { generation, byAlgorithm });
    return byAlgorithm;
  }

  #count(customer: Customer, into: Map<JwtAlgorithm, Measure>): void {
    for (const alg of new Set(customer.keys.map((key) => key.alg))) {
      const measure = into.get(alg) ?? { named: 0, unnamed: 0, uris: new Set(), sets: 0 };
      const keys = customer.keys.filter((key) => key.alg === alg);
      const uris = keys.flatMap(uriOf);
      measure.named = Math.max(measure.named, uris.length + (keys.length > uris.length ? 1 : 0));
      const unnamed = this.candidates(customer, { alg, kid: undefined, keyId: undefined }).length;
      measure.unnamed = Math.max(measure.unnamed, unnamed);
      const asked = new Set(isAsked(customer) ? uris : []);
      measure.sets = Math.max(measure.sets, asked.size);
      for (const uri of asked) measure.uris.add(uri);
      into.set(alg, measure);
    }
  }

  #under(of: VerificationKey, { alg, kid, keyId }: KeyName): Candidate[] {
    if (of.source.kind !== "remote") {
      const own = ownKey(of);
      const meant = (kid ?? of.id) === of.id && (keyId ?? of.id) === of.id;
      return meant && own?.kind === "key" ? [{ of, key: own.key, uri: undefined }] : [];
    }
    const { uri } = of.source;
    const keys = this.#keySets.keys(uri, alg);
    if (kid !== undefined && keyId !== undefined && keyId !== kid && keyId !== of.id) return [];
    const name = kid ?? keyId;
    const meant = name === undefined ? keys : keys.filter((key) => key.kid === name);
    return meant.length > mostUnnamed ? [] : meant.map(({ key, thumbprint }) => ({ of, key, uri, thumbprint }));
  }
}

/** Whose sets are asked for. What a suspended one has stays, for calls that may finish and for when it is resumed. */
const isAsked = ({ suspended }: Customer): boolean => suspended === undefined;

/** Has the key sets of these customers looked after. */
export function wantKeySets(keySets: KeySets, { keyed }: Customers): void {
  const urisOf = (of: readonly Customer[]) => new Set(of.flatMap(({ keys }) => keys.flatMap(uriOf)));
  keySets.want(urisOf([...keyed].filter(isAsked)), urisOf([...keyed]));
}

const uriOf = ({ source }: VerificationKey): string[] => (source.kind === "remote" ? [source.uri] : []);
