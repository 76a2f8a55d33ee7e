import { nobodysSecret, OwnKeys } from "./auth/own-keys.ts";
import type { Config } from "./config.ts";
import type { Clock } from "./core/clock.ts";
import { Customers } from "./core/customers.ts";
import { Chain } from "./gateway/chain.ts";
import { trustedNetworks } from "./gateway/source.ts";

/** What follows from a config. */
interface Derived {
  readonly config: Config;
  readonly customers: Customers;
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

  constructor(config: Config, clock: Clock) {
    this.#clock = clock;
    this.#derived = derive(config, clock, this.#instead);
    this.gatewayUrl = config.gateway.listen;
  }

  get config(): Config {
    return this.#derived.config;
  }

  get customers(): Customers {
    return this.#derived.customers;
  }

  get domains(): ReadonlySet<string> {
    return this.#derived.domains;
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
   * Another config is in force. prove: looks whether it can be, and throws if not; then nothing has changed. Returns the
   * keys whose change needs a restart.
   */
  replace(config: Config, prove: () => void): string[] {
    const before = this.config;
    const next = derive(config, this.#clock, this.#instead);
    prove();
    this.#derived = next;
    return Object.keys(bound).filter((key) => bound[key]!(before) !== bound[key]!(config));
  }
}

const derive = (config: Config, clock: Clock, instead: string): Derived => ({
  config,
  customers: new Customers(config.customers),
  domains: new Set(config.gateway.domains),
  chain: new Chain(config.chain, clock),
  keys: new OwnKeys({ chain: config.chain.secrets, exchange: config.exchange?.secret ?? instead }),
  trusted: trustedNetworks(config.gateway.trustedProxies),
});
