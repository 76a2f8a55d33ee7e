/** `npm run fuzz [-- COUNT SEED]`: messages through Postern into Kamailio. Exit 1 where the two read one differently. */
import { Arena } from "./arena.ts";
import { writeCase } from "./cases.ts";
import { search, Tally } from "./search.ts";
import { readSeeds, type Seeds } from "./seeds.ts";
import { describe, shrink } from "./shrink.ts";

/** Messages of one seed, and of one Kamailio. */
const batch = 20_000;
/** In one batch. */
const mostShrunk = 5;

const [count, seed] = [Number(process.argv[2] ?? 1_000_000), Number(process.argv[3] ?? 1)];
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(seed)) {
  console.error("usage: npm run fuzz -- [COUNT [SEED]], both whole numbers");
  process.exit(2);
}

async function one(seed: number, count: number, seeds: Seeds): Promise<Tally> {
  const arena = await Arena.open();
  try {
    const tally = await search(arena, seed, count, seeds);
    for (const { what, text } of tally.examples(mostShrunk)) await report(arena, what, text);
    return tally;
  } finally {
    await arena.close();
  }
}

async function report(arena: Arena, what: string, text: string): Promise<void> {
  const least = await shrink(arena, text);
  console.log(`${what}: ${writeCase(least)}\n${await describe(arena, least)}`);
}

// Else Kamailio would outlive it.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
const seeds = readSeeds();
for (const name of seeds.absent)
  console.error(`corpus ${name} is absent (POSTERN_CORPORA names the folder it lies in)`);
const started = performance.now();
const all = new Tally();
for (let at = 0; all.sent < count; at++) {
  all.add(await one(seed + at, Math.min(batch, count - all.sent), seeds));
  const seconds = (performance.now() - started) / 1000;
  const rate = Math.round(all.sent / seconds);
  console.log(
    `${all.sent} of ${count}, ${all.compared} compared, ${all.disagreeing} disagreements, ${rate}/s, seed ${seed + at}`,
  );
}
console.log(`seeds ${seed} to ${seed + Math.ceil(count / batch) - 1}: ${all.line}`);
process.exitCode = all.disagreeing === 0 ? 0 : 1;
