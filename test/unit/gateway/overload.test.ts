import { totalmem } from "node:os";
import { describe, expect, it, vi } from "vitest";
import { MemoryUse, memoryBudget, Overload, readMemory } from "../../../src/gateway/overload.ts";
import { createLog } from "../../../src/telemetry/log.ts";

function watched() {
  const at = { lag: 0, memory: 0.5 };
  const lines: string[] = [];
  const log = createLog({
    destination: { write: (line) => void lines.push((JSON.parse(line) as { msg: string }).msg) },
  });
  const overload = new Overload({ lag: () => at.lag, memory: () => at.memory, stop: () => {} }, log);
  const look = (times = 1): boolean => {
    for (let time = 0; time < times; time++) overload.look();
    return overload.now;
  };
  return { at, lines, overload, look };
}

describe("overload", () => {
  it("is not there at first, nor after a single stall", () => {
    const { at, look } = watched();
    expect(look()).toBe(false);
    at.lag = 5;
    expect(look()).toBe(false);
    at.lag = 0;
    expect(look(10)).toBe(false);
  });

  it("begins where the event loop stays late, and ends only a while after it is not", () => {
    const { at, look, overload, lines } = watched();
    at.lag = 0.1;
    expect(look(2)).toBe(true);
    expect([overload.isShort("lag"), overload.isShort("memory")]).toEqual([true, false]);
    at.lag = 0.06;
    expect(look(20)).toBe(true);
    at.lag = 0.04;
    expect(look(3)).toBe(true);
    at.lag = 0.06;
    expect(look(1)).toBe(true);
    at.lag = 0.04;
    expect(look(3)).toBe(true);
    expect(look(1)).toBe(false);
    expect(lines).toEqual([
      "overloaded: new connections are refused",
      "no longer overloaded: new connections are taken",
    ]);
  });

  it("is looked for twice a second, from the start to the stop", () => {
    vi.useFakeTimers();
    const { at, overload } = watched();
    at.memory = 0.9;
    overload.start();
    vi.advanceTimersByTime(499);
    expect(overload.now).toBe(false);
    vi.advanceTimersByTime(1);
    expect(overload.now).toBe(true);
    overload.stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it("begins at once where memory is short, and ends where much less of it is in use", () => {
    const { at, look, overload, lines } = watched();
    at.memory = 0.8;
    expect(look()).toBe(true);
    expect(overload.isShort("memory")).toBe(true);
    at.memory = 0.75;
    expect(look(20)).toBe(true);
    at.memory = 0.69;
    expect(look(4)).toBe(false);
    expect(lines).toHaveLength(2);
  });

  it("ends when the last of two shortages does", () => {
    const { at, look } = watched();
    Object.assign(at, { lag: 1, memory: 1 });
    expect(look(2)).toBe(true);
    at.lag = 0;
    expect(look(10)).toBe(true);
    at.memory = 0;
    expect(look(4)).toBe(false);
  });

  it("says so once for each change, however long it lasts", () => {
    const { at, look, lines } = watched();
    at.lag = 1;
    look(1000);
    expect(lines).toEqual(["overloaded: new connections are refused"]);
  });
});

describe("the budget of memory", () => {
  const total = 8 * 2 ** 30;
  it.each([
    ["what the config says", 512, { total, constrained: 0 }, 512 * 2 ** 20],
    ["no limit where it says 0", 0, { total, constrained: 2 ** 30 }, 0],
    ["three quarters of the machine", undefined, { total, constrained: 0 }, 6 * 2 ** 30],
    ["three quarters of the cgroup", undefined, { total, constrained: 2 ** 30 }, 0.75 * 2 ** 30],
    [
      "of the machine, where the cgroup may have more than there is",
      undefined,
      { total, constrained: 2 ** 62 },
      6 * 2 ** 30,
    ],
  ])("is %s", (_, megabytes, machine, budget) => expect(memoryBudget(megabytes, machine)).toBe(budget));
});

describe("the part of memory in use", () => {
  const mb = 2 ** 20;
  const first = { resident: 100 * mb, heap: 20 * mb, external: 10 * mb, sockets: 0 };
  const use = () => new MemoryUse(first, 1000 * mb);

  it("is what is known to be in use, above what the process began with", () => {
    expect(use().part(first, 1000 * mb)).toBeCloseTo(0.1);
    expect(use().part({ ...first, heap: 120 * mb, external: 110 * mb }, 1000 * mb)).toBeCloseTo(0.3);
    expect(use().part({ ...first, sockets: 3200 }, 1000 * mb)).toBeCloseTo(0.2);
  });

  it("is resident memory while that grows, and no more when it does not: what was freed is there for what comes", () => {
    const grown = { ...first, resident: 900 * mb };
    const using = use();
    expect(using.part(grown, 1000 * mb)).toBeCloseTo(0.9);
    expect(using.part(grown, 1000 * mb)).toBeCloseTo(0.1);
  });

  it("is that of V8's heap to its limit where that is more, or there is no budget", () => {
    expect(use().part({ ...first, heap: 800 * mb }, 10_000 * mb)).toBeCloseTo(0.8);
    expect(use().part({ ...first, resident: 900 * mb }, 0)).toBeCloseTo(0.02);
  });

  it("of this process is little", () => {
    const now = readMemory(0);
    expect(new MemoryUse(now).part(now, memoryBudget(undefined, { total: totalmem(), constrained: 0 }))).toBeLessThan(
      0.7,
    );
  });
});
