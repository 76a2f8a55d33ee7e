import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newId } from "../../src/core/calls.ts";
import type { Piece } from "../../src/core/quality-piece.ts";
import type { Ports } from "../../src/store/port.ts";
import { mostOfOne, mostPieces, type QualityFilter, type QualityRecords } from "../../src/store/quality.ts";

/** A backend under test, empty. */
export interface QualityBackend {
  readonly ports: Ports;
  remove(): void | Promise<void>;
}

const noon = Date.UTC(2026, 5, 1, 12);

/** start: milliseconds after noon. */
function piece(start = 0, more: Partial<Piece> = {}): Piece {
  const at = noon + start;
  const what = more.bridge === undefined ? { conference: `c${start}@acme.example` } : {};
  const loss = { first: 0, last: 0.5, worst: 0.5, total: 0.5, count: 2 };
  const way = { from: at, until: at, reports: 2, streams: [{ ssrc: 2 ** 32 - 1, packets: 900, lost: 3 }], loss };
  const alice = { user: "alice", domain: "acme.example", ways: { audioReceived: way }, load: 0.25 };
  const events = [{ at, user: "alice", domain: "acme.example", event: "userJoined", detail: { name: "ü'\\\0" } }];
  return { id: newId(at), customer: "acme", ...what, from: at, until: at, participants: [alice], events, ...more };
}

/** What every backend does with reports of calls. */
export function describeQuality(name: string, open: () => Promise<QualityBackend>): void {
  describe(`reports of calls in ${name}`, () => {
    let backend: QualityBackend;
    let quality: QualityRecords;

    beforeEach(async () => {
      backend = await open();
      quality = backend.ports.quality;
    });
    afterEach(async () => {
      await backend.ports.store.close();
      await backend.remove();
    });

    const find = (filter: Partial<QualityFilter> = {}): Promise<readonly Piece[]> =>
      quality.find({ limit: 100, ...filter });

    it("are given back as they were written, each piece once, as it was last", async () => {
      const [one, other] = [piece(), piece(1, { bridge: "b1" })];
      await quality.write([one, other]);
      const later = { ...one, until: noon + 5_000, participants: [] };
      await quality.write([later]);
      expect(await find()).toEqual([other, later]);
    });

    it("are found the latest first, from the last that was seen on, so many at a time", async () => {
      const pieces = Array.from({ length: 7 }, (_, at) => piece(at * 1_000));
      await quality.write(pieces);
      const newest = pieces.toReversed();
      expect(await find({ limit: 3 })).toEqual(newest.slice(0, 3));
      expect(await find({ limit: 3, after: newest[2]!.id })).toEqual(newest.slice(3, 6));
      await quality.write(Array.from({ length: mostPieces }, (_, at) => piece(at)));
      expect(await find({ limit: 9_999 })).toHaveLength(mostPieces);
    });

    it.each<[string, Partial<QualityFilter>, readonly number[]]>([
      ["a customer", { customer: "acme" }, [3, 1, 0]],
      ["a conference, of whichever customer", { conference: "c@x" }, [2, 1]],
      ["a customer's conference", { customer: "globex", conference: "c@x" }, [2]],
      ["a bridge", { bridge: "b1" }, [3]],
      ["from an instant on", { since: noon + 2_000 }, [3, 2]],
      ["before an instant", { until: noon + 2_000 }, [1, 0]],
      ["what is nobody's", { customer: "' OR '1'='1" }, []],
    ])("are found by %s", async (_, filter, found) => {
      const conference = "c@x";
      const globex = { customer: "globex", conference };
      const pieces = [piece(0), piece(1_000, { conference }), piece(2_000, globex), piece(3_000, { bridge: "b1" })];
      await quality.write(pieces);
      expect(await find(filter)).toEqual(found.map((at) => pieces[at]));
    });

    it("are found for many calls at once, each its customer's own, and of each so many", async () => {
      const conference = "'; DROP TABLE quality; --";
      const many = Array.from({ length: mostOfOne + 1 }, (_, at) => piece(at, { conference }));
      const [ours, theirs] = [piece(5_000, { conference: "ü" }), piece(6_000, { customer: "globex", conference: "ü" })];
      await quality.write([...many, ours, theirs]);
      const wanted = [conference, "ü", "nobody's"].map((one) => ({ customer: "acme", conference: one }));
      expect(await quality.of(wanted)).toEqual([ours, ...many.toReversed().slice(0, mostOfOne)]);
      expect(await quality.of([])).toEqual([]);
    });

    it("are written all or not at all", async () => {
      const broken = { ...piece(), customer: null } as unknown as Piece;
      await expect(quality.write([piece(1), broken])).rejects.toThrow(/^the store .+/);
      expect(await find()).toEqual([]);
    });

    it("are forgotten, the oldest first, so many at a time", async () => {
      const pieces = [0, 1, 2, 60_000].map((start) => piece(start));
      await quality.write(pieces);
      expect(await quality.forget(noon + 60_000, 2)).toBe(2);
      expect(await find()).toEqual([pieces[3], pieces[2]]);
      expect(await quality.forget(noon + 60_000, 2)).toBe(1);
      expect(await quality.forget(noon + 60_000, 2)).toBe(0);
    });

    it("are told to nobody once it is closed", async () => {
      await backend.ports.store.close();
      await expect(find()).rejects.toThrow(/closed/);
    });
  });
}
