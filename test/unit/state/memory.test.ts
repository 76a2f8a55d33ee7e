import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { LRUCache } from "lru-cache";
import NodeCache from "node-cache";
import { describe, expect, it, vi } from "vitest";
import { defaultSizes, MemoryState } from "../../../src/state/memory.ts";

describe("MemoryState", () => {
  it("answers at once: the data path waits for nothing", () => {
    const state = new MemoryState({ now: () => 0 });
    expect(state.claim("jti", "k", "h", 1000)).toEqual({ kind: "held", holder: "h", since: 0 });
    expect(state.get("jti", "k")).toBe("h");
    expect(state.add("failures", "k", 1000)).toBe(1);
  });

  it("ends entries by the injected clock, whatever the machine's says", () => {
    vi.useFakeTimers({ now: 0 });
    try {
      let now = 0;
      const state = new MemoryState({ now: () => now });
      state.put("jti", "k", "v", 1000);
      vi.advanceTimersByTime(24 * 3_600_000);
      expect(state.get("jti", "k")).toBe("v");
      now = 1000;
      expect(state.get("jti", "k")).toBeUndefined();
    } finally {
      vi.useRealTimers();
    }
  });

  it("forgets bans and failures, and nothing that was used, where the clock was put back by more than a minute", () => {
    const day = 86_400_000;
    let now = 10 * day;
    const state = new MemoryState({ now: () => now });
    state.put("bans", "k", "60", now + 60_000);
    for (let time = 0; time < 3; time++) state.add("failures", "k", now + 60_000);
    state.claim("jti", "k", "first", now + 300_000);
    now -= 60_000;
    expect([state.get("bans", "k"), state.add("failures", "k", now + 60_000)]).toEqual(["60", 4]);
    now -= day;
    expect(state.get("bans", "k")).toBeUndefined();
    expect(state.add("failures", "k", now + 60_000)).toBe(1);
    expect(state.claim("jti", "k", "second", now + 300_000)).toMatchObject({ holder: "first" });
  });

  it("keeps no more of a key than its hash, however much a stranger claims", () => {
    const kept = [vi.spyOn(LRUCache.prototype, "set"), vi.spyOn(NodeCache.prototype, "set")];
    const state = new MemoryState({ now: () => 0 });
    for (const space of Object.keys(defaultSizes) as (keyof typeof defaultSizes)[]) {
      state.put(space, "x".repeat(128), "v", 1000);
      state.put(space, "x".repeat(129), "v", 1000);
    }
    const lengths = kept.flatMap(({ mock }) => mock.calls.map(([key]) => String(key).length));
    expect(lengths).toEqual(Array.from({ length: 6 }, () => [129, 44]).flat());
    for (const spy of kept) spy.mockRestore();
  });

  it("does not count on what is no count", () => {
    const state = new MemoryState({ now: () => 0 });
    state.put("calls", "k", "text", 1000);
    expect(() => state.add("calls", "k", 1000)).toThrow("what stands in calls is no count");
  });

  it("holds 100,000 used tokens, and takes the next for each that ends, quickly", () => {
    let now = 0;
    const state = new MemoryState({ now: () => now });
    for (let i = 0; i < defaultSizes.jti; i++) state.claim("jti", `k${i}`, "h", 3_600_000 + i);
    const began = performance.now();
    for (let i = 0; i < 1000; i++) expect(state.claim("jti", `none ${i}`, "h", 7_200_000).kind).toBe("full");
    now = 3_599_999;
    for (let i = 0; i < 1000; i++) {
      now++;
      expect(state.claim("jti", `new ${i}`, "h", 7_200_000).kind).toBe("held");
      expect(state.claim("jti", `none ${i}`, "h", 7_200_000).kind).toBe("full");
    }
    expect(performance.now() - began).toBeLessThan(2000);
  });

  it("keeps no process alive", () => {
    const memory = fileURLToPath(new URL("../../../src/state/memory.ts", import.meta.url));
    const script = `import { MemoryState } from ${JSON.stringify(memory)};
      const state = new MemoryState({ now: () => Date.now() });
      state.put("jti", "k", "v", Date.now() + 3_600_000); state.put("bans", "k", "v", Date.now() + 3_600_000);`;
    execFileSync(process.execPath, ["--input-type=module", "-e", script], { timeout: 8000 });
  });
});
