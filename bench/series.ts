import type { Peer } from "./peers.ts";
import { type Figures, takeTurn, type Work } from "./turn.ts";

export interface Entrant {
  readonly peer: Peer;
  readonly work: Work;
  /** Processes whose CPU is counted apart, as Kamailio's is. */
  readonly behind: () => readonly number[];
}

export interface Row extends Figures {
  readonly name: string;
  readonly clients: number;
  /** All CPU to that of the first entrant in the same turn: the median, the least and the most of the turns. */
  readonly ratio: number;
  readonly least: number;
  readonly most: number;
  readonly turns: readonly Figures[];
}

/** Entrants take turns, A B C A B C …, so that what else the machine does falls on all of them. The first round warms up. */
export async function runSeries(entrants: readonly Entrant[], turns: number): Promise<Row[]> {
  const taken: Figures[][] = entrants.map(() => []);
  for (let round = 0; round <= turns; round++) {
    for (const [at, { peer, work, behind }] of entrants.entries()) {
      const figures = await takeTurn(peer, work, behind);
      if (round > 0) taken[at]!.push(figures);
    }
  }
  return entrants.map(({ peer, work }, at) => rowOf(peer.name, work.clients, taken[at]!, taken[0]!));
}

function rowOf(name: string, clients: number, turns: readonly Figures[], first: readonly Figures[]): Row {
  const of = (key: keyof Figures): number => median(turns.map((figures) => figures[key]));
  const all = ({ cpu, behind }: Figures): number => cpu + behind;
  const ratios = turns.map((figures, at) => all(figures) / all(first[at]!));
  return {
    name,
    clients,
    cpu: of("cpu"),
    behind: of("behind"),
    perSecond: of("perSecond"),
    p50: of("p50"),
    p99: of("p99"),
    ratio: median(ratios),
    least: Math.min(...ratios),
    most: Math.max(...ratios),
    turns,
  };
}

export function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[values.length >> 1] ?? Number.NaN;
}
