import { statSync } from "node:fs";
import { isPostgres, readPostgresUrl } from "../config/store-url.ts";
import { makeKeyFile, readKeyFile } from "./key-file.ts";
import type { Ports } from "./port.ts";
import { SealKeys } from "./seal.ts";
import { openSqlite } from "./sqlite.ts";
import { sentenceOf } from "./sqlite-fault.ts";

/** What a config says of the store. */
export interface StoreConfig {
  /** `sqlite:<absolute path>` or `postgres://…`. */
  readonly store: string;
  readonly storeNamed: boolean;
  readonly storeKeys: readonly string[];
}

export interface OpenedStore extends Ports {
  /** Under which its secrets are sealed. */
  readonly keys: SealKeys;
}

export interface Wish {
  /** Where it is not there. */
  readonly make: boolean;
  /** Everything is sealed under the newest key; other processes that do not have it can read no change any more. */
  readonly renew: boolean;
}

/** Undefined where it is not there and is not to be made. Rejects with a sentence where it cannot be used. */
export async function openStore(config: StoreConfig, wish: Wish): Promise<OpenedStore | undefined> {
  return isPostgres(config.store) ? openServer(config, wish) : openFile(config, wish);
}

async function openFile(config: StoreConfig, { make, renew }: Wish): Promise<OpenedStore | undefined> {
  const path = config.store.slice("sqlite:".length);
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined && !make) return undefined;
  const keys = keysFor(path, config.storeKeys, (size ?? 0) === 0);
  return { ...(await openSqlite({ path, keys, renew })), keys: new SealKeys(keys) };
}

/** The driver is loaded where it is needed. */
async function openServer({ store: url, storeKeys: keys }: StoreConfig, wish: Wish): Promise<OpenedStore | undefined> {
  const read = readPostgresUrl(url);
  if (read.kind === "fault") throw new Error(`the store ${read.sentence}`);
  if (keys.length === 0) throw new Error(`the store ${read.target.name} needs storeKey in the config`);
  const { openPostgres } = await import("./postgres.ts");
  const ports = await openPostgres({ target: read.target, keys, ...wish });
  return ports && { ...ports, keys: new SealKeys(keys) };
}

/** Newest first. A key that was made beside the store goes on opening what was sealed before the config had one. */
function keysFor(path: string, configured: readonly string[], fresh: boolean): string[] {
  try {
    const made = readKeyFile(path);
    if (made !== undefined) return [...configured, made];
    if (configured.length > 0) return [...configured];
    if (fresh) return [makeKeyFile(path)];
  } catch (error) {
    throw new Error(`the key of the store ${path} ${sentenceOf(error)}`);
  }
  throw new Error(`the store ${path} has lost its key, ${path}.key: put it back, or set storeKey`);
}
