import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openRecords, type RecordsParts } from "../../../src/records/open.ts";
import { FakeRecords, fakeLog, noon } from "../../helpers/call-records.ts";

beforeEach(() => void vi.useFakeTimers({ now: noon }));
afterEach(() => void vi.useRealTimers());

describe("records in the store", () => {
  it("are forgotten after as many days as the config says, and what was told of the calls too", async () => {
    const [calls, quality] = [new FakeRecords(), new FakeRecords()];
    const parts = {
      config: () => ({ records: { store: true, retentionDays: 7 } }),
      store: () => ({ calls, quality }),
      clock: { now: () => Date.now() },
      gateway: "g1",
      log: fakeLog().log,
    };
    const records = openRecords(parts as unknown as RecordsParts);
    await vi.advanceTimersByTimeAsync(61_000);
    for (const { forgets } of [calls, quality]) {
      expect(forgets[0]).toBeGreaterThanOrEqual(noon - 7 * 86_400_000);
      expect(forgets[0]).toBeLessThanOrEqual(Date.now() - 7 * 86_400_000);
    }
    await records.close();
  });
});
