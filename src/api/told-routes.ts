import { type FilterName, readAuditQuery } from "../manage/audit-filter.ts";
import { readAudit } from "../manage/audit-view.ts";
import type { Audit } from "../store/port.ts";
import type { ShownRefusal } from "../telemetry/refusals.ts";
import { type Answer, type Asked, asShown, done, refused, shown, shownSince } from "./asked.ts";
import { malformed } from "./customer-parts.ts";
import { asUnavailable, noStore } from "./customer-refusals.ts";
import type { ManagedCustomers } from "./customers.ts";
import type { ManagedRoute } from "./managed.ts";

/** What is kept of what happened to customers. */
export interface ToldAtHand {
  /** Undefined where there is no store. */
  readonly audit: () => Audit | undefined;
  readonly refusals: { of(customer: string, domains: readonly string[], since?: number): ShownRefusal[] };
}

/** Refusals, uses of what proves, who changed what: a customer's own, and for an operator any's. */
export function toldRoutes(told: ToldAtHand, customers: ManagedCustomers): readonly ManagedRoute[] {
  return [
    { method: "GET", url: "/v1/customers/:id/refusals", answer: (asked) => refusals(asked, told, customers) },
    { method: "GET", url: "/v1/customers/:id/uses", answer: (asked) => uses(asked, customers) },
    {
      method: "GET",
      url: "/v1/customers/:id/audit",
      query: "any",
      answer: (asked) => ownAudit(asked, told, customers),
    },
    { method: "GET", url: "/v1/audit", who: "operator", query: "any", answer: (asked) => audit(asked, told) },
  ];
}

async function refusals(asked: Asked, told: ToldAtHand, customers: ManagedCustomers): Promise<Answer> {
  const found = await customers.find(asked);
  if (found.kind === "refused") return found.answer;
  const { domains } = found.item;
  const names = Array.isArray(domains) ? domains.map(String) : [];
  return done({ refusals: told.refusals.of(asked.id, names, shownSince(asked)) });
}

async function uses(asked: Asked, customers: ManagedCustomers): Promise<Answer> {
  const found = await customers.find(asked);
  if (found.kind === "refused") return found.answer;
  const all = await customers.options.uses(asked.id).catch(asUnavailable);
  return "kind" in all ? all : done({ uses: all.map(({ customer: _, ...use }) => use) });
}

async function ownAudit(asked: Asked, told: ToldAtHand, customers: ManagedCustomers): Promise<Answer> {
  const found = await customers.find(asked);
  return found.kind === "refused" ? found.answer : audit(asked, told, asked.id);
}

const known: readonly FilterName[] = ["customer", "by", "since", "before", "limit"];

/** customer: whose alone. */
async function audit(asked: Asked, told: ToldAtHand, customer?: string): Promise<Answer> {
  const { query, manager } = asked;
  const names = customer === undefined ? known : known.filter((name) => name !== "customer");
  const read = readAuditQuery(query, names);
  if (read.kind === "faults")
    return refused(400, "the query has faults: see errors", {
      ...malformed,
      errors: read.errors.map((one) => ({ ...one, path: shown(one.path) })),
    });
  const store = told.audit();
  if (!store) return noStore;
  const wanted = { ...asShown(read.query, asked), ...(customer !== undefined && { customer }) };
  const entries = await readAudit(store, wanted, manager.kind === "customer" ? customer : undefined).catch(
    asUnavailable,
  );
  if ("kind" in entries) return entries;
  return done({ entries, before: entries.length === wanted.limit ? (entries[0]?.seq ?? null) : null });
}
