import { nobodysSecret, OwnKeys } from "./auth/own-keys.ts";
import type { Config } from "./config.ts";
import type { Clock } from "./core/clock.ts";
import { Customers } from "./core/customers.ts";
import { Chain } from "./gateway/chain.ts";
import { trustedNetworks } from "./gateway/source.ts";
import { besides, clashOf } from "./store/claims.ts";
import { type StoredCustomer, type Surroundings, surroundingsOf } from "./store/judge.ts";
import type { StoredChange } from "./store/stored.ts";

/** What follows from a config. */
interface Derived {
  readonly config: Config;
  /** What stored customers cannot have; found when the first of them is there. */
  readonly surroundings: () => Surroundings;
  readonly declared: () => ReadonlyMap<string, StoredCustomer>;
  readonly domains: ReadonlySet<string>;
  readonly chain: Chain;
  readonly keys: OwnKeys;
  readonly trusted: (address: string) => boolean;
}

/** What a change of needs a restart. */
const bound: Readonly<Record<string, (of: Config) => unknown>> = {
  "gateway.listen": (of) => of.gateway.listen,
  "gateway.proxyProtocol": (of) => of.gateway.proxyProtocol,
  "admin.listen": (of) => of.admin.listen,
  hep: (of) => JSON.stringify(of.hep),
  store: (of) => of.store,
  storeKey: (of) => of.storeKeys[0],
  storeKeyBefore: (of) => of.storeKeys[1],
  state: (of) => of.state,
};

/** The config in force, all that follows from it, and whether the gateway still takes what is new. */
export class Live {
  draining = false;
  /** With the port that was really taken, once it is. */
  gatewayUrl: string;
  readonly #clock: Clock;
  /** Kept over reloads, so that access tokens are. */
  readonly #instead = nobodysSecret();
  #derived: Derived;
  #customers: Customers;
  /** By id. */
  readonly #stored: Map<string, StoredCustomer>;
  /** Those that the config leaves no room for. */
  readonly #leftOut: Map<string, StoredCustomer>;

  /** stored: customers beside those of the config. Throws where one has what the config gives to another. */
  constructor(config: Config, clock: Clock, stored: readonly StoredCustomer[] = []) {
    this.#clock = clock;
    this.#derived = derive(config, clock, this.#instead);
    this.#stored = new Map(stored.map((one) => [one.customer.id, one]));
    this.#leftOut = new Map();
    this.#mustNotClash(this.#derived);
    this.#customers = new Customers([...config.customers, ...stored.map(({ customer }) => customer)]);
    this.gatewayUrl = config.gateway.listen;
  }

  get config(): Config {
    return this.#derived.config;
  }

  get customers(): Customers {
    return this.#customers;
  }

  /** Of one user; 0: no limit. */
  connectionsPerUser(customer: string): number {
    return this.#stored.get(customer)?.connectionsPerUser ?? this.config.connectionsPerUser.get(customer) ?? 0;
  }

  get domains(): ReadonlySet<string> {
    return this.#derived.domains;
  }

  /** What stored customers must agree with. */
  get surroundings(): Surroundings {
    return this.#derived.surroundings();
  }

  /** Those of the config, by id. */
  get declared(): ReadonlyMap<string, StoredCustomer> {
    return this.#derived.declared();
  }

  get chain(): Chain {
    return this.#derived.chain;
  }

  get keys(): OwnKeys {
    return this.#derived.keys;
  }

  get trusted(): (address: string) => boolean {
    return this.#derived.trusted;
  }

  /** Where clients are told to come: as configured, else where it really listens. */
  get publicUrl(): string {
    const { publicUrl, listen } = this.config.gateway;
    return publicUrl === new URL(listen).href.replace(/\/$/, "") ? this.gatewayUrl : publicUrl;
  }

  /**
   * Another config is in force. prove: looks whether it can be, and throws if not; then nothing has changed, nor where a
   * stored customer has what it gives to another. Returns the keys whose change needs a restart.
   */
  replace(config: Config, prove: () => void): string[] {
    const before = this.config;
    const next = derive(config, this.#clock, this.#instead);
    this.#mustNotClash(next);
    prove();
    this.#derived = next;
    this.#customers = this.#customers.change(
      config.customers,
      before.customers.map(({ id }) => id),
    );
    this.changeStored({ put: [...this.#leftOut.values()], gone: [] });
    return Object.keys(bound).filter((key) => bound[key]!(before) !== bound[key]!(config));
  }

  /** The store has changed. */
  changeStored({ put, gone }: Pick<StoredChange, "put" | "gone">): StoredTakenUp {
    const reasons = new Map(
      put.map(({ customer }) => [customer.id, clashOf(customer, this.#derived.surroundings().owners)]),
    );
    const fit = put.filter(({ customer }) => reasons.get(customer.id) === undefined);
    const touched = [...gone, ...reasons.keys()].filter((id) => this.#stored.delete(id));
    for (const id of gone) this.#leftOut.delete(id);
    for (const one of put) {
      const { id } = one.customer;
      const leftOut = reasons.get(id) !== undefined;
      (leftOut ? this.#leftOut : this.#stored).set(id, one);
      if (!leftOut) this.#leftOut.delete(id);
    }
    this.#customers = this.#customers.change(
      fit.map(({ customer }) => customer),
      touched,
    );
    const leftOut = [...reasons].flatMap(([id, reason]) => (reason === undefined ? [] : [{ id, reason }]));
    return { leftOut, touched: touched.length > 0 };
  }

  #mustNotClash({ surroundings }: Derived): void {
    for (const { customer } of this.#stored.values()) {
      const clash = clashOf(customer, surroundings().owners);
      if (clash !== undefined) throw new Error(besides(customer.id, clash));
    }
  }
}

/** What became of a change of the store. */
export interface StoredTakenUp {
  /** The config gives what they have to another. */
  readonly leftOut: readonly { readonly id: string; readonly reason: string }[];
  /** Somebody who was there before is another one, or gone. */
  readonly touched: boolean;
}

function once<T>(find: () => T): () => T {
  let found: T | undefined;
  return () => {
    found ??= find();
    return found;
  };
}

const declaredIn = ({ customers, connectionsPerUser }: Config): ReadonlyMap<string, StoredCustomer> =>
  new Map(
    customers.map((customer) => [
      customer.id,
      { customer, connectionsPerUser: connectionsPerUser.get(customer.id) ?? 0 },
    ]),
  );

const derive = (config: Config, clock: Clock, instead: string): Derived => ({
  config,
  surroundings: once(() => surroundingsOf(config)),
  declared: once(() => declaredIn(config)),
  domains: new Set(config.gateway.domains),
  chain: new Chain(config.chain, clock),
  keys: new OwnKeys({ chain: config.chain.secrets, exchange: config.exchange?.secrets ?? [instead] }),
  trusted: trustedNetworks(config.gateway.trustedProxies),
});
