import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Endings } from "../../../src/state/endings.ts";

const key = fc.constantFrom("a", "b", "c", "d");
const step = fc.oneof(
  fc.record({ kind: fc.constant("add" as const), key, until: fc.integer({ min: 0, max: 5000 }) }),
  fc.record({ kind: fc.constant("remove" as const), key }),
  fc.record({ kind: fc.constant("take" as const), now: fc.integer({ min: 0, max: 6000 }) }),
);

describe("Endings", () => {
  it("gives what has ended, each once and nothing else, in whatever order it came, went and was asked for", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const endings = new Endings();
        const right = new Map<string, number>();
        const drop = (name: string): void => {
          const until = right.get(name);
          if (until !== undefined) endings.remove(name, until);
          right.delete(name);
        };
        for (const one of steps) {
          if (one.kind !== "take") drop(one.key);
          if (one.kind === "add") {
            endings.add(one.key, one.until);
            right.set(one.key, one.until);
          }
          if (one.kind !== "take") continue;
          const ended = [...right].filter(([, until]) => until <= one.now).map(([name]) => name);
          expect(endings.take(one.now).toSorted()).toEqual(ended.toSorted());
          for (const name of ended) right.delete(name);
        }
      }),
      { numRuns: 500 },
    );
  });
});
