import { type Asked, type Refused, refused, shown } from "./asked.ts";
import type { FieldError } from "./http.ts";

type Read<Filter> =
  | { readonly kind: "filter"; readonly filter: Filter }
  | { readonly kind: "faults"; readonly faults: readonly FieldError[] };

/** What a list is asked for by, every fault at once. customer: whose it must be, whatever the query says. */
export function readQuery<Filter>(
  { query }: Asked,
  names: readonly string[],
  read: (texts: Readonly<Record<string, string>>) => Read<Filter>,
  customer?: string,
): { readonly kind: "filter"; readonly filter: Filter } | Refused {
  const strange = [...query.keys()].filter((name) => !names.includes(name) || query.getAll(name).length > 1);
  const found = read({ ...Object.fromEntries(query), ...(customer !== undefined && { customer }) });
  const unknown = [...new Set(strange)].map((name) => ({
    path: shown(name),
    message: "is not known, or is there twice",
  }));
  const errors = [...unknown, ...(found.kind === "faults" ? found.faults : [])];
  if (customer !== undefined && query.has("customer"))
    errors.push({ path: "customer", message: "is in the path already: leave it out" });
  if (found.kind === "filter" && errors.length === 0) return found;
  return refused(400, "the query has faults: see errors", { code: "message-malformed", errors });
}
