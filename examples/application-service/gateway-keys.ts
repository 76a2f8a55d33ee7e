import { createPublicKey, type KeyObject } from "node:crypto";

/** Milliseconds that a set is good for; and whoever invents kids makes us fetch no more often than this. */
const [good, pause] = [300_000, 10_000];

/**
 * The gateway's public keys, by `kid`. They change: a `kid` that is not among those remembered has them fetched again.
 * Never take a key, or the address of one, out of the message itself.
 */
export class GatewayKeys {
  readonly #url: string;
  #keys: Promise<ReadonlyMap<string, KeyObject>> = Promise.resolve(new Map());
  #asked = Number.NEGATIVE_INFINITY;

  constructor(gateway: string) {
    this.#url = `${gateway}/.well-known/jwks.json`;
  }

  /** Undefined: the gateway has none of that name. Rejects where its keys cannot be had. */
  async byId(kid: string): Promise<KeyObject | undefined> {
    const before = await this.#keys.then(
      (keys) => keys.get(kid),
      () => undefined,
    );
    const age = performance.now() - this.#asked;
    if (age >= (before ? good : pause)) [this.#keys, this.#asked] = [this.#fetch(), performance.now()];
    return (await this.#keys).get(kid);
  }

  async #fetch(): Promise<ReadonlyMap<string, KeyObject>> {
    const response = await fetch(this.#url, { redirect: "error", signal: AbortSignal.timeout(3_000) });
    if (!response.ok) throw new Error(`${this.#url} answered ${response.status}`);
    const { keys } = (await response.json()) as { readonly keys: readonly JsonWebKey[] };
    const usable = keys.filter(({ kty, crv }) => kty === "EC" && crv === "P-256");
    return new Map(usable.map((jwk) => [jwk.kid ?? "", createPublicKey({ key: { ...jwk }, format: "jwk" })]));
  }
}

interface JsonWebKey {
  readonly kty: string;
  readonly crv?: string;
  readonly kid?: string;
}
