import { createHmac, createSecretKey } from "node:crypto";
import { type Clock, seconds } from "../core/clock.ts";
import { address, type HashName, type Identity } from "../core/identity.ts";
import { nowhere, type Outward } from "../policy/outward.ts";
import { outwardLines } from "./outward.ts";

export { nowhere, type Outward };

export interface ChainOptions {
  readonly secret: string;
  readonly algorithm: HashName;
  /** Life of a grant, seconds. */
  readonly ttl: number;
}

/** Puts our word in the place of the customer's: the grant that Kamailio's auth_ephemeral checks. */
export class Chain {
  readonly #key;
  readonly #options: ChainOptions;
  readonly #clock: Clock;
  /** Grants that name no trunk are the same for every request of an identity; each is used for a part of its life. */
  readonly #plain = new WeakMap<Identity, { lines: string; until: number }>();

  constructor(options: ChainOptions, clock: Clock) {
    this.#options = options;
    this.#key = createSecretKey(Buffer.from(options.secret));
    this.#clock = clock;
  }

  /** The two header lines, CRLF and all, that go directly after the start line. */
  lines(identity: Identity, outward: Outward = nowhere): string {
    if (outward.trunk !== "") return this.#mint(identity, outward);
    const now = seconds(this.#clock);
    const known = this.#plain.get(identity);
    if (known && now < known.until) return known.lines;
    const lines = this.#mint(identity, outward);
    this.#plain.set(identity, { lines, until: now + Math.floor(this.#options.ttl / 4) });
    return lines;
  }

  /** The same as headers of the WebSocket upgrade. */
  headers(identity: Identity): Record<string, string> {
    const grant = this.#grant(identity, nowhere);
    return { "X-Postern-Grant": grant, "X-Postern-Token": this.#token(grant) };
  }

  #mint(identity: Identity, outward: Outward): string {
    const grant = this.#grant(identity, outward);
    const token = this.#token(grant);
    const more = outwardLines(outward, this.#options.secret, token);
    return `X-Postern-Grant: ${grant}\r\nX-Postern-Token: ${token}\r\n${more}`;
  }

  /** Every field always there: a later field of the same name would win in Kamailio's {param.value}. */
  #grant(identity: Identity, { trunk, trunk2, caller }: Outward): string {
    const expiry = seconds(this.#clock) + this.#options.ttl;
    const { customer } = identity;
    const fields = { trunk, trunk2, caller, max: longestCall(identity), customer: customer.id };
    const written = Object.entries(fields).map(([name, value]) => `${name}=${whole(name, String(value))}`);
    return [`${expiry}:${whole("address", address(identity))}`, ...written].join("|");
  }

  #token(grant: string): string {
    return createHmac(this.#options.algorithm, this.#key).update(grant).digest("base64");
  }
}

/** Seconds, 0 for no limit: the customer's, and what the credential makes of it. */
export function longestCall({ customer, narrowing }: Pick<Identity, "customer" | "narrowing">): number {
  const { callSeconds } = customer.limits;
  if (narrowing.maxSeconds === undefined) return callSeconds;
  return callSeconds === 0 ? narrowing.maxSeconds : Math.min(callSeconds, narrowing.maxSeconds);
}

function whole(name: string, value: string): string {
  if (/[|\s\x00-\x1f\x7f]/.test(value)) throw new RangeError(`${name} of a grant holds a separator`);
  return value;
}
