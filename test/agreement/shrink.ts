import type { Arena } from "./arena.ts";
import { differences, disagreement } from "./compare.ts";
import { outcomes } from "./outcome.ts";

const mostRuns = 4_000;

/** The least of a text over which the two still disagree in the same way. */
export async function shrink(arena: Arena, text: string): Promise<string> {
  const [outcome] = await outcomes(arena, [text]);
  const wrong = disagreement(outcome!);
  if (wrong === undefined) return text;
  let least = text;
  let runs = 0;
  for (const pieces of cuts) {
    for (let again = true; again && runs < mostRuns; ) {
      const candidates = pieces(least);
      runs += candidates.length;
      const results = await outcomes(arena, candidates);
      const better = candidates.find((_, at) => disagreement(results[at]!) === wrong);
      again = better !== undefined;
      least = better ?? least;
    }
  }
  return least;
}

/** A text, and what each of the two made of it. */
export async function describe(arena: Arena, text: string): Promise<string> {
  const [outcome] = await outcomes(arena, [text]);
  const lines =
    outcome!.kind === "passed"
      ? differences(outcome!).map((one) => `  ${one.field}: ${shown(one.postern)} | Kamailio: ${shown(one.kamailio)}`)
      : [`  ${outcome!.kind}`];
  return [shown(text), ...lines].join("\n");
}

const shown = (text: string): string => JSON.stringify(text);

/** Each way of leaving something out, the coarser first. */
const cuts: readonly ((text: string) => string[])[] = [
  (text) => without(text.split("\r\n"), 1).map((lines) => lines.join("\r\n")),
  ...[24, 8, 3, 1].map((size) => (text: string) => without([...text], size).map((all) => all.join(""))),
];

function without<T>(all: readonly T[], size: number): T[][] {
  const found: T[][] = [];
  for (let at = 0; at < all.length; at += size) found.push([...all.slice(0, at), ...all.slice(at + size)]);
  return found;
}
