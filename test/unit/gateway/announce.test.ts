import { beforeEach, describe, expect, it } from "vitest";
import { Announcements } from "../../../src/gateway/announce.ts";

let now = 0;
let announcements: Announcements;
beforeEach(() => {
  now = 1_700_000_000_000;
  announcements = new Announcements({ now: () => now });
});
const { POSITIVE_INFINITY: forever } = Number;

describe("Announcements", () => {
  it("give the real port where it is free, else another that nobody has", () => {
    expect(announcements.take("192.0.2.1", 40_000)).toBe(40_000);
    const second = announcements.take("192.0.2.1", 40_000);
    expect(second).not.toBe(40_000);
    expect(second).toBeGreaterThanOrEqual(1024);
    expect(announcements.take("192.0.2.2", 40_000)).toBe(40_000);
  });

  it("give no port of an address twice, up to its last one", () => {
    const seen = new Set<number>();
    for (let i = 0; i < 64_512; i++) {
      const port = announcements.take("192.0.2.1", i % 3 === 0 ? 40_000 : 0)!;
      expect(port).toBeGreaterThanOrEqual(1024);
      expect(port).toBeLessThanOrEqual(65_535);
      seen.add(port);
    }
    expect(seen.size).toBe(64_512);
    expect(announcements.take("192.0.2.1", 0)).toBeUndefined();
    expect(announcements.take("192.0.2.1", 40_000)).toBeUndefined();
    expect(announcements.take("192.0.2.2", 0)).toBeDefined();
    announcements.release("192.0.2.1", 50_000, 0);
    expect(announcements.take("192.0.2.1", 0)).toBe(50_000);
  });

  it("keep the port of a leg that is over as long as its binding may live, sweeps or not", () => {
    announcements.take("192.0.2.1", 40_000);
    announcements.release("192.0.2.1", 40_000, now + 60_000);
    now += 59_999;
    for (let i = 0; i < 3000; i++) announcements.take(`10.0.0.${i % 250}`, 0);
    expect(announcements.take("192.0.2.1", 40_000)).not.toBe(40_000);
    now += 1;
    expect(announcements.take("192.0.2.1", 40_000)).toBe(40_000);
  });

  it("free at once the port of a leg that bound nothing", () => {
    announcements.take("192.0.2.1", 40_000);
    announcements.release("192.0.2.1", 40_000, 0);
    expect(announcements.take("192.0.2.1", 40_000)).toBe(40_000);
  });

  it("keep a live leg's port for ever", () => {
    announcements.take("192.0.2.1", 40_000);
    now += 365 * 86_400_000;
    for (let i = 0; i < 3000; i++) announcements.release("10.0.0.1", announcements.take("10.0.0.1", 0)!, 0);
    expect(announcements.take("192.0.2.1", 40_000)).not.toBe(40_000);
  });

  it("know nothing of a release of what was never taken", () => {
    announcements.release("192.0.2.1", 40_000, forever);
    expect(announcements.take("192.0.2.1", 40_000)).toBe(40_000);
  });
});
