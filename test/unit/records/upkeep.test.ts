import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Upkeep } from "../../../src/records/upkeep.ts";
import { ended, FakeRecords, fakeLog, noon, ringing } from "../../helpers/call-records.ts";

let store: FakeRecords | undefined;
let quality: FakeRecords | undefined;
let upkeep: Upkeep;
let taken: [string, boolean][];
let retentionDays = 90;

beforeEach(() => {
  vi.useFakeTimers({ now: noon });
  [store, quality, taken, retentionDays] = [new FakeRecords(), new FakeRecords(), [], 90];
  upkeep = new Upkeep({
    clock: { now: () => Date.now() },
    log: fakeLog().log,
    store: () => store,
    quality: () => quality,
    retentionDays: () => retentionDays,
    alive: () => ({ gateway: "g1", at: Date.now() }),
    takenOver: ({ id }, isNew) => taken.push([id, isNew]),
  });
  upkeep.start();
});
afterEach(() => {
  upkeep.stop();
  vi.useRealTimers();
});

const pass = (milliseconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);

describe("gateways that are no more", () => {
  it("are those that said nothing for ten seconds, and nobody looks before that", async () => {
    const [one, two] = [ended(ringing(0)), ended(ringing(1))];
    store!.taken = [{ ended: [one], owed: [two] }];
    await pass(9_999);
    expect(store?.silentSince).toEqual([]);
    await pass(1);
    expect(store?.silentSince).toEqual([noon, noon]);
    expect(taken).toEqual([
      [one.id, true],
      [two.id, false],
    ]);
  });

  it("are not told from others by who could not see them either", async () => {
    await pass(10_000);
    store!.fails = true;
    await pass(5_000);
    store!.fails = false;
    store!.silentSince = [];
    await pass(9_000);
    expect(store?.silentSince).toEqual([]);
    await pass(5_000);
    expect(store?.silentSince).toHaveLength(1);
  });
});

describe("what is too old", () => {
  it("is forgotten a minute after the start and each hour, in batches", async () => {
    await pass(60_000);
    expect(store?.forgets).toEqual([noon + 60_000 - 90 * 86_400_000]);
    await pass(100);
    expect(store?.forgets).toHaveLength(2);
    await pass(3_600_000);
    expect(store?.forgets).toHaveLength(3);
    expect(quality?.forgets[0]).toBe(noon + 60_000 + 100 - 90 * 86_400_000);
    expect(quality?.forgets).toHaveLength(3);
  });

  it("is kept for ever where the config says so", async () => {
    retentionDays = 0;
    await pass(7_200_000);
    expect([store?.forgets, quality?.forgets]).toEqual([[], []]);
  });

  it("waits for a store that is not there", async () => {
    const later = store;
    store = undefined;
    await pass(120_000);
    store = later;
    await pass(3_600_000);
    expect(store?.forgets.length).toBeGreaterThan(0);
  });
});
