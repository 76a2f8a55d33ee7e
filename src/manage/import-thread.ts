import { Worker } from "node:worker_threads";
import type { Imported } from "./import.ts";
import type { ImportJob } from "./import-messages.ts";

/** Megabytes that it may have: 20,000 customers with twenty numbers each need a third. */
const room = 1_024;

/** Imports in a thread of its own, which has the store open by itself; one at a time. The bytes are given away. */
export class ImportThread {
  readonly #room: number;
  #busy = false;

  /** mostRoom: megabytes. */
  constructor(mostRoom = room) {
    this.#room = mostRoom;
  }

  async run(job: ImportJob): Promise<Imported> {
    if (this.#busy) return { kind: "unavailable", sentence: "another import is being done: try again" };
    this.#busy = true;
    try {
      return await inThread(job, this.#room);
    } finally {
      this.#busy = false;
    }
  }
}

/** A thread that has no room left ends alone: the calls go on. */
function inThread(job: ImportJob, maxOldGenerationSizeMb: number): Promise<Imported> {
  const execArgv = ["--disable-warning=ExperimentalWarning"];
  const resourceLimits = { maxOldGenerationSizeMb };
  const options = { workerData: job, execArgv, resourceLimits, transferList: [job.bytes.buffer] };
  const worker = new Worker(new URL("./import-worker.ts", import.meta.url), options);
  const { promise, resolve, reject } = Promise.withResolvers<Imported>();
  let said: Imported | undefined;
  worker.once("message", (imported: Imported) => {
    said = imported;
  });
  worker.once("error", (error) => (isOutOfRoom(error) ? resolve(said ?? tooBig) : reject(error)));
  worker.once("exit", () => (said ? resolve(said) : reject(new Error("the thread of an import ended without a word"))));
  return promise;
}

const isOutOfRoom = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";

const tooBig: Imported = {
  kind: "unavailable",
  sentence: "the import takes more memory than it may have: send it in several parts",
};
