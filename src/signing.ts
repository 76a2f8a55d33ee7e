import { makeSigningKey, type PublicJwk, publicJwkOf, signCompact } from "./auth/signing-key.ts";
import type { Clock } from "./core/clock.ts";
import { intervals, isDue, publishedOf, type SigningKey, signerOf } from "./core/signing-keys.ts";
import type { Act, KeyChange, SigningKeys } from "./store/port.ts";
import type { Log } from "./telemetry/log.ts";

export interface SigningParts {
  /** Undefined while there is no store. */
  readonly port: () => SigningKeys | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** Milliseconds between looks at what other gateways, or commands, did to the keys. */
const lookEvery = 60_000;
/** Of two that change the keys at once one is refused, and looks again. */
const mostTries = 5;

/**
 * What the gateway signs with in its own name, and what it publishes of that. Made by whichever gateway of the store is
 * first, shared by all of them; without a store they are of this process alone.
 */
export class Signing {
  readonly #parts: SigningParts;
  readonly #memory = new OwnMemory();
  /** When it had no other keys than its own, milliseconds since the epoch. */
  #alone = 0;
  /** Of the store, once they could be read. */
  #kept: readonly SigningKey[] | undefined;
  #timer: NodeJS.Timeout | undefined;
  #troubled = false;

  private constructor(parts: SigningParts) {
    this.#parts = parts;
  }

  /** There is a key to sign with then, in memory where the store gives none. */
  static async open(parts: SigningParts): Promise<Signing> {
    const signing = new Signing(parts);
    await signing.look();
    return signing;
  }

  /** Looks now and then from now on, until close. */
  start(): void {
    if (!this.#kept) this.#parts.log.info("signing keys are of this process alone");
    this.#timer = setInterval(() => void this.look(), lookEvery).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** A compact JWS. typ: of its header. */
  sign(typ: string, claims: object): string {
    const key = signerOf(this.#kept ?? this.#memory.keys, this.#parts.clock.now());
    if (!key) throw new Error("there is no signing key");
    return signCompact(key, typ, claims);
  }

  /** A JWK set (RFC 7517 §5). */
  get published(): { readonly keys: readonly PublicJwk[] } {
    const now = this.#parts.clock.now();
    const own = now < this.#alone + intervals.after ? this.#memory.keys : [];
    return {
      keys: publishedOf([...own], now)
        .concat(publishedOf(this.#kept ?? [], now))
        .map(publicJwkOf),
    };
  }

  /** Takes up what is there; what is due is made, what is over forgotten. Never rejects. */
  async look(): Promise<void> {
    try {
      const port = this.#parts.port();
      if (port) this.#kept = await this.#settle(port);
      this.#troubled = false;
    } catch (error) {
      const reason = error instanceof Error ? error.message : "unknown";
      if (!this.#troubled) this.#parts.log.error({ reason }, "signing keys cannot be read or changed");
      this.#troubled = true;
    }
    if (this.#kept) return;
    await this.#settle(this.#memory);
    this.#alone = this.#parts.clock.now();
  }

  async #settle(port: SigningKeys): Promise<readonly SigningKey[]> {
    for (let time = 0; time < mostTries; time++) {
      const keys = await port.all();
      const wanted = wantedOf(keys, this.#parts.clock.now());
      if (!wanted) return keys;
      const { what } = wanted.act;
      const changed = await port.change(wanted.change, wanted.act);
      if (changed && port !== this.#memory) this.#parts.log.info({ what }, "signing keys changed");
    }
    throw new Error("others change the signing keys all the time");
  }
}

interface Wanted {
  readonly change: KeyChange;
  readonly act: Act;
}

/** What time asks for: a first key, the next one, or that an old one is forgotten. */
function wantedOf(keys: readonly SigningKey[], now: number): Wanted | undefined {
  const [published, known] = [publishedOf(keys, now), keys.map(({ kid }) => kid)];
  const forget = keys.filter((key) => !published.includes(key)).map(({ kid }) => kid);
  if (keys.length === 0 || isDue(keys, now)) {
    const add = makeSigningKey(now, keys.length === 0 ? now : now + intervals.ahead);
    return { change: { known, add, forget }, act: { by: "gateway", what: `signing-key.add ${add.kid}` } };
  }
  if (forget.length === 0) return undefined;
  return { change: { known, forget }, act: { by: "gateway", what: `signing-key.forget ${forget.join(" ")}` } };
}

/** Keys while there is no store. */
class OwnMemory implements SigningKeys {
  keys: readonly SigningKey[] = [];

  async all(): Promise<readonly SigningKey[]> {
    return this.keys;
  }

  async change({ add, forget }: KeyChange): Promise<boolean> {
    this.keys = [...this.keys.filter(({ kid }) => !forget.includes(kid)), ...(add ? [add] : [])];
    return true;
  }
}
