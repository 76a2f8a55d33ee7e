import type { CallOut } from "../callout/call-out.ts";
import type { CallRecord } from "../core/calls.ts";
import { type Clock, seconds } from "../core/clock.ts";
import type { Customers } from "../core/customers.ts";
import type { Webhook } from "../core/identity.ts";
import type { Log } from "../telemetry/log.ts";
import { signatureOf } from "./signature.ts";

export interface WebhooksParts {
  readonly customers: () => Customers;
  readonly callOut: Pick<CallOut, "request">;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Nobody is to be told of these any more: they arrived, or were given up. */
  readonly settled: (ids: readonly string[]) => void;
}

export interface WebhookCounts {
  /** Records, by what became of them. */
  readonly records: Readonly<Record<"delivered" | "given_up", number>>;
  /** Requests that did not get a 2xx. */
  readonly failures: number;
  readonly waiting: number;
}

/** What one customer is to be told. */
interface Queue {
  readonly records: CallRecord[];
  /** In a row. */
  failures: number;
  /** Records of the next request: fewer after each failure, so that one which cannot be taken stands in few others' way. */
  most: number;
  underWay: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** Records of one request; that wait for one customer, and for all. */
const [perRequest, mostOfCustomer, mostInAll] = [50, 1_000, 20_000];
/** Requests under way at once; each customer has one. */
const mostAtOnce = 200;
/** Milliseconds. */
const [timeout, firstRetry, lastRetry] = [10_000, 1_000, 600_000];
/** Milliseconds after its end that a record is given up. */
const patience = 86_400_000;
const mostAnswer = 16_384;

const fresh = (): Queue => ({ records: [], failures: 0, most: perRequest, underWay: false, timer: undefined });

/** Tells customers of calls that have ended, where they have a webhook. Each has a queue and a pace of its own. */
export class Webhooks {
  readonly #parts: WebhooksParts;
  readonly #queues = new Map<string, Queue>();
  readonly #counts = { delivered: 0, given_up: 0 };
  #failures = 0;
  #waiting = 0;
  #underWay = 0;
  #closed = false;

  constructor(parts: WebhooksParts) {
    this.#parts = parts;
  }

  get counts(): WebhookCounts {
    return { records: this.#counts, failures: this.#failures, waiting: this.#waiting };
  }

  /** A call from before the customer was another's, whose id it has. */
  wants({ customer, start }: Pick<CallRecord, "customer" | "start">): boolean {
    const { webhook, since = 0 } = this.#parts.customers().byId(customer) ?? {};
    return webhook !== undefined && start >= since;
  }

  /** A call that has ended, of a customer that wants it. */
  add(record: CallRecord): void {
    const queue = this.#queues.get(record.customer) ?? fresh();
    if (queue.records.length >= this.#mostOfEach) {
      this.#giveUp(record.customer, [record], "too many wait");
      return;
    }
    this.#queues.set(record.customer, queue);
    queue.records.push(record);
    this.#waiting++;
    // What else ends in this turn goes along.
    if (!queue.underWay && !queue.timer) this.#later(record.customer, queue, 0);
  }

  /** What waits yet is told after the next start, where there is a store. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#queues.values()) clearTimeout(timer);
    this.#queues.clear();
  }

  /** Where all wait for services that take nothing, there is as much again for those that have less than a share. */
  get #mostOfEach(): number {
    if (this.#waiting < mostInAll) return mostOfCustomer;
    return this.#waiting < 2 * mostInAll ? Math.max(1, Math.floor(mostInAll / (this.#queues.size + 1))) : 0;
  }

  #later(customer: string, queue: Queue, milliseconds: number): void {
    const next = (): void => {
      queue.timer = undefined;
      void this.#deliver(customer, queue);
    };
    queue.timer = setTimeout(next, milliseconds).unref();
  }

  async #deliver(customer: string, queue: Queue): Promise<void> {
    const webhook = this.#parts.customers().byId(customer)?.webhook;
    const late = this.#parts.clock.now() - patience;
    this.#drop(customer, queue, (record) => !this.wants(record), "no webhook");
    this.#drop(customer, queue, ({ end = 0 }) => end < late, "too old");
    if (!webhook || queue.records.length === 0) {
      this.#queues.delete(customer);
      return;
    }
    if (this.#underWay >= mostAtOnce) {
      this.#later(customer, queue, firstRetry);
      return;
    }
    const batch = queue.records.slice(0, queue.most);
    queue.underWay = true;
    this.#underWay++;
    const failure = await this.#post(webhook, batch);
    this.#underWay--;
    queue.underWay = false;
    if (this.#closed) return;
    queue.records.splice(0, batch.length);
    if (failure === undefined) this.#arrived(batch, queue);
    else this.#failed(customer, batch, queue, failure);
    this.#later(customer, queue, failure === undefined ? 0 : this.#pause(queue.failures));
  }

  /** Why it did not arrive; undefined where it did. */
  async #post({ url, secret }: Webhook, batch: readonly CallRecord[]): Promise<string | undefined> {
    const body = JSON.stringify({ calls: batch });
    const headers = {
      "content-type": "application/json",
      "user-agent": "Postern",
      "postern-signature": signatureOf(body, secret, seconds(this.#parts.clock)),
    };
    const limits = { timeoutMs: timeout, maxBytes: mostAnswer, redirects: 0 };
    const result = await this.#parts.callOut.request(url, { method: "POST", headers, body, ...limits });
    if (result.kind === "failed") return result.sentence;
    return result.status >= 200 && result.status < 300 ? undefined : `it answered ${result.status}`;
  }

  #arrived(batch: readonly CallRecord[], queue: Queue): void {
    queue.failures = 0;
    queue.most = Math.min(perRequest, queue.most * 2);
    this.#waiting -= batch.length;
    this.#counts.delivered += batch.length;
    this.#parts.settled(batch.map(({ id }) => id));
  }

  /** Others go first the next time. */
  #failed(customer: string, batch: readonly CallRecord[], queue: Queue, reason: string): void {
    queue.records.push(...batch);
    queue.most = Math.max(1, queue.most >> 1);
    this.#failures++;
    const { log } = this.#parts;
    if (++queue.failures === 1) log.warn({ customer, reason, waiting: queue.records.length }, "a webhook fails");
  }

  #pause(failures: number): number {
    const longest = Math.min(lastRetry, firstRetry * 2 ** Math.min(failures - 1, 20));
    return longest * (0.5 + this.#parts.random() / 2);
  }

  #drop(customer: string, queue: Queue, which: (record: CallRecord) => boolean, reason: string): void {
    const dropped = queue.records.filter(which);
    if (dropped.length === 0) return;
    const left = queue.records.filter((record) => !which(record));
    queue.records.splice(0, queue.records.length, ...left);
    this.#waiting -= dropped.length;
    this.#giveUp(customer, dropped, reason);
  }

  #giveUp(customer: string, records: readonly CallRecord[], reason: string): void {
    this.#counts.given_up += records.length;
    this.#parts.log.warn({ customer, records: records.length, reason }, "call records were not delivered to a webhook");
    this.#parts.settled(records.map(({ id }) => id));
  }
}
