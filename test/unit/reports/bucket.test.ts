import { describe, expect, it } from "vitest";
import { Bucket } from "../../../src/reports/bucket.ts";

const rate = { burst: 10, perMinute: 60 };

describe("what is left of a rate", () => {
  it("is refilled evenly, and never holds more than may come at once", () => {
    const bucket = new Bucket(rate, 0);
    bucket.take(10, rate, 0);
    expect([bucket.wait(1, rate, 0), bucket.wait(1, rate, 500), bucket.wait(1, rate, 1_000)]).toEqual([1000, 500, 0]);
    expect([bucket.wait(10, rate, 3_600_000), bucket.wait(11, rate, 3_600_000)]).toEqual([0, 1000]);
  });

  it("is neither more nor less for a clock that was set back", () => {
    const bucket = new Bucket(rate, 10_000);
    bucket.take(5, rate, 10_000);
    expect(bucket.wait(5, rate, 0)).toBe(0);
    expect(bucket.wait(6, rate, 10_000)).toBe(1000);
    expect(bucket.wait(6, rate, 11_000)).toBe(0);
  });
});
