import { parentPort, workerData } from "node:worker_threads";
import { openStore } from "../store/open.ts";
import { type Imported, importMany, readLines, readTable } from "./import.ts";
import type { ImportJob } from "./import-messages.ts";

/** Reading and judging thousands takes longer than a call may wait. */
async function run({ store: config, surroundings, bytes, csv, replace, check, act }: ImportJob): Promise<Imported> {
  const text = decoded(bytes);
  if (text === undefined) return { kind: "refused", faults: [{ path: "", line: 1, message: "is not UTF-8" }] };
  const opened = await openStore(config, { make: false, renew: false });
  if (!opened) return { kind: "unavailable", sentence: "the store is not there any more" };
  try {
    const many = csv ? readTable(text) : readLines(text);
    const { store, keys } = opened;
    return await importMany(many, { store, surroundings }, { replace, check, keys, act });
  } finally {
    await opened.store.close();
  }
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

const failed = (error: unknown): Imported => ({
  kind: "unavailable",
  sentence: error instanceof Error ? error.message : "the store failed",
});

if (parentPort) parentPort.postMessage(await run(workerData as ImportJob).catch(failed));
