import type { CallRecord } from "../core/calls.ts";
import type { Piece } from "../core/quality-piece.ts";
import type { SigningKey } from "../core/signing-keys.ts";
import type { Use } from "../core/uses.ts";
import type { Alive, CallEntry, CallFilter, CallRecords, TakenOver } from "./calls.ts";
import type {
  Act,
  Audit,
  AuditHead,
  AuditQuery,
  AuditRow,
  Changes,
  Claim,
  Edit,
  KeyChange,
  Ports,
  Position,
  SealedKey,
  SigningKeys,
  Store,
  StoredRecord,
  StoreEvent,
  Taken,
  Uses,
  Written,
} from "./port.ts";
import type { Conference, QualityFilter, QualityRecords } from "./quality.ts";
import type { Opening } from "./sqlite-messages.ts";
import { type SqliteThread, startThread } from "./sqlite-thread.ts";

/** Opens the database, or makes it. Rejects with a sentence where it cannot be used. */
export async function openSqlite(opening: Opening): Promise<Ports> {
  const thread = await startThread(opening);
  const [audit, calls, uses, quality] = [auditOf(thread), callsOf(thread), usesOf(thread), qualityOf(thread)];
  return { store: new SqliteStore(thread), audit, calls, uses, quality, signingKeys: signingKeysOf(thread) };
}

class SqliteStore implements Store {
  readonly #thread: SqliteThread;

  constructor(thread: SqliteThread) {
    this.#thread = thread;
  }

  changes(since: Position): Promise<Changes> {
    return this.#thread.ask({ name: "changes", since }) as Promise<Changes>;
  }

  get(id: string): Promise<StoredRecord | undefined> {
    return this.#thread.ask({ name: "get", id }) as Promise<StoredRecord | undefined>;
  }

  list(after: string, limit: number): Promise<readonly StoredRecord[]> {
    return this.#thread.ask({ name: "list", after, limit }) as Promise<readonly StoredRecord[]>;
  }

  taken(claims: readonly Claim[]): Promise<readonly Taken[]> {
    return this.#thread.ask({ name: "taken", claims }) as Promise<readonly Taken[]>;
  }

  async write(edits: readonly Edit[], act: Act): Promise<Written> {
    const written = (await this.#thread.ask({ name: "write", edits, act })) as Written;
    if (written.kind === "written") this.#thread.say({ kind: "changed" });
    return written.kind === "unavailable" ? { ...written, sentence: this.#thread.sentence(written.sentence) } : written;
  }

  watch(listener: (event: StoreEvent) => void): void {
    this.#thread.watch(listener);
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}

const auditOf = (thread: SqliteThread): Audit => ({
  append: (acts: readonly Act[]) => thread.ask({ name: "audit.append", acts }) as Promise<AuditHead>,
  read: (query: AuditQuery) => thread.ask({ name: "audit.read", query }) as Promise<readonly AuditRow[]>,
  head: () => thread.ask({ name: "audit.head" }) as Promise<AuditHead>,
  olderKeys: () => thread.ask({ name: "audit.keys" }) as Promise<readonly SealedKey[]>,
});

const callsOf = (thread: SqliteThread): CallRecords => ({
  write: (entries: readonly CallEntry[], alive: Alive) =>
    thread.ask({ name: "calls.write", entries, alive }) as Promise<void>,
  find: (filter: CallFilter) => thread.ask({ name: "calls.find", filter }) as Promise<readonly CallRecord[]>,
  takeOver: (by: Alive, silentSince: number) =>
    thread.ask({ name: "calls.takeOver", by, silentSince }) as Promise<TakenOver>,
  settle: (ids: readonly string[]) => thread.ask({ name: "calls.settle", ids }) as Promise<void>,
  forget: (before: number, most: number) => thread.ask({ name: "calls.forget", before, most }) as Promise<number>,
});

const usesOf = (thread: SqliteThread): Uses => ({
  add: (uses: readonly Use[]) => thread.ask({ name: "uses.add", uses }) as Promise<void>,
  of: (customer: string) => thread.ask({ name: "uses.of", customer }) as Promise<readonly Use[]>,
});

const qualityOf = (thread: SqliteThread): QualityRecords => ({
  write: (pieces: readonly Piece[]) => thread.ask({ name: "quality.write", pieces }) as Promise<void>,
  find: (filter: QualityFilter) => thread.ask({ name: "quality.find", filter }) as Promise<readonly Piece[]>,
  of: (conferences: readonly Conference[]) =>
    thread.ask({ name: "quality.of", conferences }) as Promise<readonly Piece[]>,
  forget: (before: number, most: number) => thread.ask({ name: "quality.forget", before, most }) as Promise<number>,
});

const signingKeysOf = (thread: SqliteThread): SigningKeys => ({
  all: () => thread.ask({ name: "signingKeys.all" }) as Promise<readonly SigningKey[]>,
  change: (change: KeyChange, act: Act) => thread.ask({ name: "signingKeys.change", change, act }) as Promise<boolean>,
});
