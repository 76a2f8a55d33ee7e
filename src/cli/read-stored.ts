import type { Config } from "../config.ts";
import type { StoredRead } from "../doctor/store.ts";

/** The customers of a store that is there; none is made. */
export async function readStored(config: Config): Promise<StoredRead> {
  const [{ StoredCustomers }, { createLog }] = await Promise.all([
    import("../store/stored.ts"),
    import("../telemetry/log.ts"),
  ]);
  const stored = new StoredCustomers({ ...config, storeNamed: false }, createLog({ level: "silent" }));
  try {
    const all = await stored.load({ renew: false });
    await stored.close();
    return { kind: "customers", customers: all.map(({ customer }) => customer) };
  } catch (error) {
    return { kind: "unusable", sentence: error instanceof Error ? error.message : "the store failed" };
  }
}
