import { parseInstant } from "../config/values.ts";
import type { AuditQuery } from "../store/port.ts";

export type FilterName = "customer" | "by" | "since" | "before" | "limit";

export type ReadAuditQuery =
  | { readonly kind: "query"; readonly query: AuditQuery }
  | { readonly kind: "faults"; readonly errors: { readonly path: string; readonly message: string }[] };

const most = 500;

/** Every fault at once. names: those that may be asked for. */
export function readAuditQuery(query: URLSearchParams, allowed: readonly FilterName[]): ReadAuditQuery {
  const names: readonly string[] = allowed;
  const strange = [...new Set(query.keys())].filter((name) => !names.includes(name) || query.getAll(name).length > 1);
  const errors = strange.map((path) => ({ path, message: "is not known, or is there twice" }));
  const text = (name: string): string | undefined =>
    names.includes(name) ? (query.get(name) ?? undefined) : undefined;
  const since = parseInstant(text("since"));
  const [before, limit] = [wholeOf(text("before")), wholeOf(text("limit") ?? "100")];
  if (text("since") !== undefined && since === undefined)
    errors.push({ path: "since", message: "is no instant: write it like 2026-06-01T12:00Z, or in Unix seconds" });
  if (text("before") !== undefined && before === undefined)
    errors.push({ path: "before", message: "is no number of an entry: take `before` of the answer before" });
  if (limit === undefined || limit < 1 || limit > most) errors.push({ path: "limit", message: `must be 1 to ${most}` });
  if (errors.length > 0 || limit === undefined) return { kind: "faults", errors };
  const [customer, by] = [text("customer"), text("by")];
  const wanted = {
    ...(before !== undefined && { before }),
    ...(since !== undefined && { since: since * 1000 }),
    ...(customer !== undefined && { customer }),
    ...(by !== undefined && { by }),
  };
  return { kind: "query", query: { ...wanted, limit } };
}

const wholeOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
