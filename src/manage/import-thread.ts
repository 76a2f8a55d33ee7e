import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Imported } from "./import.ts";
import type { ImportJob } from "./import-messages.ts";

/** Imports in a thread of its own, which has the store open by itself; one at a time. The bytes are given away. */
export class ImportThread {
  #busy = false;

  async run(job: ImportJob): Promise<Imported> {
    if (this.#busy) return { kind: "unavailable", sentence: "another import is being done: try again" };
    this.#busy = true;
    try {
      return await inThread(job);
    } finally {
      this.#busy = false;
    }
  }
}

async function inThread(job: ImportJob): Promise<Imported> {
  const execArgv = ["--disable-warning=ExperimentalWarning"];
  const options = { workerData: job, execArgv, transferList: [job.bytes.buffer] };
  const worker = new Worker(new URL("./import-worker.ts", import.meta.url), options);
  const ended = once(worker, "exit");
  const [imported] = (await once(worker, "message")) as [Imported];
  await ended;
  return imported;
}
