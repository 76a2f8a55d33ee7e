import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeCorpus } from "../helpers/corpora.ts";
import { Arena } from "./arena.ts";
import { readCases } from "./cases.ts";
import { disagreement } from "./compare.ts";
import { outcomes } from "./outcome.ts";
import { search } from "./search.ts";
import { folders, readSeeds } from "./seeds.ts";
import { describe as described, shrink } from "./shrink.ts";

const seed = 5;
const count = 20_000;
const seeds = readSeeds();

let arena: Arena;
beforeAll(async () => {
  arena = await Arena.open();
});
afterAll(() => arena.close());

describe("what Postern lets through is read the same by Kamailio, with our trust headers alone", () => {
  it(`in ${count} messages, of which 30 % pass at least`, { timeout: 240_000 }, async () => {
    const tally = await search(arena, seed, count, seeds);
    process.stderr.write(`parser agreement, seed ${seed}: ${tally.line}\n`);
    const least: string[] = [];
    for (const { what, text } of tally.examples(5)) {
      least.push(`${what}: ${await described(arena, await shrink(arena, text))}`);
    }
    expect(least.join("\n")).toBe("");
    expect(tally.sent).toBe(count);
    expect(tally.compared).toBeGreaterThanOrEqual(0.3 * count);
  });

  const cases = readCases();

  it.each(cases)("in $file: $why", async ({ text, becomes }) => {
    const [outcome] = await outcomes(arena, [text]);
    expect(disagreement(outcome!)).toBeUndefined();
    expect(outcome!.kind === "refused" ? outcome!.code : "agrees").toBe(becomes);
  });

  it("in as many cases that pass as are refused, or nearly", () => {
    const agreeing = cases.filter(({ becomes }) => becomes === "agrees").length;
    expect(agreeing).toBeGreaterThanOrEqual(0.3 * cases.length);
  });
});

for (const { name, messages } of folders) {
  describeCorpus(name, messages, () => {
    it("is among the seeds", () => expect(seeds.from.get(name)).toBe(messages));
  });
}
