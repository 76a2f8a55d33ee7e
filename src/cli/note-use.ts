import type { StoreConfig } from "../store/open.ts";
import type { Act } from "../store/port.ts";
import { load } from "./config-file.ts";
import { say } from "./outcome.ts";

/**
 * Notes in the audit what a command did that changed nothing in the store. None is made where there is none, and the
 * command does not fail for it: what cannot be noted is told.
 */
export async function noteUse(config: StoreConfig, act: Act): Promise<void> {
  const { openStore } = await import("../store/open.ts");
  try {
    const opened = await openStore(config, { make: false, renew: false });
    if (!opened) return;
    try {
      await opened.audit.append([act]);
    } finally {
      await opened.store.close();
    }
  } catch (error) {
    say(`this use is not in the audit: ${error instanceof Error ? error.message : "the store failed"}`);
  }
}

/** The same, where the command itself needs no config. */
export async function noteUseOf(file: string, act: Act): Promise<void> {
  const loaded = await load(file);
  if (loaded.kind === "config") return noteUse(loaded.config, act);
  say(`this use is not in the audit: ${file} has faults, see postern check`);
}
