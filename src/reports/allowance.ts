import { LRUCache } from "lru-cache";
import type { Clock } from "../core/clock.ts";
import { addressKey } from "../core/counted.ts";
import { type Refusal, refuse } from "../core/errors.ts";
import { Bucket, type Rate } from "./bucket.ts";
import type { Reporter } from "./permit.ts";

export type Kind = "event" | "stats";

/** seconds: when to come again. */
export type Allowed =
  | { readonly kind: "allowed" }
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly retryAfter: number };

/** Of one conference or bridge, within a minute and in all; twice as many events may come at once. */
const [eventsPerMinute, statsPerMinute] = [60, 60];
const [eventsOfCall, statsOfCall] = [200, 10_000];
const ofCall: Readonly<Record<Kind, Rate & { readonly inAll: number }>> = {
  event: { burst: 2 * eventsPerMinute, perMinute: eventsPerMinute, inAll: eventsOfCall },
  stats: { burst: statsPerMinute, perMinute: statsPerMinute, inAll: statsOfCall },
};
/** Within a minute for each call that the customer may have at once; at least so many at once that a batch passes. */
const [eventsOfCustomer, statsOfCustomer] = [20, 24];
const ofCustomer = {
  event: { each: eventsOfCustomer, least: 200 },
  stats: { each: statsOfCustomer, least: 120 },
} as const;
/** Calls of a customer whose calls have no limit. */
const manyCalls = 1_000;
/** What nobody has proved is a tenth of that, beside it. */
const unprovedPart = 0.1;
/** Milliseconds without a word after which a call and a customer are forgotten. */
const idle = 600_000;
/** Calls of one customer that are remembered, of all together, and addresses of one customer. */
const [mostOfOne, mostOfAll, mostAddresses] = [5_000, 100_000, 1_000];

type Buckets = Readonly<Record<Kind, Bucket>>;
type Rates = Readonly<Record<Kind, Rate>>;

interface Call {
  readonly buckets: Buckets;
  readonly taken: Record<Kind, number>;
  /** The address that told of it first. */
  readonly from: string;
  at: number;
}

/** What one customer's reporters have in common. */
interface Share {
  readonly buckets: Buckets;
  readonly addresses: LRUCache<string, Buckets>;
  /** Who was told of last is last. */
  readonly calls: Map<string, Call>;
  /** By address, of how many of them it told first. */
  readonly begun: Map<string, number>;
  at: number;
}

type Spend = readonly [bucket: Bucket, count: number, rate: Rate];

const allowed: Allowed = { kind: "allowed" };
const refused = (refusal: Refusal, retryAfter: number): Allowed => ({ kind: "refused", refusal, retryAfter });
const tooFast = refuse("rate-limited", "too many reports: send fewer, in batches, and these again later");
const enoughOfCall = refuse("limit-reached", "there are as many reports of this conference as are taken: send no more");
const tooManyCalls = refuse("limit-reached", "there are too many conferences that are told of: tell of these later");

/**
 * How much may be told: of a call, by an address and by all of a customer together, which goes by how many calls it may
 * have. A batch is allowed whole or not at all, and who is refused has used up nothing.
 */
export class Allowance {
  readonly #clock: Clock;
  readonly #most: number;
  /** By customer, proved and unproved apart; who told last is last. */
  readonly #shares = new Map<string, Share>();
  #calls = 0;

  constructor(clock: Clock, most = mostOfAll) {
    this.#clock = clock;
    this.#most = most;
  }

  /** Calls that are remembered. */
  get size(): number {
    return this.#calls;
  }

  /** names: of the conference or bridge, one for each report. */
  take(reporter: Reporter, kind: Kind, names: readonly string[]): Allowed {
    const now = this.#clock.now();
    this.#forget(now);
    const rates = ratesOf(reporter);
    const share = this.#share(reporter, rates, now);
    this.#forgetCalls(share, now);
    const calls = [...countsOf(names)].map(([name, count]) => ({ name, count, call: share.calls.get(name) }));
    const fresh = calls.filter(({ call }) => !call).length;
    if (fresh > 0 && this.#hasNoRoom(fresh, share, reporter)) return refused(tooManyCalls, 60);
    if (calls.some(({ call, count }) => (call?.taken[kind] ?? 0) + count > ofCall[kind].inAll))
      return refused(enoughOfCall, idle / 1000);
    const from = addressKey(reporter.address);
    const known = calls.map(({ name, count, call }) => ({ name, count, call: call ?? newCall(from, now) }));
    const spends: readonly Spend[] = [
      [share.buckets[kind], names.length, rates.all[kind]],
      [this.#from(share, reporter, rates, now)[kind], names.length, rates.address[kind]],
      ...known.map(({ call, count }): Spend => [call.buckets[kind], count, ofCall[kind]]),
    ];
    const wait = Math.max(...spends.map(([bucket, count, rate]) => bucket.wait(count, rate, now)));
    if (wait > 0) return refused(tooFast, Math.min(60, Math.ceil(wait / 1000)));
    for (const [bucket, count, rate] of spends) bucket.take(count, rate, now);
    for (const { name, count, call } of known) this.#keep(share, name, call, kind, count, now);
    return allowed;
  }

  /** One address leaves as much room to the others as it takes. */
  #hasNoRoom(fresh: number, { calls, begun }: Share, reporter: Reporter): boolean {
    const most = mostCalls(reporter);
    const own = (begun.get(addressKey(reporter.address)) ?? 0) + fresh;
    return own > most / 2 || calls.size + fresh > most || this.#calls + fresh > this.#most;
  }

  #keep({ calls, begun }: Share, name: string, call: Call, kind: Kind, count: number, now: number): void {
    if (!calls.delete(name)) {
      this.#calls++;
      begun.set(call.from, (begun.get(call.from) ?? 0) + 1);
    }
    call.taken[kind] += count;
    call.at = now;
    calls.set(name, call);
  }

  #share({ customer, proved }: Reporter, { all }: { readonly all: Rates }, now: number): Share {
    const key = `${proved ? "proved" : "unproved"} ${customer.id}`;
    const fresh = (): Share => ({
      ...{ buckets: bucketsOf(all, now), addresses: new LRUCache({ max: mostAddresses }), calls: new Map() },
      ...{ begun: new Map(), at: now },
    });
    const share = this.#shares.get(key) ?? fresh();
    this.#shares.delete(key);
    this.#shares.set(key, share);
    share.at = now;
    return share;
  }

  #from({ addresses }: Share, { address }: Reporter, rates: { readonly address: Rates }, now: number): Buckets {
    const key = addressKey(address);
    const known = addresses.get(key) ?? bucketsOf(rates.address, now);
    addresses.set(key, known);
    return known;
  }

  #forget(now: number): void {
    for (const [key, share] of this.#shares) {
      if (share.at > now - idle) return;
      this.#calls -= share.calls.size;
      this.#shares.delete(key);
    }
  }

  #forgetCalls({ calls, begun }: Share, now: number): void {
    for (const [name, { at, from }] of calls) {
      if (at > now - idle) return;
      calls.delete(name);
      this.#calls--;
      const left = (begun.get(from) ?? 0) - 1;
      if (left > 0) begun.set(from, left);
      else begun.delete(from);
    }
  }
}

function countsOf(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

const newCall = (from: string, now: number): Call => ({
  ...{ buckets: bucketsOf(ofCall, now), taken: { event: 0, stats: 0 }, from, at: now },
});

const bucketsOf = (rates: Rates, now: number): Buckets => ({
  event: new Bucket(rates.event, now),
  stats: new Bucket(rates.stats, now),
});

const callsOf = ({ customer }: Reporter): number => customer.limits.calls || manyCalls;

const mostCalls = (reporter: Reporter): number =>
  Math.ceil(Math.min(mostOfOne, Math.max(100, 30 * callsOf(reporter))) * partOf(reporter));

const partOf = ({ proved }: Reporter): number => (proved ? 1 : unprovedPart);

/** No address takes more than half of what its customer may have. */
function ratesOf(reporter: Reporter): { readonly all: Rates; readonly address: Rates } {
  const rate = (kind: Kind, part: number): Rate => {
    const { each, least } = ofCustomer[kind];
    const perMinute = each * callsOf(reporter) * partOf(reporter) * part;
    return { burst: Math.max(least * part, perMinute), perMinute };
  };
  return {
    all: { event: rate("event", 1), stats: rate("stats", 1) },
    address: { event: rate("event", 0.5), stats: rate("stats", 0.5) },
  };
}
