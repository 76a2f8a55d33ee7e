/** A process of its own that changes a store as fast as it can, until it is killed: `STORE=… STORE_KEY=… node store-writer.ts`. */
import { claimsOf } from "../../src/store/claims.ts";
import { openStore } from "../../src/store/open.ts";
import type { Edit } from "../../src/store/port.ts";

const { STORE = "", STORE_KEY = "" } = process.env;
const opened = await openStore(
  { store: STORE, storeNamed: true, storeKeys: [STORE_KEY] },
  { make: true, renew: false },
);
if (!opened) throw new Error("there is no store");
const { store } = opened;

/** Two customers that hand a domain and a secret to each other: each change is of both. */
function swapped(round: number): Edit[] {
  return [0, 1].map((at) => {
    const id = `c${at}`;
    const mine = (at + round) % 2;
    const secrets = [{ id: "k1", secret: `the-secret-of-number-${mine}` }];
    const item = { id, domains: [`d${mine}.example`], secrets, maxTtl: round + 1 };
    return { kind: "put", id, item, claims: claimsOf(item) };
  });
}

const before = await store.get("c0");
const first = before?.kind === "stored" ? Number(before.item.maxTtl) : 0;
for (let round = first; ; round++) {
  const written = await store.write(swapped(round), { by: "cli:writer", what: `round ${round}` });
  if (written.kind !== "written") throw new Error(JSON.stringify(written));
  process.stdout.write(`${written.revision}\n`);
}
