import { type Break, ChainCheck } from "./chain.ts";
import type { Audit, AuditHead } from "./port.ts";
import type { SealKeys } from "./seal.ts";

/** Rows of one page. */
const page = 1_000;

/** head: of the last good entry. */
export interface Verified {
  readonly head: AuditHead;
  readonly broken?: Break;
}

/** Whether each entry of the audit is the one that was written; wanted: a head that was seen before. Rejects with a sentence. */
export async function verifyChain(audit: Audit, keys: SealKeys, wanted?: AuditHead): Promise<Verified> {
  const check = new ChainCheck(keys.chainKeys, keys.olderChainKeys(await audit.olderKeys()), wanted);
  for (let after = 0; ; ) {
    const rows = await audit.read({ after, limit: page });
    const broken = check.take(rows);
    if (broken) return { head: check.head, broken };
    const last = rows.at(-1);
    if (!last) break;
    after = last.seq;
  }
  const broken = check.end();
  return { head: check.head, ...(broken && { broken }) };
}
