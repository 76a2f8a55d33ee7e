import { type Awaitable, after } from "../core/awaitable.ts";
import { type Clock, seconds } from "../core/clock.ts";
import type { Refusal } from "../core/errors.ts";
import type { Customer, Identity } from "../core/identity.ts";
import { revokedOf, takenBack } from "../core/revocations.ts";
import type { DigestCredentials } from "../sip/digest.ts";
import { rejected, rejectedToken } from "./ephemeral.ts";
import type { Nonces } from "./nonce.ts";

/** A digest answer to a challenge of ours. */
export interface PresentedDigest {
  readonly kind: "digest";
  readonly credentials: DigestCredentials;
  readonly method: string;
  /** As it stands in the start line. */
  readonly requestUri: string;
  /** The realm that the challenge named, lower case. */
  readonly realm: string;
  /** Those of the connection that the request came on. */
  readonly nonces: Nonces;
}

/** A credential as it was minted, over HTTP or on the command line. */
export interface PresentedPassword {
  readonly kind: "password";
  /** `<expiry>:<user>[@<domain>]`; where account is set, `<expiry>:<account>`. */
  readonly username: string;
  readonly password: string;
  /** A customer's id: all its visitors are the one user of that name, in its first domain (Voxbone's published form). */
  readonly account?: string;
}

export interface PresentedToken {
  readonly kind: "token";
  /** A compact JWS (RFC 7515 §7.1), without the word Bearer. */
  readonly token: string;
  /** Of From, lower case: whose key is meant where the token does not say; undefined where there is no From. */
  readonly domain: string | undefined;
  /** The connection, or the one HTTP request, that shows it: a token for single use serves one of them. */
  readonly holder: string;
}

export type Presented = PresentedDigest | PresentedPassword | PresentedToken;

export type Proof =
  | { readonly kind: "proved"; readonly identity: Identity }
  /** Challenge again with `stale=true`. */
  | { readonly kind: "stale" }
  /** customer: only where the credential itself was proved. */
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly customer?: Customer };

/** One way to prove who calls. What is not of its kind is `not-mine`, whatever it is worth. */
export interface Authenticator {
  prove(presented: Presented): Awaitable<Proof | NotMine>;
}

export interface NotMine {
  readonly kind: "not-mine";
}

export const notMine: NotMine = { kind: "not-mine" };

/**
 * Authenticators asked one after the other; where none of them knows the credential, the answer is no. Who was proved is
 * looked for among what its customer revoked, after its lifetime and before all rights.
 */
export class AuthenticatorChain {
  readonly #links: readonly Authenticator[];
  readonly #clock: Clock;

  constructor(links: readonly Authenticator[], clock: Clock) {
    this.#links = links;
    this.#clock = clock;
  }

  prove(presented: Presented): Awaitable<Proof> {
    return after(this.#ask(presented, 0), (proof) => this.#unlessTakenBack(proof));
  }

  #ask(presented: Presented, at: number): Awaitable<Proof> {
    const link = this.#links[at];
    if (!link) return { kind: "refused", refusal: presented.kind === "token" ? rejectedToken : rejected };
    return after(link.prove(presented), (proof) => (proof.kind === "not-mine" ? this.#ask(presented, at + 1) : proof));
  }

  #unlessTakenBack(proof: Proof): Proof {
    if (proof.kind !== "proved" || takenBack(proof.identity, seconds(this.#clock)) === undefined) return proof;
    const { customer } = proof.identity;
    return { kind: "refused", refusal: revokedOf(customer), customer };
  }
}
