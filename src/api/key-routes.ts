import { addApiKey, addKey, removeApiKey, removeKey } from "../manage/keys.ts";
import { done } from "./asked.ts";
import { entry, first, onceOf, readView, remove } from "./customer-parts.ts";
import type { ManagedCustomers } from "./customers.ts";
import type { ManagedRoute } from "./managed.ts";

/** What JWTs are verified with, and what management requests are signed with. */
export function keyRoutes(customers: ManagedCustomers): readonly ManagedRoute[] {
  const [keys, apiKeys] = ["/v1/customers/:id/keys", "/v1/customers/:id/api-keys"];
  return [
    { ...{ method: "GET", url: keys }, answer: (asked) => readView(asked, customers, (view) => ({ keys: view.keys })) },
    {
      ...{ method: "POST", url: keys },
      answer: (asked) =>
        customers.change(asked, addKey(asked.body()), {
          what: ({ id }) => `key.add ${String(id)}`,
          path: first("keys"),
          answer: ({ told, revision }) =>
            done({ id: told.id }, { status: 201, revision, location: entry(asked, "keys", told.id) }),
        }),
    },
    {
      ...{ method: "DELETE", url: `${keys}/:key` },
      answer: (asked) => remove(asked, customers, "key.remove", "key", removeKey),
    },
    {
      ...{ method: "GET", url: apiKeys },
      answer: (asked) => readView(asked, customers, (view) => ({ apiKeys: view.apiKeys })),
    },
    {
      ...{ method: "POST", url: apiKeys, who: "operator" },
      answer: (asked) =>
        customers.change(asked, addApiKey(asked.body()), {
          what: ({ id }) => `apiKey.add ${String(id)}`,
          path: first("apiKeys"),
          answer: ({ told, revision }) =>
            done({ ...told }, { status: 201, revision, location: entry(asked, "api-keys", told.id), ...onceOf(told) }),
        }),
    },
    {
      ...{ method: "DELETE", url: `${apiKeys}/:key`, who: "operator" },
      answer: (asked) => remove(asked, customers, "apiKey.remove", "key", removeApiKey),
    },
  ];
}
