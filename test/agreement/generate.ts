import fc from "fast-check";
import { message } from "./grammar.ts";
import { mutated } from "./mutate.ts";
import type { Seeds } from "./seeds.ts";

/** So many at a time, lest nothing else has its turn meanwhile. */
const chunk = 2_000;

/** A longer one ends the connection, however it reads. */
const longest = 60_000;

/** The messages of one seed in chunks: the same seed, number and corpora give the same ones. */
export function* generate(seed: number, count: number, { texts }: Seeds): Generator<string[]> {
  const real = texts.length > 0 ? fc.constantFrom(...texts) : message;
  const start = fc.oneof({ weight: 2, arbitrary: message }, { weight: 3, arbitrary: real });
  const all = fc.noBias(
    fc.oneof(
      { weight: 4, arbitrary: message },
      { weight: 4, arbitrary: mutated(start) },
      { weight: 1, arbitrary: real },
    ),
  );
  for (let done = 0; done < count; done += chunk) {
    const numRuns = Math.min(chunk, count - done);
    const sample = fc.sample(all, { numRuns, seed: (Math.imul(seed, 0x9e3779b1) + done) | 0 });
    yield sample.map((text, at) => text.replaceAll("SLOT-NR", `${seed}-${done + at}`).slice(0, longest));
  }
}
