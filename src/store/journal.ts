import type { Log } from "../telemetry/log.ts";
import type { Act, Audit, AuditHead } from "./port.ts";

export interface JournalParts {
  /** Undefined while there is no store: then there is no audit either. */
  readonly audit: () => Audit | undefined;
  readonly log: Log;
}

/** Acts that wait for the store. */
const mostWaiting = 1_000;
/** Milliseconds until what could not be written is tried again. */
const again = 1_000;
/** Milliseconds between looks at the head. */
const lookEvery = 3_600_000;

export const headText = ({ seq, mac }: AuditHead): string => (seq === 0 ? "" : `${seq}:${mac}`);

/**
 * What a gateway does that changes no customer, as entries of the audit: nobody waits for them. The head goes to the log
 * with each of them and every hour, so that an end that is cut off shows against the log.
 */
export class Journal {
  readonly #parts: JournalParts;
  #waiting: Act[] = [];
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #hourly: NodeJS.Timeout | undefined;
  #seen: AuditHead | undefined;
  /** The reason that was told last, until it works again. */
  #told: string | undefined;
  #closed = false;

  constructor(parts: JournalParts) {
    this.#parts = parts;
  }

  /** From now on the head is told, at once for the first time. */
  start(): void {
    const look = (): void => this.#inTurn(() => this.#look());
    look();
    this.#hourly = setInterval(look, lookEvery).unref();
  }

  /** In memory, and soon in the store; never a reason to wait. */
  note(act: Act): void {
    if (this.#closed || !this.#parts.audit()) return;
    if (this.#waiting.length < mostWaiting) this.#waiting.push(act);
    else this.#parts.log.error({ by: act.by, what: act.what }, "the audit has no room for an entry");
    if (!this.#timer) this.#inTurn(() => this.#write());
  }

  /** What waits is written, or lost with a line in the log. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#hourly);
    clearTimeout(this.#timer);
    this.#inTurn(() => this.#write());
    await this.#writing;
    for (const { by, what } of this.#waiting) this.#parts.log.error({ by, what }, "the audit has no room for an entry");
  }

  /** One after the other; what fails is told, once for each reason, and tried again. */
  #inTurn(work: () => Promise<void>): void {
    this.#writing = this.#writing.then(work).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : "unknown";
      if (reason !== this.#told) this.#parts.log.error({ reason, waiting: this.#waiting.length }, "the audit fails");
      this.#told = reason;
      if (this.#closed || this.#timer) return;
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#inTurn(() => this.#write());
      }, again).unref();
    });
  }

  async #write(): Promise<void> {
    const audit = this.#parts.audit();
    const acts = this.#waiting;
    if (!audit || acts.length === 0) return;
    this.#waiting = [];
    try {
      this.#tell(await audit.append(acts));
    } catch (error) {
      this.#waiting = [...acts, ...this.#waiting].slice(0, mostWaiting);
      throw error;
    }
  }

  /** Whether the entry that was the head is there yet, and which one is now. */
  async #look(): Promise<void> {
    const audit = this.#parts.audit();
    if (!audit) return;
    if (this.#seen && this.#seen.seq > 0) {
      const [row] = await audit.read({ after: this.#seen.seq - 1, limit: 1 });
      if (row?.mac !== this.#seen.mac)
        this.#parts.log.error({ audit: headText(this.#seen) }, "the audit is not what it was");
    }
    this.#tell(await audit.head());
  }

  #tell(head: AuditHead): void {
    this.#told = undefined;
    this.#seen = head;
    this.#parts.log.info({ audit: headText(head) }, "audit");
  }
}
