import type { Clock } from "../core/clock.ts";
import type { JwtAlgorithm } from "../core/identity.ts";
import { KeySet, type NamedKey, type ReadKeySet, readKeySet } from "./remote-set.ts";
import type { ProvingKey } from "./verification-keys.ts";

export type Fetched =
  | { readonly kind: "answer"; readonly status: number; readonly body: Buffer }
  /** reason: one word for logs. */
  | { readonly kind: "failed"; readonly reason: string; readonly sentence: string };

/** GET. It ends in time and within the size by itself, and goes to no other host. */
export type FetchKeySet = (
  url: string,
  limits: { readonly timeoutMs: number; readonly maxBytes: number },
) => Promise<Fetched>;

export interface KeySetLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const limits = { timeoutMs: 5000, maxBytes: 256 * 1024 };
/** Milliseconds. However many tokens cannot be proved, a set is not asked for more often. */
const coolDown = 30_000;
const refreshAfter = 300_000;
const atOnce = 8;

/** One URL, its last good set, and how it fares. */
interface Remote {
  readonly uri: string;
  set: KeySet | undefined;
  /** Milliseconds since the epoch, of the last time it was asked for. */
  askedAt: number;
  underWay: Promise<void> | undefined;
  trouble: string | undefined;
}

/**
 * JWK sets that customers keep elsewhere. One that fails or turns bad leaves the last good one in use; a good one
 * replaces it, so that a key that is gone there proves nothing more. Customers with one URL share it.
 */
export class KeySets {
  readonly #fetch: FetchKeySet;
  readonly #clock: Clock;
  readonly #log: KeySetLog;
  readonly #remotes = new Map<string, Remote>();
  #asked: ReadonlySet<string> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #generation = 0;

  constructor(parts: { readonly fetch: FetchKeySet; readonly clock: Clock; readonly log: KeySetLog }) {
    this.#fetch = parts.fetch;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  /** Higher whenever some set is another one than before. */
  get generation(): number {
    return this.#generation;
  }

  /** Looks after the sets in the background, until stop. */
  start(): void {
    this.#timer ??= setInterval(() => void this.refresh(), coolDown).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The sets that are in use from now on: new ones are asked for at once, others forgotten. kept: these and those that stay as they are. */
  want(asked: ReadonlySet<string>, kept = asked): void {
    this.#asked = asked;
    for (const uri of this.#remotes.keys()) if (!kept.has(uri)) this.#remotes.delete(uri);
    for (const uri of asked) if (!this.#remotes.has(uri)) this.#remotes.set(uri, fresh(uri));
    this.#generation++;
    void this.refresh();
  }

  /** What the last good set has for the algorithm; nothing where there was none yet. */
  keys(uri: string, alg: JwtAlgorithm): readonly NamedKey[] {
    return this.#remotes.get(uri)?.set?.fitting(alg) ?? [];
  }

  /** Whether the last good set has a key of this thumbprint, fit for the algorithm; nothing has one before the set was there. */
  has(uri: string, alg: JwtAlgorithm, thumbprint: string): boolean {
    return this.keys(uri, alg).some((key) => key.thumbprint === thumbprint);
  }

  holds(uri: string, key: ProvingKey): boolean {
    return this.keys(uri, key.alg).some((named) => named.key === key);
  }

  /** Asks for the set again, unless that was less than 30 s ago; waits also for what another has asked for. */
  async consult(uri: string): Promise<void> {
    const remote = this.#remotes.get(uri);
    if (!remote || !this.#asked.has(uri)) return;
    const rested = this.#age(remote) >= coolDown;
    await (remote.underWay ?? (rested ? this.#ask(remote) : undefined));
  }

  /** Asks for those that are 300 s old, or failed 30 s ago, a few at once. */
  async refresh(): Promise<void> {
    const due = [...this.#remotes.values()];
    const next = async (): Promise<void> => {
      for (let remote = due.shift(); remote; remote = due.shift()) if (this.#isDue(remote)) await this.#ask(remote);
    };
    await Promise.all(Array.from({ length: atOnce }, next));
  }

  /** Others may have asked for it, or dropped it, while it waited its turn. */
  #isDue(remote: Remote): boolean {
    const { uri, underWay, trouble } = remote;
    const old = this.#age(remote) >= (trouble === undefined ? refreshAfter : coolDown);
    return old && underWay === undefined && this.#asked.has(uri) && this.#remotes.get(uri) === remote;
  }

  /** Milliseconds since it was asked for; where the clock was put back since then nobody knows. */
  #age({ askedAt }: Remote): number {
    const age = this.#clock.now() - askedAt;
    return age < 0 ? Number.POSITIVE_INFINITY : age;
  }

  #ask(remote: Remote): Promise<void> {
    remote.askedAt = this.#clock.now();
    remote.underWay = this.#load(remote).finally(() => {
      remote.underWay = undefined;
    });
    return remote.underWay;
  }

  async #load(remote: Remote): Promise<void> {
    try {
      this.#take(remote, await this.#fetch(remote.uri, limits));
    } catch (err) {
      this.#log.error({ err, uri: withoutQuery(remote.uri) }, "a key set could not be asked for");
    }
  }

  #take(remote: Remote, fetched: Fetched): void {
    const read = readFetched(fetched);
    if (read.kind === "bad") {
      this.#fail(remote, read.reason);
      return;
    }
    const set = new KeySet(read.keys, remote.set);
    if (!remote.set?.equals(set)) {
      remote.set = set;
      this.#generation++;
    }
    if (remote.trouble !== undefined) {
      this.#log.info({ uri: withoutQuery(remote.uri), keys: read.keys.length }, "a key set is usable again");
    }
    remote.trouble = undefined;
  }

  /** Said once for each reason, not each time. */
  #fail(remote: Remote, reason: string): void {
    if (remote.trouble === reason) return;
    remote.trouble = reason;
    const fields = { uri: withoutQuery(remote.uri), reason, lastGood: remote.set !== undefined };
    this.#log.warn(fields, "a key set cannot be used");
  }
}

function readFetched(fetched: Fetched): ReadKeySet {
  if (fetched.kind === "failed") return { kind: "bad", reason: fetched.sentence };
  const { status, body } = fetched;
  if (status !== 200) return { kind: "bad", reason: `the answer has status ${status}` };
  return body.length > limits.maxBytes ? { kind: "bad", reason: "the answer is too long" } : readKeySet(body);
}

const fresh = (uri: string): Remote => ({
  uri,
  set: undefined,
  askedAt: Number.NEGATIVE_INFINITY,
  underWay: undefined,
  trouble: undefined,
});

/** A query may hold what is nobody else's. */
export const withoutQuery = (uri: string): string => uri.replace(/[?#].*$/s, "");
