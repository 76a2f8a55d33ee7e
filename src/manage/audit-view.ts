import { entryOf } from "../store/chain.ts";
import type { Audit, AuditEntry, AuditQuery } from "../store/port.ts";

/** An entry as it is shown. */
export type ShownEntry = Omit<AuditEntry, "key">;

/**
 * Entries of the audit, oldest first. own: the customer who asks, who is not told from where others changed it. What
 * stands in the database may have been put there by anybody: the members that there are, with the types that they have.
 */
export async function readAudit(audit: Audit, query: AuditQuery, own?: string): Promise<ShownEntry[]> {
  return (await audit.read(query)).map(({ seq, text }) => shown(seq, entryOf(text), own));
}

function shown(seq: number, entry: Partial<AuditEntry> | undefined, own: string | undefined): ShownEntry {
  const { at, by, what, customer, address, detail } = entry ?? {};
  const isOwn = own === undefined || (typeof by === "string" && by.startsWith(`customer:${own}/`));
  return {
    seq,
    at: typeof at === "number" && Number.isSafeInteger(at) ? at : 0,
    by: textOf(by) ?? "",
    what: textOf(what) ?? "cannot be read",
    ...(textOf(customer) !== undefined && { customer: textOf(customer)! }),
    ...(isOwn && textOf(address) !== undefined && { address: textOf(address)! }),
    ...(typeof detail === "object" && detail !== null && { detail }),
  };
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
