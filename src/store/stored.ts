import { storeName } from "../config/store-url.ts";
import type { Log } from "../telemetry/log.ts";
import { readItem, type StoredCustomer } from "./judge.ts";
import { type OpenedStore, openStore, type StoreConfig, type Wish } from "./open.ts";
import { type AuditHead, beginning, type StoredRecord, type StoreEvent } from "./port.ts";

/** gone: ids. */
export interface StoredChange {
  /** Up to which the store has been read. */
  readonly revision: number;
  readonly put: readonly StoredCustomer[];
  readonly gone: readonly string[];
  /** Of the audit, after it; undefined where it could not be read. */
  readonly head?: AuditHead | undefined;
}

/** Milliseconds between looks for a store that is not there yet. */
const lookEvery = 500;
/** Milliseconds until what could not be read is asked for again. */
const again = 1_000;

/** The customers of a store as this process has them in memory, and what becomes of them. */
export class StoredCustomers {
  readonly #config: StoreConfig;
  readonly #log: Log;
  #opened: OpenedStore | undefined;
  #position = beginning;
  #apply: ((change: StoredChange) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();
  #wanted = false;
  #closed = false;

  constructor(config: StoreConfig, log: Log) {
    this.#config = config;
    this.#log = log;
  }

  /** Undefined while there is no store; the first customer that is added makes it. */
  get opened(): OpenedStore | undefined {
    return this.#opened;
  }

  /** Where it is, as this process has it open or will. */
  get config(): StoreConfig {
    const { store, storeNamed, storeKeys } = this.#config;
    return { store, storeNamed, storeKeys };
  }

  /** All that there are; none where there is no store. Rejects with a sentence where it cannot be read. */
  async load({ renew }: Pick<Wish, "renew">): Promise<readonly StoredCustomer[]> {
    const opened = await openStore(this.#config, { make: this.#config.storeNamed, renew });
    if (!opened) return [];
    this.#opened = opened;
    const all = new Map<string, StoredCustomer>();
    const take = ({ put, gone }: StoredChange): void => {
      for (const id of gone) all.delete(id);
      for (const one of put) all.set(one.customer.id, one);
    };
    await this.#readAll(take).catch(async (error: unknown) => {
      await this.close();
      throw error;
    });
    this.#log.info({ customers: all.size, store: storeName(this.#config.store) }, "store opened");
    return [...all.values()];
  }

  /** Each change from now on, whoever makes it; in force when apply returns. */
  follow(apply: (change: StoredChange) => void): void {
    this.#apply = apply;
    if (this.#opened) this.#watch(this.#opened);
    else this.#timer = setInterval(() => void this.#lookForStore(), lookEvery).unref();
  }

  /** Resolves when what was written with that revision has been taken up, or cannot be read now. */
  async inForce(revision: number): Promise<void> {
    for (let time = 0; time === 0 || (time < 3 && this.#position.revision < revision); time++) {
      this.#catchUp();
      await this.#reading;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#reading;
    clearTimeout(this.#retry);
    await this.#opened?.store.close();
  }

  /** The first `postern customer add` makes it. */
  #lookForStore(): void {
    this.#reading = this.#reading
      .then(async () => {
        if (this.#opened || this.#closed) return;
        const opened = await openStore(this.#config, { make: false, renew: true });
        if (!opened) return;
        clearInterval(this.#timer);
        this.#opened = opened;
        this.#watch(opened);
      })
      .catch((error: unknown) => this.#tell(error));
  }

  #watch({ store }: OpenedStore): void {
    store.watch((event) => this.#hear(event));
    this.#hear({ kind: "changed" });
  }

  #hear(event: StoreEvent): void {
    if (event.kind === "troubled") this.#log.error({ reason: event.sentence }, "the store fails");
    else if (event.kind === "well") this.#log.info("the store is well again");
    if (event.kind !== "troubled") this.#catchUp();
  }

  /** One after the other; what is told meanwhile is read in one go, what could not be read is asked for again. */
  #catchUp(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    const read = async (): Promise<void> => {
      this.#wanted = false;
      if (!this.#closed) await this.#readAll((change) => this.#apply?.(change));
    };
    this.#reading = this.#reading.then(read).catch((error: unknown) => {
      this.#tell(error);
      this.#retry = setTimeout(() => this.#catchUp(), again).unref();
    });
  }

  async #readAll(take: (change: StoredChange) => void): Promise<void> {
    for (let more = true; more && this.#opened; ) {
      const { store, audit } = this.#opened;
      const page = await store.changes(this.#position);
      if (page.records.length > 0) {
        const head = page.more ? undefined : await audit.head();
        take({ ...this.#changeOf(page.records, page.position.revision), head });
      }
      this.#position = page.position;
      more = page.more;
    }
  }

  #changeOf(records: readonly StoredRecord[], revision: number): StoredChange {
    const put: StoredCustomer[] = [];
    const gone: string[] = [];
    for (const record of records) {
      const read = record.kind === "stored" ? readItem(record.item, record.since) : undefined;
      if (read?.customer.id === record.id) put.push(read);
      else gone.push(record.id);
      if (record.kind === "removed" || read?.customer.id === record.id) continue;
      const reason = record.kind === "unreadable" ? record.sentence : "it is no customer that this version knows";
      this.#log.error({ customer: record.id, reason }, "stored customer left out");
    }
    return { revision, put, gone };
  }

  #tell(error: unknown): void {
    this.#log.error({ reason: error instanceof Error ? error.message : "unknown" }, "the store fails");
  }
}
