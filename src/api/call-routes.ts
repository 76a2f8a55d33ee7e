import { type FilterTexts, filterNames, readFilter } from "../manage/call-filter.ts";
import type { CallRecords } from "../store/calls.ts";
import { type Answer, type Asked, done, refused } from "./asked.ts";
import { asUnavailable } from "./customer-refusals.ts";
import type { ManagedCustomers } from "./customers.ts";
import type { ManagedRoute } from "./managed.ts";

/** Undefined where calls are kept in no store. */
export type CallsAtHand = () => CallRecords | undefined;

/** Call records: a customer's own, or all for an operator. */
export function callRoutes(calls: CallsAtHand, customers: ManagedCustomers): readonly ManagedRoute[] {
  return [
    { method: "GET", url: "/v1/calls", who: "operator", query: "any", answer: (asked) => find(asked, calls) },
    {
      ...{ method: "GET", url: "/v1/customers/:id/calls", query: "any" },
      answer: async (asked) => {
        const found = await customers.find(asked);
        return found.kind === "refused" ? found.answer : find(asked, calls, asked.id);
      },
    },
  ];
}

const noStore = refused(503, "calls are kept in no store here: set store, and records.store, in the config");

/** customer: whose they must be, whatever the query says. */
async function find({ query }: Asked, calls: CallsAtHand, customer?: string): Promise<Answer> {
  const names: readonly string[] = filterNames;
  const strange = [...query.keys()].filter((name) => !names.includes(name) || query.getAll(name).length > 1);
  const read = readFilter({ ...(Object.fromEntries(query) as FilterTexts), ...(customer && { customer }) });
  const unknown = [...new Set(strange)].map((path) => ({ path, message: "is not known, or is there twice" }));
  const errors = [...unknown, ...(read.kind === "faults" ? read.faults : [])];
  if (customer !== undefined && query.has("customer"))
    errors.push({ path: "customer", message: "is in the path already: leave it out" });
  if (read.kind === "faults" || errors.length > 0)
    return refused(400, "the query has faults: see errors", { code: "message-malformed", errors });
  const store = calls();
  if (!store) return noStore;
  const found = await store.find(read.filter).catch(asUnavailable);
  if ("kind" in found) return found;
  const next = found.length === read.filter.limit ? (found.at(-1)?.id ?? null) : null;
  return done({ calls: found, next });
}
