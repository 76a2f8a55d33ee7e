import { stillHas, stillProves } from "../auth/evidence.ts";
import { Nonces } from "../auth/nonce.ts";
import { type Awaitable, after } from "../core/awaitable.ts";
import { seconds } from "../core/clock.ts";
import type { Customers } from "../core/customers.ts";
import type { Refusal } from "../core/errors.ts";
import { address, type CallsThen, type Customer, type Identity, skewOf } from "../core/identity.ts";
import { revokedOf, takenBack } from "../core/revocations.ts";
import { originRefusal } from "../policy/authorize.ts";
import type { Header, Message } from "../sip/message.ts";
import type { Request } from "../sip/request.ts";
import { refusals } from "./answers.ts";
import { type Authenticated, authenticate, ownCredentials, realmOf } from "./authenticate.ts";
import type { Context } from "./context.ts";
import { type FailureCount, failuresOf } from "./failures.ts";

/** Who this connection is now, and the header field that said so. */
export interface Proved {
  readonly kind: "proved";
  readonly identity: Identity;
  /** None where the handshake's token speaks for the request. */
  readonly header?: Header;
}

export type Proof = Proved | Exclude<Authenticated, { kind: "proved" | "none" }>;

export interface VisitorParts {
  readonly connection: string;
  readonly address: string;
  readonly origin: string | undefined;
  /** Whom the token of the handshake proved. */
  readonly vouched?: Identity | undefined;
  readonly context: Context;
}

/** Who is at the other end of a connection: nobody until the first proof, and only that one from then on. */
export class Visitor {
  readonly nonces: Nonces;
  readonly #parts: VisitorParts;
  readonly #failures: FailureCount;
  #realm: string | undefined;
  #identity: Identity | undefined;
  #wasAccepted = false;
  /** Of the latest proof: what tells its credential from others. */
  #shown: string | undefined;
  /** Of which the identity was judged last. */
  #customers: Customers | undefined;
  #keyGeneration = -1;
  /** The latest proof is the handshake's: it speaks for every request. */
  #byHandshake = false;

  constructor(parts: VisitorParts) {
    this.#parts = parts;
    if (parts.vouched) {
      this.#bind(parts.vouched, parts.vouched.domain);
      this.#byHandshake = true;
    }
    this.nonces = new Nonces(parts.context.nonceKey, parts.connection, parts.context.clock);
    this.#failures = failuresOf(parts.address, parts.context);
  }

  /** Of the latest proof, with the customer as it is now. */
  get identity(): Identity | undefined {
    const { context } = this.#parts;
    const [customers, { generation }] = [context.customers(), context.remoteKeys];
    const changed =
      customers !== this.#customers || (generation !== this.#keyGeneration && this.#identity?.jwk !== undefined);
    if (this.#identity && changed) this.#renew(this.#identity, customers);
    this.#customers = customers;
    this.#keyGeneration = generation;
    return this.#identity;
  }

  /** The customers were changed: who lost the customer, its domain, its word on the page or the secret must prove anew. */
  #renew(identity: Identity, customers: Customers): void {
    const { clock, remoteKeys } = this.#parts.context;
    const customer = customers.byDomain(identity.domain);
    const same = customer?.id === identity.customer.id;
    const proves = same && stillProves(customer, identity, seconds(clock), remoteKeys);
    const stands = proves && !this.#originRefusal(customer);
    const present = same ? customer : identity.customer;
    this.#identity = { ...identity, customer: present, expiry: stands ? identity.expiry : 0 };
  }

  /** How its calls end because its customer has revoked it or is suspended; undefined where it is good. */
  get takenBack(): CallsThen | undefined {
    const { identity } = this;
    return identity && takenBack(identity, seconds(this.#parts.context.clock));
  }

  /** What it is told where it was taken back. */
  get takenBackWhy(): Refusal {
    return this.identity ? revokedOf(this.identity.customer) : refusals.revoked;
  }

  /** Whose it is; undefined before the first proof. */
  get customer(): string | undefined {
    return this.#identity?.customer.id;
  }

  /** The customer has no more what proved it; an ended window is no revocation. */
  get revoked(): boolean {
    const { identity } = this;
    if (!identity) return false;
    const customer = this.#parts.context.customers().byDomain(identity.domain);
    return customer?.id !== identity.customer.id || !stillHas(customer, identity);
  }

  /** The credential of the latest proof still stands and a request under it was accepted. */
  get accepted(): boolean {
    return this.#wasAccepted && this.#stands;
  }

  get #stands(): boolean {
    const { identity } = this;
    const now = seconds(this.#parts.context.clock);
    return (
      identity !== undefined &&
      now <= identity.expiry + skewOf(identity) &&
      takenBack(identity, now) === undefined &&
      !this.#isOver
    );
  }

  /** The only conference that its credential opens has ended. */
  get #isOver(): boolean {
    return this.#identity !== undefined && this.#parts.context.conferences.isOver(this.#identity);
  }

  /** Milliseconds until the handshake's token has ended, 0 when it has; undefined where nothing hangs on one. */
  get tokenLeft(): number | undefined {
    const { identity } = this;
    if (!this.#byHandshake || !identity) return undefined;
    if (this.#isOver) return 0;
    const end = (identity.expiry + skewOf(identity) + 1) * 1000;
    return Math.max(0, end - this.#parts.context.clock.now());
  }

  accept(): void {
    this.#wasAccepted = true;
  }

  /** The realm that a request is challenged with. */
  realmOf(request: Request): string {
    return realmOf(request, { realm: this.#realm });
  }

  /** Credentials for us in a message that needed no proof. */
  credentialsIn(message: Message): Header[] {
    return ownCredentials(message, this.#realm ?? "").map(({ header }) => header);
  }

  /** Who sent a request that proves itself; what proves somebody else than before is refused. */
  prove(request: Request): Awaitable<Proof> {
    const { connection, context } = this.#parts;
    const accepted = this.#wasAccepted ? this.#shown : undefined;
    const asker = { connection, realm: this.#realm, nonces: this.nonces, failures: this.#failures, accepted };
    const began = performance.now();
    return after(authenticate(request, asker, context.authenticators), (proof) => {
      if (proof.kind === "none") return this.#withoutCredential();
      if (proof.kind !== "challenge") context.metrics.proved(performance.now() - began);
      return proof.kind === "proved" ? this.#judge(proof, request) : proof;
    });
  }

  #withoutCredential(): Proof {
    const { identity } = this;
    if (!this.#byHandshake || !identity) return { kind: "challenge", stale: false };
    const { customer } = identity;
    if (this.takenBack) return { kind: "refused", refusal: revokedOf(customer), customer };
    if (this.#isOver) return { kind: "refused", refusal: refusals.conferenceOver, customer };
    return this.#stands ? { kind: "proved", identity } : { kind: "challenge", stale: false };
  }

  #judge({ identity, header, shown }: Extract<Authenticated, { kind: "proved" }>, request: Request): Proof {
    const refusal = this.#staleRefusal(identity) ?? this.#bindingRefusal(identity);
    if (refusal) return { kind: "refused", refusal, customer: identity.customer };
    this.#shown = shown;
    return { kind: "proved", identity: this.#bind(identity, this.realmOf(request)), header };
  }

  #originRefusal(customer: Customer): Refusal | undefined {
    const { origin, context } = this.#parts;
    return originRefusal(customer, { origin, allowMissingOrigin: context.allowMissingOrigin() });
  }

  /** The customers became others while it was proved. */
  #staleRefusal({ customer, domain }: Identity): Refusal | undefined {
    return this.#parts.context.customers().byDomain(domain) === customer ? undefined : refusals.changed;
  }

  #bindingRefusal(identity: Identity): Refusal | undefined {
    const refusal = this.#originRefusal(identity.customer);
    if (refusal) return refusal;
    const bound = this.#identity;
    const other = bound && (bound.customer.id !== identity.customer.id || address(bound) !== address(identity));
    return other ? refusals.otherIdentity : undefined;
  }

  /** A newer proof of the same visitor replaces the older; the same one again leaves what hangs on it in place. */
  #bind(identity: Identity, realm: string): Identity {
    this.#realm ??= realm;
    const bound = this.identity;
    if (!bound || !sameProof(bound, identity)) {
      this.#identity = identity;
      this.#byHandshake = false;
    }
    const { customers, remoteKeys } = this.#parts.context;
    // A proof that took its time may be of customers that are no more: it is judged anew at the next look.
    this.#customers = this.#staleRefusal(identity) ? undefined : customers();
    this.#keyGeneration = remoteKeys.generation;
    return this.identity ?? identity;
  }
}

const sameProof = (one: Identity, other: Identity): boolean =>
  one.expiry === other.expiry &&
  one.customer === other.customer &&
  one.provedBy === other.provedBy &&
  one.jwk === other.jwk &&
  one.narrowing === other.narrowing &&
  one.names.length === other.names.length &&
  one.names.every(({ kind, value }, at) => kind === other.names[at]?.kind && value === other.names[at].value);
