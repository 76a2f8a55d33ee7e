import { addCustomer, removeCustomer } from "../manage/change.ts";
import { pageOf } from "../manage/listing.ts";
import { itemOf, viewOf } from "../manage/view.ts";
import { mergePatch, replaceWhole } from "../manage/whole.ts";
import type { Item } from "../store/port.ts";
import { type Answer, type Asked, done, nothing, type Refused, refused } from "./asked.ts";
import { malformed } from "./customer-parts.ts";
import { asUnavailable, ofOtherVersion } from "./customer-refusals.ts";
import type { Changed, ManagedCustomers } from "./customers.ts";
import type { ManagedRoute } from "./managed.ts";

/** Customers as a whole. */
export function customersRoutes(customers: ManagedCustomers): readonly ManagedRoute[] {
  return [
    {
      method: "GET",
      url: "/v1/customers",
      who: "operator",
      query: ["after", "limit"],
      answer: (asked) => list(asked, customers),
    },
    { method: "POST", url: "/v1/customers", who: "operator", answer: (asked) => add(asked, customers) },
    { method: "GET", url: "/v1/customers/:id", answer: (asked) => show(asked, customers) },
    {
      ...{ method: "PUT", url: "/v1/customers/:id", who: "operator" },
      answer: (asked) =>
        customers.change(asked, replaceWhole(asked.body()), { what: () => "customer.replace", answer: shown }),
    },
    {
      ...{ method: "PATCH", url: "/v1/customers/:id" },
      answer: (asked) =>
        customers.change(asked, mergePatch(asked.body()), {
          what: () => "customer.change",
          answer: shown,
          said: asked.body(),
        }),
    },
    {
      ...{ method: "DELETE", url: "/v1/customers/:id", who: "operator" },
      answer: (asked) =>
        customers.write(asked, { what: () => "customer.remove", answer: () => nothing() }, (desk, wish) =>
          removeCustomer(asked.id, desk, wish),
        ),
    },
  ];
}

async function show(asked: Asked, customers: ManagedCustomers): Promise<Answer> {
  const found = await customers.find(asked);
  return found.kind === "refused" ? found.answer : view(found.item, found.revision);
}

const shown = ({ item, revision }: Changed<unknown>): Answer => view(item, revision);

function view(item: Item, revision: number | undefined): Answer {
  const body = viewOf(item);
  return body ? done(body, { revision }) : ofOtherVersion;
}

function add(asked: Asked, customers: ManagedCustomers): Promise<Answer> {
  const item = { ...asked.body() };
  const answer = ({ revision }: Changed<unknown>): Answer =>
    done({ id: item.id }, { status: 201, revision, location: `/v1/customers/${String(item.id)}` });
  const act = () => `customer.add ${String(item.id)}`;
  return customers.write(asked, { what: act, answer }, (desk, wish) => addCustomer(item, desk, wish));
}

const most = 500;

/** Those of the config and of the store together, by id. */
async function list({ query }: Asked, customers: ManagedCustomers): Promise<Answer> {
  const after = query.get("after") ?? "";
  const limit = limitOf(query.get("limit"));
  if (limit === undefined) return refused(400, `limit must be 1 to ${most}`, malformed);
  const { declared, stored } = customers.options;
  const records = (await stored.opened?.store.list(after, limit).catch(asUnavailable)) ?? [];
  if ("kind" in records) return records satisfies Refused;
  const own = [...declared().values()].map(({ customer, connectionsPerUser }) => ({
    id: customer.id,
    item: itemOf(customer, connectionsPerUser),
  }));
  return done({ ...pageOf(own, records, { after, limit }) });
}

function limitOf(text: string | null): number | undefined {
  if (text === null) return 100;
  return /^[0-9]{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= most ? Number(text) : undefined;
}
