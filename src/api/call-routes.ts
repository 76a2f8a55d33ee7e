import { filterNames, readFilter } from "../manage/call-filter.ts";
import { findQuality, qualityNames, readQualityFilter, withQuality } from "../manage/quality.ts";
import type { CallRecords } from "../store/calls.ts";
import type { QualityRecords } from "../store/quality.ts";
import { type Answer, type Asked, asShown, done, refused, shownSince } from "./asked.ts";
import { asUnavailable } from "./customer-refusals.ts";
import type { ManagedCustomers } from "./customers.ts";
import { readQuery } from "./list-query.ts";
import type { ManagedRoute } from "./managed.ts";

/** Undefined where calls are kept in no store. */
export type CallsAtHand = () => { readonly calls: CallRecords; readonly quality: QualityRecords } | undefined;

type Find = (asked: Asked, kept: CallsAtHand, customer?: string) => Promise<Answer>;

/** Call records, and what was told of calls: a customer's own, or all for an operator. */
export function callRoutes(kept: CallsAtHand, customers: ManagedCustomers): readonly ManagedRoute[] {
  const both = (part: string, find: Find): ManagedRoute[] => [
    { method: "GET", url: `/v1/${part}`, who: "operator", query: "any", answer: (asked) => find(asked, kept) },
    {
      ...{ method: "GET", url: `/v1/customers/:id/${part}`, query: "any" },
      answer: async (asked) => {
        const found = await customers.find(asked);
        return found.kind === "refused" ? found.answer : find(asked, kept, asked.id);
      },
    },
  ];
  return [...both("calls", findCalls), ...both("quality", findReports)];
}

const noStore = refused(503, "calls are kept in no store here: set store, and records.store, in the config");

const findCalls: Find = async (asked, kept, customer) => {
  const read = readQuery(asked, filterNames, readFilter, customer);
  if (read.kind === "refused") return read;
  const ports = kept();
  if (!ports) return noStore;
  const filter = asShown(read.filter, asked);
  const found = await ports.calls
    .find(filter)
    .then((calls) => withQuality(calls, ports.quality, shownSince(asked)))
    .catch(asUnavailable);
  if ("kind" in found) return found;
  const next = found.length === filter.limit ? (found.at(-1)?.id ?? null) : null;
  return done({ calls: found, next });
};

const findReports: Find = async (asked, kept, customer) => {
  const read = readQuery(asked, qualityNames, readQualityFilter, customer);
  if (read.kind === "refused") return read;
  const ports = kept();
  if (!ports) return noStore;
  const found = await findQuality(asShown(read.filter, asked), ports.quality).catch(asUnavailable);
  return "kind" in found ? found : done({ ...found });
};
