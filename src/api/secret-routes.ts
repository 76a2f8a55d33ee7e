import { createSecret, listSecrets, promoteSecret, retireSecret, revokeSecret } from "../manage/secrets.ts";
import type { Item } from "../store/port.ts";
import { type Answer, type Asked, done } from "./asked.ts";
import { entry, first, nameIn, now, onceOf, remove, unknown } from "./customer-parts.ts";
import { faulty } from "./customer-refusals.ts";
import type { ManagedCustomers } from "./customers.ts";
import type { ManagedRoute } from "./managed.ts";

/** Seconds: servers change over within a day. */
const usualGrace = 86_400;
const longestGrace = 366 * 86_400;

/** Secrets: several are good at once, newest first. */
export function secretRoutes(customers: ManagedCustomers): readonly ManagedRoute[] {
  const url = "/v1/customers/:id/secrets";
  return [
    {
      ...{ method: "GET", url },
      answer: async (asked) => {
        const found = await customers.find(asked);
        return found.kind === "refused" ? found.answer : listed(asked, customers, found);
      },
    },
    {
      ...{ method: "POST", url },
      answer: (asked) =>
        customers.change(asked, createSecret(asked.body()), {
          what: ({ id }) => `secret.add ${String(id)}`,
          path: first("secrets"),
          answer: ({ told, revision }) =>
            done({ ...told }, { status: 201, revision, location: entry(asked, "secrets", told.id), ...onceOf(told) }),
        }),
    },
    {
      ...{ method: "DELETE", url: `${url}/:secret` },
      answer: (asked) => remove(asked, customers, "secret.revoke", "secret", revokeSecret),
    },
    {
      ...{ method: "POST", url: `${url}/:secret/promote` },
      answer: (asked) =>
        customers.change(asked, promoteSecret(nameIn(asked, "secret")), {
          what: ({ id }) => `secret.promote ${id}`,
          answer: (changed) => listed(asked, customers, changed),
        }),
    },
    { ...{ method: "POST", url: `${url}/:secret/retire` }, answer: (asked) => retire(asked, customers) },
  ];
}

type Listed = { readonly item: Item; readonly revision?: number };

/** Without how often they were used where the store does not tell it. */
async function listed(asked: Asked, customers: ManagedCustomers, { item, revision }: Listed): Promise<Answer> {
  const uses = await customers.options.uses(asked.id).catch(() => undefined);
  return done({ secrets: listSecrets(item, now(customers), uses) }, { revision });
}

function retire(asked: Asked, customers: ManagedCustomers): Promise<Answer> | Answer {
  const { graceSeconds = usualGrace, ...more } = asked.body();
  const sound = Number.isInteger(graceSeconds) && Number(graceSeconds) >= 0 && Number(graceSeconds) <= longestGrace;
  const errors = [
    ...(sound ? [] : [{ path: "graceSeconds", message: `must be a whole number of seconds, 0 to ${longestGrace}` }]),
    ...unknown(more),
  ];
  if (errors.length > 0) return faulty(errors);
  return customers.change(asked, retireSecret(nameIn(asked, "secret"), now(customers), Number(graceSeconds)), {
    what: ({ id }) => `secret.retire ${id}`,
    path: (path) => (path === "grace" ? "graceSeconds" : path),
    answer: ({ told, revision }) => done({ ...told }, { revision }),
  });
}
