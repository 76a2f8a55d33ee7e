import type { Arena } from "./arena.ts";
import { disagreement } from "./compare.ts";
import { generate } from "./generate.ts";
import { outcomes } from "./outcome.ts";
import type { Seeds } from "./seeds.ts";

/** What became of many messages. */
export class Tally {
  sent = 0;
  /** Passed, and was compared. */
  compared = 0;
  readonly refused = new Map<string, number>();
  /** The number of the first message over which the two disagree. */
  firstWrong: number | undefined;
  /** Messages over which the two disagree, by what they disagree in. */
  readonly disagreements = new Map<string, string[]>();

  get disagreeing(): number {
    return [...this.disagreements.values()].reduce((sum, texts) => sum + texts.length, 0);
  }

  /** `20000 messages: 8136 passed and were compared (40.7 %), 11864 refused (…), 0 disagreements`. */
  get line(): string {
    const refused = [...this.refused].sort(([, one], [, other]) => other - one);
    const total = refused.reduce((sum, [, count]) => sum + count, 0);
    const share = ((100 * this.compared) / Math.max(1, this.sent)).toFixed(1);
    const codes = refused.map(([code, count]) => `${code} ${count}`).join(", ");
    const compared = `${this.compared} passed and were compared (${share} %)`;
    const first = this.firstWrong === undefined ? "" : `, the first at message ${this.firstWrong}`;
    return `${this.sent} messages: ${compared}, ${total} refused (${codes}), ${this.disagreeing} disagreements${first}`;
  }

  /** Of as many kinds of disagreement as there are, the first of each. */
  examples(most: number): { readonly what: string; readonly text: string }[] {
    return [...this.disagreements].slice(0, most).map(([what, [text = ""]]) => ({ what, text }));
  }

  add(other: Tally): void {
    if (other.firstWrong !== undefined) this.firstWrong ??= this.sent + other.firstWrong;
    this.sent += other.sent;
    this.compared += other.compared;
    for (const [code, count] of other.refused) this.refused.set(code, (this.refused.get(code) ?? 0) + count);
    for (const [what, texts] of other.disagreements) {
      this.disagreements.set(what, [...(this.disagreements.get(what) ?? []), ...texts]);
    }
  }
}

/** The messages of one seed through the gateway into Kamailio. */
export async function search(arena: Arena, seed: number, count: number, seeds: Seeds): Promise<Tally> {
  const tally = new Tally();
  for (const texts of generate(seed, count, seeds)) {
    for (const [at, outcome] of (await outcomes(arena, texts)).entries()) {
      tally.sent++;
      if (outcome.kind === "passed") tally.compared++;
      if (outcome.kind === "refused") tally.refused.set(outcome.code, (tally.refused.get(outcome.code) ?? 0) + 1);
      const what = disagreement(outcome);
      if (what === undefined) continue;
      tally.firstWrong ??= tally.sent;
      tally.disagreements.set(what, [...(tally.disagreements.get(what) ?? []), texts[at]!]);
    }
  }
  return tally;
}
