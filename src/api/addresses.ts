import { promises as dns, type RecordWithTtl } from "node:dns";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { LRUCache } from "lru-cache";
import type { Clock } from "../core/clock.ts";

/** What a name stands for now. ttl: seconds. */
export interface Resolved {
  readonly addresses: readonly string[];
  readonly ttl: number;
}

/** Rejects where the name cannot be resolved. srv: the names of SRV records that may point elsewhere. */
export type Resolve = (host: string, srv: readonly string[]) => Promise<Resolved>;

interface Entry {
  readonly addresses: ReadonlySet<string>;
  /** Milliseconds. */
  readonly until: number;
}

const failureMs = 5_000;
const maxNames = 10_000;
/** Seconds. */
const shortest = 10;
const longest = 3_600;
/** How long an old answer serves while the name server is gone: calls go on meanwhile. */
const staleMs = 3_600_000;
/** How long a question waits for the name server. */
const patienceMs = 1_000;

export interface AddressOptions {
  readonly clock: Clock;
  readonly resolve?: Resolve;
  /** Milliseconds. */
  readonly patience?: number;
}

/** The IP addresses behind host names, kept for their time to live, 10 s to 1 h; 10,000 names at most. */
export class Addresses {
  readonly #clock: Clock;
  readonly #resolve: Resolve;
  readonly #patience: number;
  readonly #known = new LRUCache<string, Entry>({ max: maxNames });
  readonly #asking = new Map<string, Promise<Entry | undefined>>();
  /** Name → milliseconds until when it is not asked for again. */
  readonly #failed = new Map<string, number>();

  constructor({ clock, resolve = systemResolve(), patience = patienceMs }: AddressOptions) {
    this.#clock = clock;
    this.#resolve = resolve;
    this.#patience = patience;
  }

  /** Whether the address is one of the host's; undefined where that cannot be told in time. Both may be literals. */
  async has(host: string, address: string, srv: readonly string[] = []): Promise<boolean | undefined> {
    if (isIP(host) !== 0) return sameAddress(host) === sameAddress(address);
    const key = [host, ...srv].join(" ");
    const known = this.#known.get(key);
    const now = this.#clock.now();
    if (known && now < known.until) return known.addresses.has(sameAddress(address));
    const fresh = now < (this.#failed.get(key) ?? 0) ? undefined : await this.#ask(key, host, srv);
    const entry = fresh ?? (known && now < known.until + staleMs ? known : undefined);
    return entry?.addresses.has(sameAddress(address));
  }

  /** One question for each name at a time; what comes too late serves the next. */
  async #ask(key: string, host: string, srv: readonly string[]): Promise<Entry | undefined> {
    let asking = this.#asking.get(key);
    if (!asking) {
      if (this.#asking.size >= maxNames) return undefined;
      asking = this.#learn(key, host, srv).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => {
      this.#fail(key);
      late.resolve(undefined);
    }, this.#patience);
    return Promise.race([asking, late.promise]).finally(() => clearTimeout(timer));
  }

  async #learn(key: string, host: string, srv: readonly string[]): Promise<Entry | undefined> {
    try {
      const { addresses, ttl } = await this.#resolve(host, srv);
      const seconds = Math.min(Math.max(ttl, shortest), longest);
      const entry = { addresses: new Set(addresses.map(sameAddress)), until: this.#clock.now() + seconds * 1000 };
      this.#known.set(key, entry);
      this.#failed.delete(key);
      return entry;
    } catch {
      this.#fail(key);
      return undefined; // no address: whoever asks hears that it cannot be told
    }
  }

  /** So that not every question for a dead name waits for it. */
  #fail(key: string): void {
    if (this.#failed.size >= maxNames) this.#failed.clear();
    this.#failed.set(key, this.#clock.now() + failureMs);
  }
}

/** One spelling of an IP address: no zone, IPv4 as such where it is mapped into IPv6. */
export function sameAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  return isIP(address) === 6 ? new URL(`http://[${address.split("%", 1)[0]}]`).hostname.slice(1, -1) : address;
}

/** What is asked for names. lookup: the machine's own way, one of libuv's two threads for slow names each time. */
export interface NameServices {
  readonly resolver: Pick<dns.Resolver, "resolve4" | "resolve6" | "resolveSrv">;
  readonly lookup: (host: string) => Promise<readonly { readonly address: string }[]>;
  /** The text of /etc/hosts. */
  readonly hosts: () => string;
}

const thisMachine = (): NameServices => ({
  resolver: new dns.Resolver({ timeout: 1_000, tries: 2 }),
  lookup: (host) => dns.lookup(host, { all: true }),
  hosts: () => readFileSync("/etc/hosts", "utf8"),
});

/**
 * SRV targets where there are any, else the name itself; names that only the machine knows too. A name server that does
 * not answer is not waited for a second time, in a thread that others need: then /etc/hosts is all there is.
 */
export function systemResolve({ resolver, lookup, hosts }: NameServices = thisMachine()): Resolve {
  const inTurn = oneAtATime();
  return async (host, srv) => {
    const targets = (await Promise.all(srv.map((name) => srvTargets(resolver, name)))).flat();
    const names = targets.length === 0 ? [host] : [...new Set(targets)].slice(0, 16);
    const answers = await Promise.all(names.map((name) => addressesOf(resolver, name)));
    const found = answers.flatMap((answer) => answer.found);
    if (found.length > 0)
      return { addresses: found.map(({ address }) => address), ttl: Math.min(...found.map(({ ttl }) => ttl)) };
    const known = answers.every(({ certain }) => certain)
      ? (await inTurn(() => lookup(host))).map(({ address }) => address)
      : inHosts(hosts(), host);
    if (known.length === 0) throw new Error("the name server does not answer");
    return { addresses: known, ttl: 60 };
  };
}

type NameService = NameServices["resolver"];

async function srvTargets(resolver: NameService, name: string): Promise<string[]> {
  const records = await resolver.resolveSrv(name).catch(() => []);
  return records.map((record) => record.name);
}

/** certain: it was answered, be it that there are none. */
async function addressesOf(
  resolver: NameService,
  name: string,
): Promise<{ readonly found: readonly RecordWithTtl[]; readonly certain: boolean }> {
  const answers = await Promise.allSettled([
    resolver.resolve4(name, { ttl: true }),
    resolver.resolve6(name, { ttl: true }),
  ]);
  return {
    found: answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : [])),
    certain: answers.every((answer) => answer.status === "fulfilled" || isNone(answer.reason)),
  };
}

const isNone = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ENOTFOUND" || error.code === "ENODATA");

/** As hosts(5) has it: an address, then names. */
const inHosts = (text: string, host: string): string[] =>
  text
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim().toLowerCase().split(/\s+/))
    .flatMap(([address = "", ...names]) => (names.includes(host.toLowerCase()) ? [address] : []));

function oneAtATime(): <T>(work: () => Promise<T>) => Promise<T> {
  let before: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = before.then(work);
    before = Promise.allSettled([turn]);
    return turn;
  };
}
