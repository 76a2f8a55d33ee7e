import { describe, expect, it } from "vitest";
import { delayImpairment, estimate, mosOf, ratingOf } from "../../../src/quality/mos.ts";

describe("a mean opinion score", () => {
  // ITU-T G.107 Table B.1, lower limits; it rounds 4.024 up.
  it.each([
    [93.2, 4.41],
    [90, 4.34],
    [80, 4.03],
    [70, 3.6],
    [60, 3.1],
    [50, 2.58],
    [100, 4.5],
    [120, 4.5],
    [0, 1],
    [-5, 1],
    [3, 1],
  ])("of the rating %d is %d", (rating, mos) => {
    expect(Math.abs(mosOf(rating) - mos)).toBeLessThan(0.0075);
  });

  it("rises with the rating, and never leaves 1 to 4.5", () => {
    const all = Array.from({ length: 1_001 }, (_, at) => mosOf(at / 10));
    expect(all.every((one, at) => one >= 1 && one <= 4.5 && one >= (all[at - 1] ?? 1))).toBe(true);
  });
});

describe("a delay", () => {
  // Worked out by hand from the formula of clause 7.4.
  it.each([
    [0, 0],
    [100, 0],
    [150, 0.16],
    [300, 14.76],
    [400, 24.07],
  ])("of %d ms costs %d", (milliseconds, impairment) => {
    expect(delayImpairment(milliseconds)).toBeCloseTo(impairment, 1);
  });
});

describe("a rating", () => {
  it("is the model's default where nothing is wrong", () => {
    expect(ratingOf({ loss: 0 })).toBe(93.2);
    expect(estimate({ loss: 0 })).toBeCloseTo(4.41, 2);
  });

  // Ie,eff = Ie + (95 − Ie) · Ppl / (Ppl + Bpl), as of G.113: 95 · 5 / 30.1, 95 · 1 / 26.1, 11 + 84 · 2 / 21.
  it.each([
    ["PCMU", 0.05, 93.2 - 15.78],
    ["pcma", 0.01, 93.2 - 3.64],
    ["opus", 0.01, 93.2 - 3.64],
    ["G729", 0, 93.2 - 11],
    ["G729", 0.02, 93.2 - 19],
    [undefined, 0.05, 93.2 - 15.78],
  ])("of %s with a loss of %d is %d", (codec, loss, rating) => {
    expect(ratingOf({ codec, loss })).toBeCloseTo(rating, 1);
  });

  it("counts half of the round trip, what waits to be played, and frames as delay", () => {
    const oneWay = (milliseconds: number): number => 93.2 - delayImpairment(milliseconds);
    expect(ratingOf({ loss: 0, roundTripTime: 0.4 })).toBeCloseTo(oneWay(220), 6);
    expect(ratingOf({ loss: 0, roundTripTime: 0.4, jitter: 0.03 })).toBeCloseTo(oneWay(280), 6);
    expect(ratingOf({ loss: 0, roundTripTime: 0.4, jitter: 0.03, bufferDelay: 0.1 })).toBeCloseTo(oneWay(320), 6);
    expect(ratingOf({ loss: 0, roundTripTime: 0.4, codec: "opus" })).toBeCloseTo(oneWay(226.5), 6);
  });

  it("is never below nothing", () => {
    expect(ratingOf({ loss: 1, roundTripTime: 1e9, jitter: 1e9 })).toBe(0);
    expect(estimate({ loss: 7 })).toBeGreaterThanOrEqual(1);
  });
});
