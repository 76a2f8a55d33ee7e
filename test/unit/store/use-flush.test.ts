import { Writable } from "node:stream";
import { describe, expect, it, vi } from "vitest";
import { type Use, UseCounts } from "../../../src/core/uses.ts";
import { UseFlush } from "../../../src/store/use-flush.ts";
import { createLog } from "../../../src/telemetry/log.ts";

function scene(isThere: (use: Use) => boolean = () => true) {
  const clock = { time: 1_000, now: () => clock.time };
  const counts = new UseCounts(clock);
  const written: (readonly Use[])[] = [];
  const store = { works: true };
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const log = createLog({ destination });
  const uses = {
    add: async (some: readonly Use[]) => {
      if (!store.works) throw new Error("the store is gone");
      written.push(some);
    },
    of: async () => [],
  };
  return { clock, counts, written, store, lines, flush: new UseFlush({ counts, uses: () => uses, isThere, log }) };
}

const use = (id: string, count: number, last: number): Use => ({ customer: "acme", kind: "secret", id, count, last });

describe("uses of secrets", () => {
  it("brings all counts since the last time, each once, and asks nothing where there are none", async () => {
    const { clock, counts, written, flush } = scene();
    counts.note("acme", "secret", "k1");
    clock.time = 2_000;
    counts.note("acme", "secret", "k1");
    counts.note("acme", "key", "k1");
    expect(counts.of("acme")).toHaveLength(2);
    await flush.flush();
    await flush.flush();
    expect(written).toEqual([[use("k1", 2, 2_000), { ...use("k1", 1, 2_000), kind: "key" }]]);
    expect(counts.of("acme")).toEqual([]);
  });

  it("goes to the store every five seconds by itself, and at the end", async () => {
    vi.useFakeTimers();
    const { counts, written, flush } = scene();
    flush.start();
    counts.note("acme", "secret", "k1");
    await vi.advanceTimersByTimeAsync(4_999);
    expect(written).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(written).toHaveLength(1);
    counts.note("acme", "secret", "k1");
    await flush.close();
    expect([written.length, vi.getTimerCount()]).toEqual([2, 0]);
    vi.useRealTimers();
  });

  it("keeps what cannot be written, and adds to it", async () => {
    const { clock, counts, written, store, lines, flush } = scene();
    store.works = false;
    counts.note("acme", "secret", "k1");
    await flush.flush();
    await flush.flush();
    expect(lines).toHaveLength(1);
    clock.time = 3_000;
    counts.note("acme", "secret", "k1");
    store.works = true;
    await flush.close();
    expect(written).toEqual([[use("k1", 2, 3_000)]]);
  });

  it("forgets what was taken away meanwhile", async () => {
    const { counts, written, flush } = scene(({ id }) => id !== "k1");
    counts.note("acme", "secret", "k1");
    counts.note("acme", "secret", "k2");
    await flush.flush();
    expect(written).toEqual([[use("k2", 1, 1_000)]]);
  });
});
