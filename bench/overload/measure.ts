import { median } from "../series.ts";
import { residentBytes } from "../usage.ts";
import { ask, type Child, endChild, forkChild } from "./children.ts";
import type { GoodFigures } from "./good.ts";
import { type FloodKind, floods, type OverloadPlan } from "./plan.ts";

export interface FloodTurn {
  readonly quiet: GoodFigures;
  readonly flooded: GoodFigures;
  /** Messages or connections of the flood, a second. */
  readonly perSecond: number;
  /** Bytes: the most that the gateway had while it was flooded. */
  readonly resident: number;
}

export interface FloodRow {
  readonly kind: FloodKind;
  readonly name: string;
  readonly perSecond: number;
  readonly resident: number;
  /** Medians over the turns. */
  readonly quiet: { readonly p50: number; readonly p99: number };
  readonly flooded: { readonly p50: number; readonly p99: number };
  /** p99 with the flood to p99 without it just before: the median, the least and the most of the turns. */
  readonly ratio: number;
  readonly least: number;
  readonly most: number;
  /** Good users' under the flood, over all turns. */
  readonly requests: number;
  readonly refused: number;
  readonly turns: readonly FloodTurn[];
}

export interface Hall {
  readonly gateway: Child;
  readonly good: Child;
  readonly upstream: Child;
  /** Where floods run. */
  readonly core: number | undefined;
}

/**
 * The kernel lets good users wait whole ticks while more threads of the flood wake up on their core, however far behind them those
 * stand (seen with EEVDF of Linux 6.18), and the wait would be counted to the gateway.
 */
const oneThread = ["--single-threaded", "--max-semi-space-size=64"];

const pause = (seconds: number): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

export async function measureFlood(kind: FloodKind, hall: Hall, plan: OverloadPlan): Promise<FloodRow> {
  const turns: FloodTurn[] = [];
  for (let turn = 0; turn < plan.turns; turn++) turns.push(await takeTurn(kind, hall, plan));
  return rowOf(kind, turns);
}

/** Quiet, then flooded, so that what else the machine does falls on both. */
async function takeTurn(kind: FloodKind, { gateway, good, core }: Hall, plan: OverloadPlan): Promise<FloodTurn> {
  const measured = { seconds: plan.seconds };
  const quiet = await ask<GoodFigures>(good, measured);
  const args = [kind, String(gateway.port), String(plan.addresses), String(plan.sockets)];
  const flood = await forkChild("flood.ts", args, { core, idle: true, execArgv: oneThread });
  await pause(plan.ramp);
  let resident = 0;
  const look = setInterval(() => {
    resident = Math.max(resident, residentBytes([gateway.pid]));
  }, 50);
  const [before, began] = [await ask<{ sent: number }>(flood, {}), performance.now()];
  const flooded = await ask<GoodFigures>(good, measured);
  const after = await ask<{ sent: number }>(flood, {});
  const perSecond = (after.sent - before.sent) / ((performance.now() - began) / 1000);
  clearInterval(look);
  await endChild(flood);
  await pause(plan.ramp);
  return { quiet, flooded, perSecond, resident };
}

function rowOf(kind: FloodKind, turns: readonly FloodTurn[]): FloodRow {
  const of = (figure: (turn: FloodTurn) => number): number => median(turns.map(figure));
  const sum = (figure: (turn: FloodTurn) => number): number => turns.reduce((total, turn) => total + figure(turn), 0);
  const ratios = turns.map(({ quiet, flooded }) => flooded.p99 / quiet.p99);
  return {
    kind,
    name: floods[kind],
    perSecond: of((turn) => turn.perSecond),
    resident: Math.max(...turns.map(({ resident }) => resident)),
    quiet: { p50: of(({ quiet }) => quiet.p50), p99: of(({ quiet }) => quiet.p99) },
    flooded: { p50: of(({ flooded }) => flooded.p50), p99: of(({ flooded }) => flooded.p99) },
    ratio: median(ratios),
    least: Math.min(...ratios),
    most: Math.max(...ratios),
    requests: sum(({ flooded }) => flooded.requests),
    refused: sum(({ flooded }) => flooded.refused),
    turns,
  };
}
