import { restore, resume, revoke, revokedKinds, suspend } from "../manage/revocations.ts";
import { type CustomerView, viewOf } from "../manage/view.ts";
import type { Item } from "../store/port.ts";
import { type Answer, type Asked, done, nothing, refused } from "./asked.ts";
import { first, malformed, now, readView, unknown } from "./customer-parts.ts";
import { faulty } from "./customer-refusals.ts";
import type { ManagedCustomers } from "./customers.ts";
import type { ManagedRoute } from "./managed.ts";

/** Who or what is refused for a while; and the whole customer. */
export function revocationRoutes(customers: ManagedCustomers): readonly ManagedRoute[] {
  const url = "/v1/customers/:id/revocations";
  return [
    {
      ...{ method: "GET", url },
      answer: (asked) => readView(asked, customers, (view) => ({ revocations: current(view, now(customers)) })),
    },
    {
      ...{ method: "POST", url },
      answer: (asked) =>
        customers.change(asked, revoke(asked.body(), now(customers)), {
          what: (told) => `revoke ${kindIn(told)}`,
          path: first("revoked"),
          answer: ({ item, revision }) => done({ ...viewOf(item)?.revoked[0] }, { status: 201, revision }),
        }),
    },
    { ...{ method: "DELETE", url, query: revokedKinds }, answer: (asked) => unrevoke(asked, customers) },
    {
      ...{ method: "POST", url: "/v1/customers/:id/suspend", who: "operator" },
      answer: (asked) => suspendOne(asked, customers),
    },
    {
      ...{ method: "POST", url: "/v1/customers/:id/resume", who: "operator" },
      answer: (asked) =>
        customers.change(asked, resume, {
          what: () => "customer.resume",
          answer: ({ told, revision }) => done({ ...told }, { revision }),
        }),
    },
  ];
}

const current = ({ revoked }: CustomerView, at: number) => revoked.filter(({ until }) => until >= at);

const kindIn = (entry: Item): string => revokedKinds.find((kind) => entry[kind] !== undefined) ?? "nothing";

/** `?user=alice`: exactly one. */
function unrevoke(asked: Asked, customers: ManagedCustomers): Promise<Answer> | Answer {
  const [kind, ...more] = revokedKinds.filter((one) => asked.query.has(one));
  if (kind === undefined || more.length > 0)
    return refused(400, "say what is taken again: one of ?user=, ?credential=, ?jti=, ?handle=", malformed);
  return customers.change(asked, restore(kind, asked.query.get(kind) ?? ""), {
    what: () => `restore ${kind}`,
    answer: ({ revision }) => nothing(revision),
  });
}

function suspendOne(asked: Asked, customers: ManagedCustomers): Promise<Answer> | Answer {
  const { calls = "end", ...more } = asked.body();
  const errors = unknown(more);
  if (calls !== "end" && calls !== "finish") errors.unshift({ path: "calls", message: "must be one of finish, end" });
  if (errors.length > 0 || (calls !== "end" && calls !== "finish")) return faulty(errors);
  return customers.change(asked, suspend(calls), {
    what: () => `customer.suspend ${calls}`,
    answer: ({ told, revision }) => done({ ...told }, { revision }),
  });
}
