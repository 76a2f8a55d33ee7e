import { type Customer, type Narrowing, unnarrowed } from "../core/identity.ts";

const narrowings = new WeakMap<Customer, Narrowing>();

/**
 * What narrows a credential minted for a customer as a whole, `<expiry>:<customer id>` (Voxbone's published form): it
 * stands in a page, and under a binding whoever sees that page would get everybody's calls. So it may not REGISTER,
 * over whichever way it is shown. named: the username's domain, which makes it a user's of that name.
 */
export function accountNarrowing(customer: Customer, user: string, named: string | undefined): Narrowing {
  if (named !== undefined || user !== customer.id) return unnarrowed;
  let narrowing = narrowings.get(customer);
  if (!narrowing) {
    narrowing = { methods: customer.methods.filter((method) => method !== "REGISTER") };
    narrowings.set(customer, narrowing);
  }
  return narrowing;
}
