import type { Desk } from "../../src/manage/change.ts";
import { claimsOf } from "../../src/store/claims.ts";
import type { Act, Claim, Edit, Item, Store, StoredRecord, Written } from "../../src/store/port.ts";

/** A store in memory that keeps what a real one keeps of single customers: revisions and claims. */
export class DeskStore implements Store {
  readonly acts: Act[] = [];
  readonly items = new Map<string, { item: Item; revision: number }>();
  /** Done before the next write, once, as by somebody else. */
  before: (() => void) | undefined;
  /** What reading and writing fail with. */
  fault: string | undefined;
  #revision = 0;

  constructor(...items: readonly Item[]) {
    for (const item of items) this.put(item);
  }

  put(item: Item): void {
    this.items.set(String(item.id), { item, revision: ++this.#revision });
  }

  item(id: string): Item | undefined {
    return this.items.get(id)?.item;
  }

  async get(id: string): Promise<StoredRecord | undefined> {
    if (this.fault !== undefined) throw new Error(this.fault);
    const found = this.items.get(id);
    return found && { kind: "stored", id, ...found };
  }

  async list(after: string, limit: number): Promise<StoredRecord[]> {
    const sorted = [...this.items].sort(([a], [b]) => (a < b ? -1 : 1)).filter(([id]) => id > after);
    return sorted.slice(0, limit).map(([id, found]) => ({ kind: "stored", id, ...found }));
  }

  async taken(claims: readonly Claim[]): Promise<{ claim: number; owner: string }[]> {
    return claims.flatMap(({ kind, value }, claim) => {
      const owner = [...this.items].find(([, { item }]) =>
        claimsOf(item).some((one) => one.kind === kind && one.value === value),
      );
      return owner ? [{ claim, owner: owner[0] }] : [];
    });
  }

  async write(edits: readonly Edit[], act: Act): Promise<Written> {
    const before = this.before;
    this.before = undefined;
    before?.();
    for (const { id, expected } of edits) {
      if (expected !== undefined && (this.items.get(id)?.revision ?? 0) !== expected) return { kind: "stale", id };
    }
    this.acts.push(act);
    const revision = ++this.#revision;
    for (const edit of edits) {
      if (edit.kind === "put") this.items.set(edit.id, { item: structuredClone(edit.item), revision });
      else this.items.delete(edit.id);
    }
    return { kind: "written", revision };
  }

  changes(): Promise<never> {
    throw new Error("nobody follows this store");
  }

  watch(): void {}

  async close(): Promise<void> {}
}

/** Second 1,700,000,000. */
export const deskNow = 1_700_000_000;

/** Where nobody's trunk is. */
const places = {
  gateway: { listen: "ws://127.0.0.1:8088", publicUrl: "ws://127.0.0.1:8088", domains: [] },
  upstream: { urls: [] },
  admin: { listen: "http://127.0.0.1:8089" },
};

export const desk = (store: Store, owners: ReadonlyMap<string, string> = new Map()): Desk => ({
  store,
  surroundings: { owners, callbackNetworks: [], places },
  now: () => deskNow,
});

export const act = (): Act => ({ by: "operator:ops", what: "test" });
