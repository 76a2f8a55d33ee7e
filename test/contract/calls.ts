import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CallRecord, newId } from "../../src/core/calls.ts";
import { type CallEntry, type CallFilter, type CallRecords, mostRecords } from "../../src/store/calls.ts";
import type { Ports } from "../../src/store/port.ts";

/** A backend under test, empty. */
export interface OpenedDatabase {
  readonly database: Ports;
  /** The same database as another process has it open; closed by the test. */
  again(): Promise<Ports>;
  /** After the databases are closed. */
  remove(): void | Promise<void>;
}

const noon = Date.UTC(2026, 5, 1, 12);

/** start: milliseconds after noon. */
function call(start = 0, more: Partial<CallRecord> = {}): CallRecord {
  const began = noon + start;
  const who = { customer: "acme", user: "alice", domain: "acme.example", provedBy: "k1" };
  const what = { direction: "to-number", number: "+3225887000", trunk: "sip:pbx.acme.example" } as const;
  return { id: newId(began), gateway: "g1", callId: `c${start}@acme.example`, ...who, ...what, start: began, ...more };
}

const ended = (record: CallRecord, end = record.start + 9_000): CallRecord => ({
  ...record,
  answer: end - 5_000,
  end,
  seconds: 5,
  endedBy: "client",
  status: 200,
});

const entries = (records: readonly CallRecord[], owed = false): CallEntry[] =>
  records.map((record) => ({ record, owed }));

const alive = (gateway = "g1", at = noon): { gateway: string; at: number } => ({ gateway, at });

/** What every backend does. open: a new one each time. */
export function describeCalls(name: string, open: () => Promise<OpenedDatabase>): void {
  describe(`call records in ${name}`, () => {
    let opened: OpenedDatabase;
    let calls: CallRecords;

    beforeEach(async () => {
      opened = await open();
      calls = opened.database.calls;
    });
    afterEach(async () => {
      await opened.database.store.close();
      await opened.remove();
    });

    const find = (filter: Partial<CallFilter> = {}): Promise<readonly CallRecord[]> =>
      calls.find({ limit: 100, ...filter });

    it("gives back what was written, member by member, and each id once, as it was told last", async () => {
      const standing = call();
      await calls.write(entries([standing, call(1)]), alive());
      const over = ended(standing);
      await calls.write(entries([over]), alive());
      await calls.write(entries([over]), alive());
      expect(await find({ callId: over.callId })).toEqual([over]);
      expect(await find()).toHaveLength(2);
    });

    it("keeps a credential's refusal, which is nobody's in particular", async () => {
      const { user: _user, domain: _domain, provedBy: _key, trunk: _trunk, ...refused } = call();
      await calls.write(entries([{ ...refused, end: noon, endedBy: "gateway", status: 403 }]), alive());
      expect(await find({ customer: "acme" })).toEqual([{ ...refused, end: noon, endedBy: "gateway", status: 403 }]);
    });

    it("finds the latest first, and goes on after the last that was seen", async () => {
      const records = Array.from({ length: 7 }, (_, at) => call(at * 1_000));
      await calls.write(entries(records.toReversed()), alive());
      const newest = records.toReversed();
      expect(await find({ limit: 3 })).toEqual(newest.slice(0, 3));
      expect(await find({ limit: 3, after: newest[2]!.id })).toEqual(newest.slice(3, 6));
      expect(await find({ limit: 3, after: newest[6]!.id })).toEqual([]);
    });

    it("gives a page at most, whatever is asked for", async () => {
      await calls.write(entries(Array.from({ length: mostRecords + 1 }, (_, at) => call(at))), alive());
      expect(await find({ limit: mostRecords + 1 })).toHaveLength(mostRecords);
    });

    it.each<[string, Partial<CallFilter>, readonly number[]]>([
      ["a customer", { customer: "acme" }, [3, 1, 0]],
      ["a user, of whichever customer", { user: "alice" }, [2, 0]],
      ["a user of a customer", { customer: "acme", user: "alice" }, [0]],
      ["an address", { user: "alice", domain: "globex.example" }, [2]],
      ["a number", { number: "+3225887000" }, [3, 0]],
      ["a number written otherwise", { number: "0032 25 88 70 00" }, [3, 0]],
      ["a part of a number: nothing", { number: "+3225887" }, []],
      ["a Call-ID", { callId: "c1000@acme.example" }, [1]],
      ["from an instant on", { since: noon + 2_000 }, [3, 2]],
      ["before an instant", { until: noon + 2_000 }, [1, 0]],
      ["between two", { since: noon + 1_000, until: noon + 3_000 }, [2, 1]],
      ["all of it at once", { customer: "acme", user: "bob", since: noon, until: noon + 9_000 }, [3, 1]],
      ["nobody's", { customer: "acme", user: "nobody" }, []],
    ])("finds by %s", async (_, filter, found) => {
      const records = [
        call(0),
        call(1_000, { user: "bob", number: "+4930" }),
        call(2_000, { customer: "globex", domain: "globex.example", number: "+4940" }),
        call(3_000, { user: "bob", number: "003225887000" }),
      ];
      await calls.write(entries(records), alive());
      expect(await find(filter)).toEqual(found.map((at) => records[at]));
    });

    it("takes any text as a text", async () => {
      const texts = ["'", '"', "'; DROP TABLE calls; --", "%", "_", "\\", "ü\u{1f600}", "NULL", " "];
      const records = texts.map((text, at) => call(at, { callId: text, user: text, peer: text }));
      await calls.write(entries(records), alive());
      for (const [at, text] of texts.entries()) {
        expect(await find({ callId: text })).toEqual([records[at]]);
        expect(await find({ user: text })).toEqual([records[at]]);
      }
      expect(await find({ customer: "' OR '1'='1" })).toEqual([]);
    });

    it("writes all of a batch or nothing", async () => {
      const broken = { ...call(), customer: null } as unknown as CallRecord;
      await expect(calls.write(entries([call(1), broken, call(2)]), alive())).rejects.toThrow(/^the store .+/);
      expect(await find()).toEqual([]);
      await calls.write(entries([call(1)]), alive());
      expect(await find()).toHaveLength(1);
    });

    it("ends the calls of a gateway that is no more when it was last seen", async () => {
      const [ringing, standing] = [call(0), { ...call(1_000), answer: noon + 3_000 }];
      const over = ended(call(2_000), noon + 20_000);
      await calls.write(entries([ringing, standing, over]), alive("g1", noon + 2_000));
      await calls.write([], alive("g1", noon + 8_000));
      const other = call(0, { gateway: "g2" });
      await calls.write(entries([other]), alive("g2", noon + 9_000));
      const taken = await calls.takeOver(alive("g3", noon + 30_000), noon + 8_001);
      const gone = { end: noon + 8_000, endedBy: "gateway", reason: "gateway-lost" } as const;
      const known = [
        { ...ringing, ...gone },
        { ...standing, ...gone, seconds: 5 },
      ];
      const byId = (records: readonly CallRecord[]): CallRecord[] =>
        records.toSorted((one, two) => (one.id < two.id ? -1 : 1));
      expect(byId(taken.ended)).toEqual(known);
      expect(taken.owed).toEqual([]);
      expect(byId(await find())).toEqual(byId([...known, over, other]));
      expect(await calls.takeOver(alive("g4", noon + 30_000), noon + 8_001)).toEqual({ ended: [], owed: [] });
    });

    it("ends no call before it was answered, and none of the one that asks", async () => {
      const answered = { ...call(), answer: noon + 5_000 };
      await calls.write(entries([answered]), alive("g1", noon + 1_000));
      expect((await calls.takeOver(alive("g1", noon + 2_000), noon + 50_000)).ended).toEqual([]);
      const { ended: lost } = await calls.takeOver(alive("g2", noon + 60_000), noon + 50_000);
      expect(lost).toMatchObject([{ end: noon + 5_000, seconds: 0 }]);
    });

    it("hands on what is owed to webhooks, until it is settled", async () => {
      const records = [ended(call(0)), ended(call(1)), ended(call(2))];
      await calls.write([...entries(records.slice(0, 2), true), ...entries(records.slice(2))], alive("g1", noon));
      await calls.settle([records[0]!.id]);
      const second = await calls.takeOver(alive("g2", noon + 20_000), noon + 10_000);
      expect(second).toEqual({ ended: [], owed: [records[1]] });
      const third = await calls.takeOver(alive("g3", noon + 40_000), noon + 30_000);
      expect(third.owed).toEqual([records[1]]);
      await calls.settle([records[1]!.id]);
      expect(await calls.takeOver(alive("g4", noon + 60_000), noon + 50_000)).toEqual({ ended: [], owed: [] });
    });

    it("owes the calls that it ended for others too", async () => {
      await calls.write(entries([call()]), alive("g1", noon));
      const { ended: lost } = await calls.takeOver(alive("g2", noon + 20_000), noon + 10_000);
      const { owed } = await calls.takeOver(alive("g3", noon + 40_000), noon + 30_000);
      expect(owed).toEqual(lost);
    });

    it("takes over page by page", async () => {
      await calls.write(entries(Array.from({ length: mostRecords + 1 }, (_, at) => call(at))), alive());
      const sizes = [];
      for (let more = true; more; more = sizes.at(-1) !== 0) {
        sizes.push((await calls.takeOver(alive("g2", noon + 20_000), noon + 10_000)).ended.length);
      }
      expect(sizes).toEqual([mostRecords, 1, 0]);
    });

    it("lets the gateway that carries a call have the last word, though another thought it gone", async () => {
      const record = call();
      await calls.write(entries([record]), alive("g1", noon));
      await calls.takeOver(alive("g2", noon + 20_000), noon + 10_000);
      await calls.write(entries([record]), alive("g1", noon + 21_000));
      expect(await find()).toEqual([record]);
      expect((await calls.takeOver(alive("g3", noon + 22_000), noon + 10_000)).ended).toEqual([]);
      await calls.write(entries([ended(record)]), alive("g1", noon + 23_000));
      expect(await find()).toEqual([ended(record)]);
    });

    it("forgets the oldest that have ended, so many at a time, and none that stands", async () => {
      const old = Array.from({ length: 5 }, (_, at) => ended(call(at)));
      const [standing, recent] = [call(10), ended(call(60_000))];
      await calls.write(entries([...old, standing, recent]), alive());
      expect(await calls.forget(noon + 60_000, 3)).toBe(3);
      expect(await find()).toEqual([recent, standing, old[4], old[3]]);
      expect(await calls.forget(noon + 60_000, 3)).toBe(1 + 1);
      expect(await calls.forget(noon + 60_000, 3)).toBe(0);
      expect(await find()).toEqual([recent, standing]);
    });

    it("shows another process what was written here", async () => {
      const other = await opened.again();
      await calls.write(entries([call()]), alive());
      expect(await other.calls.find({ limit: 9 })).toHaveLength(1);
      await other.store.close();
    });

    it("answers nobody once it is closed", async () => {
      await opened.database.store.close();
      await expect(find()).rejects.toThrow(/closed/);
      await expect(calls.write([], alive())).rejects.toThrow(/closed/);
    });
  });
}
