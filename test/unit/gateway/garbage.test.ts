import { execFileSync } from "node:child_process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, it, vi } from "vitest";
import { growthFor, leaveRoomForGarbage } from "../../../src/gateway/garbage.ts";

const megabyte = 2 ** 20;

describe("room for garbage", () => {
  it("is a quarter of what the budget has left, and 256 MB at most", () => {
    expect(growthFor(64 * megabyte, 512 * megabyte)).toBe(175);
    expect(growthFor(256 * megabyte, 512 * megabyte)).toBe(25);
    expect(growthFor(500 * megabyte, 512 * megabyte)).toBe(10);
    expect(growthFor(256 * megabyte, 8192 * megabyte)).toBe(100);
    expect(growthFor(256 * megabyte, 0)).toBe(100);
  });

  it("is three times what lives where that is little, and a tenth where it is much", () => {
    expect(growthFor(10 * megabyte, 8192 * megabyte)).toBe(300);
    expect(growthFor(4096 * megabyte, 8192 * megabyte)).toBe(10);
  });

  describe("as it is kept", () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    let room: { stop(): void } | undefined;
    afterEach(() => room?.stop());

    it("follows what lives and what the budget is, at the next collection", async () => {
      let budget = 512 * megabyte;
      const set: string[] = [];
      room = leaveRoomForGarbage(
        () => budget,
        (flag) => void set.push(flag),
      );
      const growth = (): number => Number(/^--heap-growing-percent=(\d+)$/.exec(set.at(-1) ?? "")?.[1]);
      const atFirst = growth();
      expect(set).toContain("--no-concurrent-marking");
      const living = Array.from({ length: 256 }, () => new Array<number>(2 ** 17).fill(0));
      collect();
      await vi.waitFor(() => expect(growth()).toBeLessThan(0.8 * atFirst), { timeout: 10_000 });
      expect(living).toHaveLength(256);
      const ofMany = growth();
      budget = 8192 * megabyte;
      collect();
      await vi.waitFor(() => expect(growth()).toBeGreaterThan(1.5 * ofMany), { timeout: 10_000 });
    });

    it("is by flags that V8 knows", () => {
      const known = execFileSync(process.execPath, ["--v8-options"], { encoding: "utf8" });
      for (const flag of ["--heap-growing-percent (", "--concurrent-marking ("]) expect(known).toContain(flag);
    });
  });
});
