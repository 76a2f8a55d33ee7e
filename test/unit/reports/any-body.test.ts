import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Figures } from "../../../src/core/reports.ts";
import { isJsonObject, parseStrictJson } from "../../../src/core/strict-json.ts";
import { readEvents } from "../../../src/reports/events.ts";
import { Reading } from "../../../src/reports/reading.ts";
import { types } from "../../../src/reports/stat-forms.ts";
import { readStats } from "../../../src/reports/stats.ts";

const name = fc.constantFrom("a", "b", "c");
const value = fc.oneof(fc.double(), fc.integer(), fc.boolean(), name, fc.constant(null), fc.jsonValue({ maxDepth: 2 }));
const small = fc.double({ min: 0, max: 1, noNaN: true });

/** Objects of getStats(), right and nearly right, that name each other. */
const stat = fc.constantFrom(...Object.entries(types)).chain(([type, forms]) =>
  fc.record({
    type: fc.constant(type),
    id: name,
    ...Object.fromEntries(Object.keys(forms).map((member) => [member, fc.option(fc.oneof(small, name, value))])),
  }),
);
const stats = fc.array(stat, { maxLength: 12 });
const report = fc.record({ conferenceID: name, userID: name, stats }, { requiredKeys: ["stats"] });
const body = fc.oneof(report, fc.dictionary(fc.constantFrom("events", "reports", "event", "userID", "detail"), value));

const numbersOf = (figures: Figures): number[] => Object.values(figures).filter((one) => typeof one === "number");

describe("any body at all", () => {
  it("is read or has its faults told; what is read has no absurd number", () => {
    fc.assert(
      fc.property(body, (given) => {
        const parsed = parseStrictJson(JSON.stringify(given), { large: true });
        if (parsed.kind !== "value" || !isJsonObject(parsed.value)) return;
        for (const read of [readEvents, readStats]) {
          const reading = new Reading();
          const all = read(parsed.value, reading);
          expect(all.length > 0 || reading.faults.length > 0).toBe(true);
          const figures = all.flatMap((one) => ("figures" in one ? one.figures : []));
          const numbers = figures.flatMap(numbersOf);
          expect(numbers.filter((one) => !Number.isFinite(one) || one < 0 || one > 1e16)).toEqual([]);
        }
      }),
      { numRuns: 500 },
    );
  });
});
