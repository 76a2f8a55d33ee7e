import { Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { chainStart, nextRow } from "../../../src/store/chain.ts";
import { Journal } from "../../../src/store/journal.ts";
import type { Act, Audit, AuditRow } from "../../../src/store/port.ts";
import { SealKeys } from "../../../src/store/seal.ts";
import { createLog } from "../../../src/telemetry/log.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function scene() {
  const key = new SealKeys(["the-key-of-this-store"]).chainKey;
  const store = { works: true, there: true, rows: [] as AuditRow[] };
  const head = () => store.rows.at(-1) ?? chainStart;
  const audit: Audit = {
    append: async (acts) => {
      if (!store.works) throw new Error("the store is gone");
      for (const act of acts) store.rows.push(nextRow(head(), act, { at: 0, key }));
      return head();
    },
    read: async ({ after = 0, limit }) => store.rows.filter(({ seq }) => seq > after).slice(0, limit),
    head: async () => head(),
    olderKeys: async () => [],
  };
  const lines: Record<string, unknown>[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  const journal = new Journal({ audit: () => (store.there ? audit : undefined), log: createLog({ destination }) });
  const texts = (): string[] => store.rows.map(({ text }) => (JSON.parse(text) as Act).what);
  return { store, journal, texts, head: () => `${head().seq}:${head().mac}`, lines };
}

const act = (what: string): Act => ({ by: "gateway", what });
const settled = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

describe("what a gateway does itself", () => {
  it("is in the audit, in its order, and the head in the log with it, also at the start and every hour", async () => {
    const { journal, texts, lines, head } = scene();
    journal.start();
    journal.note(act("one"));
    journal.note(act("two"));
    await settled();
    expect(texts()).toEqual(["one", "two"]);
    expect(lines.at(-1)).toMatchObject({ msg: "audit", audit: head() });
    const before = lines.length;
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(lines.slice(before)).toMatchObject([{ msg: "audit", audit: head() }]);
    await journal.close();
  });

  it("is kept while the store fails, told once, tried every second, and written when it is back", async () => {
    const { store, journal, texts, lines } = scene();
    store.works = false;
    journal.note(act("one"));
    await settled();
    journal.note(act("two"));
    expect(lines).toMatchObject([{ msg: "the audit fails", reason: "the store is gone", waiting: 1 }]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lines).toHaveLength(1);
    store.works = true;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(texts()).toEqual(["one", "two"]);
    store.works = false;
    journal.note(act("three"));
    await settled();
    expect(lines.filter(({ msg }) => msg === "the audit fails")).toHaveLength(2);
    store.works = true;
    await journal.close();
  });

  it("keeps so many while it fails, and those above are in the log", async () => {
    const { store, journal, texts, lines } = scene();
    store.works = false;
    journal.note(act("first"));
    await settled();
    for (let at = 0; at < 1_000; at++) journal.note(act(`number ${at}`));
    expect(lines.at(-1)).toMatchObject({ msg: "the audit has no room for an entry", what: "number 999" });
    store.works = true;
    await journal.close();
    expect(texts()).toHaveLength(1_000);
  });

  it("is lost with a line in the log where it stops before the store is back", async () => {
    const { store, journal, lines } = scene();
    store.works = false;
    journal.note(act("gateway.stop"));
    await journal.close();
    expect(lines.at(-1)).toMatchObject({ msg: "the audit has no room for an entry", what: "gateway.stop" });
  });

  it("is nowhere while there is no store", async () => {
    const { store, journal, lines } = scene();
    store.there = false;
    journal.start();
    journal.note(act("gateway.start"));
    await settled();
    store.there = true;
    await journal.close();
    expect([store.rows, lines]).toEqual([[], []]);
  });
});

it("an end that was cut off is told within the hour", async () => {
  const { store, journal, lines } = scene();
  journal.start();
  for (const what of ["one", "two", "three"]) journal.note(act(what));
  await settled();
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(lines.map(({ msg }) => msg)).not.toContain("the audit is not what it was");
  const cut = `${store.rows.at(-1)!.seq}:${store.rows.at(-1)!.mac}`;
  store.rows.length = 1;
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(lines).toContainEqual(expect.objectContaining({ msg: "the audit is not what it was", audit: cut }));
  await journal.close();
});
