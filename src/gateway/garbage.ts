import { constants, type PerformanceEntry, PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";

/** Bytes that V8's old generation may hold in vain, where the budget of memory has four times as much left. */
const mostRoom = 256 * 2 ** 20;
/** Percent of what lives: where that is little, more is no use. */
const mostGrowth = 300;
const leastGrowth = 10;

/**
 * What lives is marked in steps of a millisecond between turns of the event loop. By itself V8 has another thread do that,
 * and the loop turns round and round meanwhile: where both have one core they keep each other, and everybody, waiting.
 */
const marking = "--no-concurrent-marking";

/**
 * Percent by which V8's old generation may grow before it is collected. By itself V8 lets it grow by as little as a tenth
 * where collecting costs little of the whole: under a flood of large messages, which count as its own, that is three times
 * a second, and each keeps everybody waiting. lives: bytes after a collection; budget: bytes of memory, 0 for no limit.
 */
export function growthFor(lives: number, budget: number): number {
  const room = budget === 0 ? mostRoom : Math.min(mostRoom, (budget - lives) / 4);
  return Math.max(leastGrowth, Math.min(mostGrowth, Math.round((100 * room) / lives)));
}

/** Sets how V8 collects what lived long; and keeps that growth at what the budget has room for, whatever comes to live, until stop(). */
export function leaveRoomForGarbage(budget: () => number, set = setFlagsFromString): { stop(): void } {
  let [lives, growth] = [getHeapStatistics().used_heap_size, 0];
  const suit = (): void => {
    const suited = growthFor(lives, budget());
    if (Math.abs(suited - growth) <= growth / 5) return;
    growth = suited;
    set(`--heap-growing-percent=${growth}`);
  };
  set(marking);
  suit();
  const observer = new PerformanceObserver((list) => {
    if (!list.getEntries().some(isMajor)) return;
    lives = getHeapStatistics().used_heap_size;
    suit();
  });
  observer.observe({ entryTypes: ["gc"] });
  return { stop: () => observer.disconnect() };
}

const isMajor = ({ detail }: PerformanceEntry & { readonly detail?: unknown }): boolean =>
  (detail as { readonly kind?: number } | undefined)?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
