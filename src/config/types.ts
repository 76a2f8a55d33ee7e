import type { Customer, HashName } from "../core/identity.ts";
import type { Limits } from "../core/limits.ts";

/** What stands wrong in a config file and where. The message never holds a value of the file, so no secret. */
export interface Fault {
  /** As in `customers[0].secrets[1].secret`; empty for the file as a whole. */
  readonly path: string;
  /** From 1: the line of the key, or of the nearest one above it that exists. */
  readonly line: number;
  readonly message: string;
}

export interface GatewayConfig {
  /** `ws://host:port` or `wss://host:port`; port 0 means any. */
  readonly listen: string;
  readonly publicUrl: string;
  /** Absolute paths of PEM files. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly allowMissingOrigin: boolean;
  /** Lower case. */
  readonly domains: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly proxyProtocol: boolean;
  readonly limits: Limits;
}

export interface ChainConfig {
  /** The newest: what grants are minted with. */
  readonly secret: string;
  /** All that are valid, newest first. */
  readonly secrets: readonly string[];
  readonly algorithm: HashName;
  /** Life of a grant, seconds. */
  readonly ttl: number;
}

export interface Operator {
  readonly id: string;
  readonly secret: string;
}

/** The whole configuration, every default filled in, deep-frozen. */
export interface Config {
  readonly gateway: GatewayConfig;
  readonly upstream: { readonly urls: readonly string[]; readonly proxyProtocol: "v1" | "v2" | "off" };
  readonly chain: ChainConfig;
  readonly exchange?: {
    /** The newest: what credentials are issued with. */
    readonly secret: string;
    /** All that are valid, newest first. */
    readonly secrets: readonly string[];
    readonly algorithm: HashName;
    /** Seconds. */
    readonly ttl: number;
    readonly callbackNetworks: readonly string[];
  };
  /** ttl: seconds. */
  readonly turn?: { readonly urls: readonly string[]; readonly secret: string; readonly ttl: number };
  /** listen: `http://host:port`; hosts: names it is asked by, lower case. */
  readonly admin: {
    readonly listen: string;
    readonly hosts: readonly string[];
    readonly operators: readonly Operator[];
  };
  /** A copy of every message goes to this collector. url: `udp://host:port`. */
  readonly hep?: { readonly url: string; readonly captureId: number; readonly authKey?: string | undefined };
  /** `sqlite:<absolute path>` or `postgres://…`. */
  readonly store: string;
  /** The file says where it is: then it is made at the first start. */
  readonly storeNamed: boolean;
  /** What secrets in it are sealed under, newest first; none: a key file beside it. */
  readonly storeKeys: readonly string[];
  /** `memory` or `redis://…`. */
  readonly state: string;
  /** Of calls. file: absolute; retentionDays: 0 for ever. */
  readonly records: { readonly store: boolean; readonly file?: string; readonly retentionDays: number };
  readonly drain: { readonly seconds: number };
  readonly customers: readonly Customer[];
  /** Legs that one user of a customer may have at once, by the customer's id; whom nothing limits is not in it. */
  readonly connectionsPerUser: ReadonlyMap<string, number>;
}

export type Loaded =
  | {
      readonly kind: "config";
      readonly config: Config;
      /** Absolute paths: the config file itself, secrets, certificate and key. */
      readonly files: readonly string[];
      readonly notAvailable: readonly string[];
    }
  /** files: as far as the faulty config names them. */
  | { readonly kind: "faults"; readonly faults: readonly Fault[]; readonly files: readonly string[] };
