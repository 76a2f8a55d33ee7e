import type { Edit } from "../manage/edit.ts";
import { addApiKey, addKey, removeApiKey, removeKey } from "../manage/keys.ts";
import { restore, resume, revoke, revokedKinds, suspend } from "../manage/revocations.ts";
import { createSecret, listSecrets, promoteSecret, retireSecret, revokeSecret } from "../manage/secrets.ts";
import { type CustomerView, viewOf } from "../manage/view.ts";
import type { Item } from "../store/port.ts";
import { type Answer, type Asked, done, nothing, refused, shown } from "./asked.ts";
import { faulty, type ManagedCustomers } from "./customers.ts";
import type { ManagedRoute } from "./managed.ts";

/** Seconds: servers change over within a day. */
const usualGrace = 86_400;
const longestGrace = 366 * 86_400;

const now = ({ options }: ManagedCustomers): number => Math.floor(options.clock.now() / 1000);

/** What stands first in a list of the item is what was sent. */
const first =
  (list: string) =>
  (path: string): string =>
    path.replace(new RegExp(`^${list}\\[0\\]\\.?`), "");

const entry = (asked: Asked, part: string, id: unknown): string =>
  `/v1/customers/${asked.id}/${part}/${encodeURIComponent(String(id))}`;

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

const onceOf = ({ secret }: { readonly secret?: string }) => (secret === undefined ? {} : { once: "secret" });

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

export const malformed = { code: "message-malformed" } as const;

export const unknown = (members: object): { path: string; message: string }[] =>
  Object.keys(members).map((name) => ({ path: shown(name), message: "is not a known key" }));

/** Of the route. */
const nameIn = ({ params }: Asked, name: string): string => params[name] ?? "";

function remove(
  asked: Asked,
  customers: ManagedCustomers,
  act: string,
  name: string,
  edit: (id: string) => Edit<{ readonly id: string }>,
): Promise<Answer> {
  return customers.change(asked, edit(nameIn(asked, name)), {
    what: ({ id }) => `${act} ${id}`,
    answer: ({ revision }) => nothing(revision),
  });
}

export const readView = async (
  asked: Asked,
  customers: ManagedCustomers,
  body: (view: CustomerView) => object,
): Promise<Answer> => {
  const found = await customers.find(asked);
  if (found.kind === "refused") return found.answer;
  const view = viewOf(found.item);
  if (!view) return refused(503, "the customer is of another version of Postern and cannot be shown");
  return done({ ...body(view) }, { revision: found.revision });
};
