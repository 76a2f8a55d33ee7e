import { describe, expect, it } from "vitest";
import { type CallRecord, newId } from "../../../src/core/calls.ts";
import type { Piece } from "../../../src/core/quality-piece.ts";
import { findQuality, withQuality } from "../../../src/manage/quality.ts";
import type { QualityRecords } from "../../../src/store/quality.ts";

const way = { from: 1, until: 1, reports: 1, streams: [], loss: { first: 0, last: 0, worst: 0, total: 0, count: 1 } };
const participant = { user: "alice", domain: "acme.example", ways: { audioReceived: way } };

/** As full as a piece may be: 200 events and so many participants. */
function piece(at: number, participants = 20): Piece {
  const event = { at: 1, user: "alice", domain: "acme.example", event: "feedback" };
  return {
    ...{ id: String(900 - at), customer: "acme", conference: `c${at}`, from: 1, until: 1 },
    participants: Array.from({ length: participants }, (_, user) => ({ ...participant, user: `u${user}` })),
    events: Array.from({ length: participants === 1 ? 0 : 200 }, () => event),
  };
}

/** The latest first; sizes: of what was asked for at once. */
function store(pieces: readonly Piece[]) {
  const sizes: number[] = [];
  const quality: Pick<QualityRecords, "find" | "of"> = {
    find: async ({ after, limit }) => {
      sizes.push(limit);
      return pieces.filter(({ id }) => after === undefined || id < after).slice(0, limit);
    },
    of: async (conferences) => {
      sizes.push(conferences.length);
      return pieces.filter(({ conference }) => conferences.some((one) => one.conference === conference));
    },
  };
  return { quality: quality as QualityRecords, sizes };
}

describe("a page of what was told of calls", () => {
  it("is shorter than asked for where much was told, read a little at a time, and others follow it", async () => {
    const all = Array.from({ length: 100 }, (_, at) => piece(at));
    const { quality, sizes } = store(all);
    const found: (string | undefined)[] = [];
    let after: string | undefined;
    let pages = 0;
    do {
      const { calls, next } = await findQuality({ limit: 500, ...(after !== undefined && { after }) }, quality);
      expect(calls.length).toBeLessThanOrEqual(20);
      found.push(...calls.map(({ callId }) => callId));
      after = next ?? undefined;
    } while (after !== undefined && ++pages < 50);
    expect(found).toEqual(all.map(({ conference }) => conference));
    expect(Math.max(...sizes)).toBe(20);
  });

  it("has as many as were asked for where little was", async () => {
    const { quality } = store(Array.from({ length: 100 }, (_, at) => piece(at, 1)));
    const { calls, next } = await findQuality({ limit: 50 }, quality);
    expect([calls.length, next]).toEqual([50, "851"]);
    expect(await findQuality({ limit: 500 }, quality)).toMatchObject({ next: null });
  });
});

describe("records of calls with how they sounded", () => {
  it("are read a little at a time, and each has its own", async () => {
    const { quality, sizes } = store(Array.from({ length: 100 }, (_, at) => piece(at)));
    const calls: CallRecord[] = Array.from({ length: 45 }, (_, at) => ({
      ...{ id: String(at), gateway: "g", callId: `c${at}`, customer: "acme", user: "u1", domain: "acme.example" },
      ...{ start: 1, direction: "to-user", ...(at !== 7 && { answer: 2 }) },
    }));
    const told = await withQuality(calls, quality);
    expect(told.map(({ id }) => id)).toEqual(calls.map(({ id }) => id));
    expect(told.flatMap(({ id, quality: known }) => (known?.received?.reports === 1 ? [] : [id]))).toEqual(["7"]);
    expect(sizes).toEqual([19, 20, 5]);
  });

  it("have only what was told from a time on, where that is all they may have", async () => {
    const day = Date.UTC(2026, 5, 1);
    const old = { ...piece(0), id: newId(day - 1) };
    const fresh = { ...piece(1), id: newId(day) };
    const { quality } = store([fresh, old]);
    const calls: CallRecord[] = ["c0", "c1"].map((callId) => ({
      ...{ id: callId, gateway: "g", callId, customer: "acme", user: "u1", domain: "acme.example" },
      ...{ start: day, direction: "to-user", answer: day },
    }));
    const known = async (since?: number) =>
      (await withQuality(calls, quality, since)).flatMap((call) => (call.quality ? [call.callId] : []));
    expect(await known(day)).toEqual(["c1"]);
    expect(await known()).toEqual(["c0", "c1"]);
  });
});
