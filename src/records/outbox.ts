import type { CallRecord } from "../core/calls.ts";

/** Records that wait for the store, and how many of them may be one customer's. */
export const most = 20_000;
const share = 1 / 2;

/** What the store does not have yet, each call once, as it is now; the oldest first. */
export class Outbox {
  readonly #records = new Map<string, CallRecord>();
  readonly #ofCustomer = new Map<string, number>();

  get size(): number {
    return this.#records.size;
  }

  /** False where there is no room for another call, or none for this customer's. */
  add(record: CallRecord): boolean {
    const { id, customer } = record;
    const known = this.#records.has(id);
    const count = this.#ofCustomer.get(customer) ?? 0;
    if (!known && count >= this.#mostOfEach) return false;
    this.#records.set(id, record);
    if (!known) this.#ofCustomer.set(customer, count + 1);
    return true;
  }

  /** Where it is full there is as much again for customers that have less than a share. */
  get #mostOfEach(): number {
    if (this.#records.size < most) return most * share;
    return this.#records.size < 2 * most ? Math.max(1, Math.floor(most / (this.#ofCustomer.size + 1))) : 0;
  }

  has(id: string): boolean {
    return this.#records.has(id);
  }

  /** So many of them, which are here no more. */
  take(count: number): CallRecord[] {
    const taken: CallRecord[] = [];
    for (const [id, record] of this.#records) {
      if (taken.length >= count) break;
      this.#records.delete(id);
      this.#forget(record);
      taken.push(record);
    }
    return taken;
  }

  #forget({ customer }: CallRecord): void {
    const left = (this.#ofCustomer.get(customer) ?? 1) - 1;
    if (left > 0) this.#ofCustomer.set(customer, left);
    else this.#ofCustomer.delete(customer);
  }
}
