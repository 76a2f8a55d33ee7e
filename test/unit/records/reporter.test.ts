import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Piece } from "../../../src/core/quality-piece.ts";
import type { Taken } from "../../../src/core/reports.ts";
import type { Measured } from "../../../src/quality/fold.ts";
import { Reporter } from "../../../src/records/reporter.ts";
import type { QualityRecords } from "../../../src/store/quality.ts";
import { ended, fakeLog, ringing } from "../../helpers/call-records.ts";
import { event, noon, stats } from "../../helpers/quality.ts";

/** A store in memory that fails on demand. */
class FakeQuality implements QualityRecords {
  readonly kept = new Map<string, Piece>();
  readonly batches: number[] = [];
  fails = false;

  async write(pieces: readonly Piece[]): Promise<void> {
    if (this.fails) throw new Error("the store is locked");
    this.batches.push(pieces.length);
    for (const piece of structuredClone(pieces)) this.kept.set(piece.id, piece);
  }

  find = async (): Promise<readonly Piece[]> => [...this.kept.values()];
  of = this.find;
  forget = async (): Promise<number> => 0;

  get pieces(): Piece[] {
    return [...this.kept.values()];
  }
}

let store: FakeQuality | undefined;
let reporter: Reporter;
let logged: ReturnType<typeof fakeLog>;
let measured: [string, Measured][];

beforeEach(() => {
  vi.useFakeTimers({ now: noon });
  [store, logged, measured] = [new FakeQuality(), fakeLog(), []];
  reporter = new Reporter({
    clock: { now: () => Date.now() },
    log: logged.log,
    store: () => store,
    measured: (customer, figures) => measured.push([customer, figures]),
  });
});
afterEach(() => vi.useRealTimers());

const pass = (milliseconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);
const lines = (): string[] => logged.lines.map(([, line]) => line);
const good = stats({ packetsReceived: 100, packetsLost: 0 });

describe("what is told of a call", () => {
  it("is in the store within a second, and goes on in the same piece", async () => {
    expect([reporter.event(event()), reporter.stats(good)]).toEqual(["taken", "taken"]);
    expect(store?.batches).toEqual([]);
    await pass(1_000);
    expect(store?.pieces).toMatchObject([{ conference: "c1", participants: [{ user: "alice" }], events: [{}] }]);
    reporter.stats(stats({ packetsReceived: 200, packetsLost: 0 }));
    await pass(1_000);
    const streams = [{ ssrc: 1, packets: 200, lost: 0 }];
    expect(store?.pieces).toMatchObject([{ participants: [{ ways: { audioReceived: { streams, reports: 2 } } }] }]);
    await pass(5_000);
    expect(store?.batches).toEqual([1, 1]);
  });

  it("is written in batches, each call once, whatever comes", async () => {
    for (let at = 0; at < 200; at++) reporter.stats({ ...good, conference: `c${at % 50}` });
    await pass(1_000);
    expect(store?.batches).toEqual([20, 20, 10]);
  });

  it("is in the call's record, as far as its own user told it, where it was answered", () => {
    reporter.stats(good);
    reporter.stats({ ...good, user: "bob" });
    const record = ended(ringing(0, { callId: "c1" }));
    expect(reporter.of(record)).toMatchObject({ received: { packets: 100, reports: 1 } });
    const { answer: _, ...unanswered } = record;
    expect(reporter.of(unanswered)).toBeUndefined();
    expect(reporter.of({ ...record, user: "carol" })).toBeUndefined();
    expect(reporter.of({ ...record, customer: "globex" })).toBeUndefined();
    expect(reporter.of({ ...record, callId: "c2" })).toBeUndefined();
  });

  it("is known past midnight", async () => {
    await pass(12 * 3_600_000 - 60_000);
    reporter.stats(good);
    await pass(120_000);
    reporter.stats(stats({ packetsReceived: 300, packetsLost: 0 }));
    const received = { packets: 300, reports: 2 };
    expect(reporter.of(ended(ringing(0, { callId: "c1" })))).toMatchObject({ received });
  });

  it("is forgotten here ten minutes after the last word, once it is written", async () => {
    reporter.stats(good);
    const before = reporter.counts.bytes;
    await pass(599_000);
    reporter.stats({ ...good, conference: "c2" });
    expect(reporter.of(ended(ringing(0, { callId: "c1" })))).toBeDefined();
    await pass(1_000);
    reporter.stats({ ...good, conference: "c2" });
    expect(reporter.counts.bytes).toBe(before);
    expect(reporter.of(ended(ringing(0, { callId: "c1" })))).toBeUndefined();
  });

  it("is forgotten here while others are told of without end", async () => {
    reporter.stats(good);
    reporter.stats({ ...good, conference: "c2" });
    for (let minute = 0; minute < 10; minute++) {
      await pass(60_000);
      reporter.stats(good);
    }
    expect(reporter.of(ended(ringing(0, { callId: "c2" })))).toBeUndefined();
    expect(reporter.of(ended(ringing(0, { callId: "c1" })))).toMatchObject({ received: { reports: 11 } });
  });

  it("of a bridge begins anew each hour", async () => {
    const health = { ...stats({}, { bridge: "b1" }), figures: { load: 0.5 } };
    reporter.stats(health);
    reporter.stats({ ...health, customer: "globex" });
    await pass(3_600_000);
    reporter.stats(health);
    await pass(1_000);
    expect(store?.pieces.map(({ customer, bridge }) => [customer, bridge])).toEqual([
      ["acme", "b1"],
      ["globex", "b1"],
      ["acme", "b1"],
    ]);
  });

  it("is kept for nobody where there is no store, and is in the record all the same", async () => {
    const later = store;
    store = undefined;
    reporter.stats(good);
    await pass(2_000);
    expect(reporter.counts).toMatchObject({ waiting: 0, lost: 0 });
    store = later;
    reporter.stats({ ...good, conference: "c2" });
    store = undefined;
    await pass(2_000);
    expect(reporter.counts).toMatchObject({ waiting: 0, lost: 0 });
    expect(reporter.of(ended(ringing(0, { callId: "c1" })))).toBeDefined();
    expect(later?.pieces).toEqual([]);
  });
});

describe("measures", () => {
  it("count each direction once, and nobody's for whom nobody stands", () => {
    const sent = stats({ direction: "sent", packetsSent: 9, packetsLost: 0 });
    reporter.stats({ ...good, user: "eve", unproved: true });
    reporter.stats(good);
    reporter.stats(sent);
    reporter.stats({ ...good, user: "bob" });
    reporter.stats({ ...sent, user: "bob" });
    reporter.stats(stats({ kind: "video", jitter: 1 }));
    reporter.stats(stats({ jitter: 1 }, { bridge: "b1" }));
    expect(measured.map(([customer, { direction }]) => `${customer} ${direction}`)).toEqual([
      "acme received",
      "acme sent",
      "acme received",
    ]);
    expect(measured[0]?.[1]).toMatchObject({ loss: 0, mos: expect.closeTo(4.41, 1) });
  });
});

describe("a store that takes nothing", () => {
  it("keeps nobody waiting; when it is well again it gets all, and each turn is told once", async () => {
    store!.fails = true;
    reporter.stats(good);
    await pass(3_000);
    expect(reporter.stats({ ...good, conference: "c2" })).toBe("taken");
    await pass(3_000);
    expect(lines()).toEqual(["reports of calls cannot be written to the store: they wait"]);
    expect(reporter.counts).toMatchObject({ waiting: 2 });
    store!.fails = false;
    await pass(1_000);
    expect(lines().slice(1)).toEqual(["reports of calls are written to the store again"]);
    expect(store?.pieces.map(({ conference }) => conference)).toEqual(["c1", "c2"]);
  });

  it("makes nobody begin anew", async () => {
    store!.fails = true;
    reporter.stats(good);
    await pass(900_000);
    reporter.stats({ ...good, conference: "c2" });
    reporter.stats(stats({ packetsReceived: 200, packetsLost: 0 }));
    store!.fails = false;
    await pass(1_000);
    expect(store?.pieces.filter(({ conference }) => conference === "c1")).toHaveLength(1);
  });

  it("makes nobody begin anew who told while it wrote", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    vi.spyOn(store!, "write").mockReturnValueOnce(promise);
    reporter.stats(good);
    await pass(1_000);
    reporter.stats(stats({ packetsReceived: 200, packetsLost: 0 }));
    await pass(600_000);
    resolve();
    await pass(0);
    reporter.stats({ ...good, conference: "c2" });
    reporter.stats(stats({ packetsReceived: 300, packetsLost: 0 }));
    await pass(1_000);
    expect(store?.pieces.map(({ conference }) => conference)).toEqual(["c1", "c2"]);
  });

  it("is given what waits when the gateway ends", async () => {
    reporter.stats(good);
    await reporter.close();
    expect(store?.pieces).toHaveLength(1);
  });

  it("has room for who is proved, whatever is told by whom nobody stands for", () => {
    store!.fails = true;
    const detail = { text: "x".repeat(4_000) };
    const forged: Taken[] = [];
    for (let at = 0; at < 4_000; at++)
      forged.push(reporter.event({ ...event({ detail }), conference: `c${at}`, unproved: true }));
    expect(forged.at(-1)).toBe("full");
    expect(reporter.counts.bytes).toBeLessThan(8_388_608 * 1.01);
    expect(reporter.event(event({ conference: "own" }))).toBe("taken");
  });

  it("does not make memory grow: what has no room is refused, counted and told once", async () => {
    store!.fails = true;
    const detail = { text: "x".repeat(4_000) };
    const tell = (customer: string, calls: number): number => {
      let taken = 0;
      for (let at = 0; at < calls; at++) {
        for (let times = 0; times < 5; times++) {
          const told = { ...event({ detail }), customer, conference: `c${at}` };
          if (reporter.event(told) === "taken") taken++;
        }
      }
      return taken;
    };
    const taken = tell("acme", 2_000);
    expect(taken).toBeGreaterThan(3_000);
    expect(taken).toBeLessThan(4_200);
    expect(reporter.counts).toMatchObject({ lost: 10_000 - taken });
    expect(lines()).toEqual(["there is no room for reports of calls"]);
    // Another customer has room, also where all of it is taken.
    tell("globex", 2_000);
    expect(reporter.stats({ ...good, customer: "initech" })).toBe("taken");
    expect(reporter.counts.bytes).toBeGreaterThan(33_554_432 * 0.99);
    expect(reporter.counts.bytes).toBeLessThan(33_554_432 * 1.01);
    // And the last who have less than others have as much again together.
    for (const customer of ["a", "b", "c", "d", "e", "f", "g", "h", "i"]) tell(customer, 500);
    expect(reporter.counts.bytes).toBeGreaterThan(67_108_864 * 0.99);
    expect(reporter.counts.bytes).toBeLessThan(67_108_864 * 1.01);
    expect(reporter.stats({ ...good, customer: "late" })).toBe("full");
    const lost = reporter.counts.lost;
    store!.fails = false;
    await pass(601_000);
    expect(tell("acme", 1)).toBe(5);
    expect(reporter.counts).toMatchObject({ lost });
    store!.fails = true;
    tell("acme", 2_000);
    expect(lines().filter((line) => line === "there is no room for reports of calls")).toHaveLength(2);
  });
});
