import { statSync } from "node:fs";
import { makeKeyFile, readKeyFile } from "./key-file.ts";
import type { Ports } from "./port.ts";
import { SealKeys } from "./seal.ts";
import { openSqlite } from "./sqlite.ts";
import { sentenceOf } from "./sqlite-fault.ts";

/** What a config says of the store. */
export interface StoreConfig {
  /** `sqlite:<absolute path>`, or what is not available yet. */
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

export const isAvailable = ({ store }: StoreConfig): boolean => store.startsWith("sqlite:");

/** Undefined where it is not there and is not to be made. Rejects with a sentence where it cannot be used. */
export async function openStore(config: StoreConfig, { make, renew }: Wish): Promise<OpenedStore | undefined> {
  const path = config.store.slice("sqlite:".length);
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined && !make) return undefined;
  const keys = keysFor(path, config.storeKeys, (size ?? 0) === 0);
  return { ...(await openSqlite({ path, keys, renew })), keys: new SealKeys(keys) };
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
