/** At once: of one customer, and of all. */
const [mostOfCustomer, mostInAll] = [32, 128];
/** Of a customer whose service fails. */
const mostOfFailing = 4;
/** The last ones are for customers that have fewer than so many, whatever the services of others are slow at. */
const [few, forFew] = [4, 32];

/** Requests to services that are open now. */
export class OpenRequests {
  readonly #of = new Map<string, number>();
  #all = 0;

  /** False where there is no room; else leave is called when it is over. */
  enter(customer: string, isFailing = false): boolean {
    const own = this.#of.get(customer) ?? 0;
    const room = own < few ? mostInAll : mostInAll - forFew;
    if (own >= (isFailing ? mostOfFailing : mostOfCustomer) || this.#all >= room) return false;
    this.#of.set(customer, own + 1);
    this.#all++;
    return true;
  }

  leave(customer: string): void {
    const own = (this.#of.get(customer) ?? 0) - 1;
    if (own > 0) this.#of.set(customer, own);
    else this.#of.delete(customer);
    this.#all--;
  }
}
