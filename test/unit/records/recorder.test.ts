import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CallRecord } from "../../../src/core/calls.ts";
import type { CallQuality } from "../../../src/core/quality.ts";
import { Recorder } from "../../../src/records/recorder.ts";
import { ended, FakeRecords, fakeLog, refused, ringing } from "../../helpers/call-records.ts";

let store: FakeRecords | undefined;
let recorder: Recorder;
let logged: ReturnType<typeof fakeLog>;
let file: CallRecord[];
let told: CallRecord[];
let hooked: Set<string>;
let hooksWaiting = 0;
let quality: CallQuality | undefined;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  [store, logged, file, told, hooked] = [new FakeRecords(), fakeLog(), [], [], new Set(["acme"])];
  [hooksWaiting, quality] = [0, undefined];
  recorder = new Recorder({
    clock: { now: () => Date.now() },
    log: logged.log,
    gateway: "g1",
    store: () => store,
    file: { add: (record) => file.push({ ...record }), flush: async () => {}, close: async () => {}, waiting: 0 },
    webhooks: {
      wants: ({ customer }) => hooked.has(customer),
      add: (record) => told.push({ ...record }),
      close: () => {},
      get counts() {
        return { records: { delivered: 0, given_up: 0 }, failures: 0, waiting: hooksWaiting };
      },
    },
    qualityOf: () => quality,
  });
});
afterEach(() => vi.useRealTimers());

const pass = (milliseconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);
const lines = (): string[] => logged.lines.map(([, line]) => line);

describe("a call", () => {
  it("is in the store within half a second of its start, and again as it goes on", async () => {
    const record: { answer?: number } & CallRecord = ringing();
    recorder.note(record);
    expect(store?.written).toEqual([]);
    await pass(500);
    expect(store?.written).toMatchObject([{ entries: [{ record: { id: record.id } }], alive: { gateway: "g1" } }]);
    record.answer = 5;
    recorder.note(record);
    await pass(500);
    expect(store?.kept.get(record.id)?.record.answer).toBe(5);
    expect(file).toEqual([]);
  });

  it("has what was told of it when it ends, in the store, the file and the webhook", async () => {
    const record = ringing();
    quality = { mos: 4.2 };
    recorder.note(record);
    await pass(500);
    expect(store?.kept.get(record.id)?.record).toEqual(record);
    recorder.note(ended(record));
    await pass(500);
    const whole = { ...ended(record), quality };
    expect([store?.kept.get(record.id)?.record, ...file, ...told]).toEqual([whole, whole, whole]);
  });

  it("that changes several times at once is written once, as it is then", async () => {
    const record = ringing();
    recorder.note(record);
    recorder.note(ended(record));
    await pass(500);
    expect(store?.written).toHaveLength(1);
    expect(store?.written[0]?.entries).toEqual([{ record: ended(record), owed: true }]);
  });

  it("that has ended is told to the file and the webhook, once", async () => {
    const record = ringing();
    recorder.note(record);
    recorder.note(ended(record));
    expect([file, told]).toEqual([[ended(record)], [ended(record)]]);
    expect(recorder.counts).toMatchObject({ recorded: 1 });
    await pass(5_000);
    expect(file).toHaveLength(1);
  });

  it("of a customer without a webhook is owed to nobody", async () => {
    recorder.note(ended(ringing(0, { customer: "globex" })));
    await pass(500);
    expect(store?.written[0]?.entries[0]?.owed).toBe(false);
    expect(told).toEqual([]);
  });

  it("is told to file and webhook where there is no store", async () => {
    store = undefined;
    recorder.note(ringing());
    recorder.note(ended());
    await pass(2_000);
    expect([file.length, told.length, recorder.counts.waiting]).toEqual([1, 1, 0]);
  });
});

describe("a word of being alive", () => {
  it("is said each second while a call stands, and no more when none does", async () => {
    const record = ringing();
    recorder.note(record);
    await pass(5_000);
    const beats = store!.written.map(({ alive }) => alive.at);
    expect(beats.length).toBeGreaterThanOrEqual(5);
    expect(Date.now() - beats.at(-1)!).toBeLessThanOrEqual(1_000);
    recorder.note(ended(record));
    await pass(1_000);
    const count = store?.written.length;
    await pass(60_000);
    expect(store?.written).toHaveLength(count!);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is said while a webhook is to be told of something, for another would do it otherwise", async () => {
    hooksWaiting = 1;
    recorder.note(ended());
    await pass(5_000);
    expect(store?.written.length).toBeGreaterThanOrEqual(5);
  });
});

describe("many at once", () => {
  it("are written as soon as they make a batch, and in batches", async () => {
    for (let at = 0; at < 1_200; at++) recorder.note(ringing(at));
    await pass(0);
    expect(store?.written.map(({ entries }) => entries.length)).toEqual([500, 500]);
    await pass(500);
    expect(store?.kept.size).toBe(1_200);
  });
});

describe("a store that takes nothing", () => {
  it("is tried again, told of once, and given all when it is well again, standing calls once more", async () => {
    const [before, during] = [ringing(0), ringing(1)];
    recorder.note(before);
    await pass(500);
    store!.fails = true;
    recorder.note(during);
    await pass(10_000);
    expect(lines()).toEqual(["call records cannot be written to the store: they wait"]);
    expect(recorder.counts.waiting).toBe(1);
    store!.fails = false;
    const so = store!.written.length;
    await pass(2_500);
    expect(lines()[1]).toBe("call records are written to the store again");
    const again = store!.written.slice(so).flatMap(({ entries }) => entries.map(({ record }) => record.id));
    expect(new Set(again)).toEqual(new Set([before.id, during.id]));
  });

  it("does not put what it had before in the place of what came since", async () => {
    store!.fails = true;
    const record = ringing();
    recorder.note(record);
    vi.advanceTimersByTime(500);
    // While the first is on its way.
    recorder.note(ended(record));
    await pass(1_000);
    store!.fails = false;
    await pass(2_000);
    expect(store?.kept.get(record.id)?.record.end).toBeDefined();
  });

  it("loses no more than what there is no room for, which is counted and told once; who has little waiting loses nothing", async () => {
    store!.fails = true;
    recorder.note(ringing(99_999));
    await pass(500);
    for (let at = 1; at < 12_000; at++) recorder.note(ringing(at));
    recorder.note(ringing(0, { customer: "globex" }));
    expect(recorder.counts).toMatchObject({ waiting: 10_001, lost: { store: 2_000 } });
    expect(lines().filter((line) => line === "call records are lost to the store")).toHaveLength(1);
    for (let at = 0; at < 12_000; at++) recorder.note(ringing(at, { customer: "globex" }));
    expect(recorder.counts.waiting).toBe(20_000);
    const { lost } = recorder.counts;
    for (let at = 0; at < 300; at++) recorder.note(ringing(at, { customer: "initech" }));
    expect(recorder.counts).toMatchObject({ waiting: 20_300, lost });
    store!.fails = false;
    await pass(60_000);
    expect(store?.kept.size).toBeGreaterThanOrEqual(20_000);
  });
});

describe("what a webhook has", () => {
  it("is owed no more, whether the store knew of it before or not", async () => {
    const [first, second] = [ended(ringing(0)), ended(ringing(1))];
    recorder.note(first);
    recorder.settle([first.id]);
    await pass(500);
    expect(store?.kept.get(first.id)?.owed).toBe(false);
    recorder.note(second);
    await pass(500);
    expect(store?.kept.get(second.id)?.owed).toBe(true);
    recorder.settle([second.id]);
    await pass(500);
    expect(store?.settled).toContain(second.id);
  });

  it("is remembered of twenty thousand calls, while the store takes nothing", async () => {
    store!.fails = true;
    recorder.settle(Array.from({ length: 20_001 }, (_, at) => `call ${at}`));
    await pass(500);
    store!.fails = false;
    for (let batch = 0; batch < 60; batch++) await pass(1_000);
    expect(store?.settled).toHaveLength(20_000);
  });
});

describe("what another gateway left", () => {
  it("goes to the file and the webhook where it ended now, to the webhook alone where it had ended", () => {
    recorder.adopt(ended(ringing(0)), true);
    recorder.adopt(ended(ringing(1)), false);
    expect([file.length, told.length]).toEqual([1, 2]);
  });

  it("is owed no more where the customer has no webhook", async () => {
    const record = ended(ringing(0, { customer: "globex" }));
    recorder.adopt(record, true);
    await pass(500);
    expect(store?.settled).toEqual([record.id]);
  });
});

describe("INVITEs that are refused", () => {
  it("are recorded a hundred times a minute for each customer, and counted above", async () => {
    for (let at = 0; at < 150; at++) recorder.note(refused());
    recorder.note(refused({ customer: "globex" }));
    await pass(500);
    expect(store?.kept.size).toBe(101);
    expect(recorder.counts).toMatchObject({ recorded: 101, lost: { refusals: 50 } });
    await pass(60_000);
    recorder.note(refused());
    expect(recorder.counts.recorded).toBe(102);
  });

  it("leave calls that were placed all the room that they need", () => {
    for (let at = 0; at < 150; at++) recorder.note(refused());
    const record = ringing();
    recorder.note(record);
    recorder.note(ended(record));
    expect(file.at(-1)?.id).toBe(record.id);
  });
});

describe("closing", () => {
  it("writes what waits", async () => {
    for (let at = 0; at < 700; at++) recorder.note(ringing(at));
    await recorder.close();
    expect(store?.kept.size).toBe(700);
    recorder.note(ringing(9_999));
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not wait for a store that takes nothing", async () => {
    recorder.note(ringing());
    store!.fails = true;
    await recorder.close();
    expect(lines()).toEqual(["call records cannot be written to the store: they wait"]);
  });
});
