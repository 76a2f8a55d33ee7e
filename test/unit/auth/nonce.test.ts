import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NonceKey, Nonces } from "../../../src/auth/nonce.ts";

const key = new NonceKey(Buffer.alloc(32, 1));

/** One connection's nonces at a clock that a test can set. */
function connection(id = "c1", lifetimeSeconds?: number): { nonces: Nonces; clock: { at: number; now(): number } } {
  const clock = { at: 1_700_000_000_000, now: () => clock.at };
  return { nonces: new Nonces(key, id, clock, lifetimeSeconds), clock };
}

describe("Nonces", () => {
  it("issues no nonce twice, not even within one millisecond or on two connections", () => {
    const issued = ["c1", "c2"].flatMap((id) => {
      const { nonces } = connection(id);
      return Array.from({ length: 500 }, () => nonces.issue());
    });
    expect(new Set(issued).size).toBe(1000);
    for (const nonce of issued) expect(nonce).toMatch(/^[A-Za-z0-9_-]{44}$/);
  });

  it("knows its own, however many it issued and in whatever order they come back", () => {
    const { nonces } = connection();
    const issued = Array.from({ length: 100 }, () => nonces.issue());
    for (const nonce of issued.toReversed()) expect(nonces.check(nonce)).toBe("good");
  });

  it("is good until the last second of its life, 10 by default", () => {
    const { nonces, clock } = connection();
    const nonce = nonces.issue();
    clock.at += 10_999;
    expect(nonces.check(nonce)).toBe("good");
    clock.at += 1;
    expect(nonces.check(nonce)).toBe("stale");
    const long = connection("c1", 300);
    const other = long.nonces.issue();
    long.clock.at += 301_000;
    expect(long.nonces.check(other)).toBe("stale");
  });

  it("is stale when it comes from the future: the clock was set back", () => {
    const { nonces, clock } = connection();
    const nonce = nonces.issue();
    clock.at -= 1000;
    expect(nonces.check(nonce)).toBe("stale");
  });

  it("is stale on another connection and under another key", () => {
    const nonce = connection("c1").nonces.issue();
    expect(connection("c1").nonces.check(nonce)).toBe("good");
    expect(connection("c2").nonces.check(nonce)).toBe("stale");
    const { clock } = connection();
    expect(new Nonces(new NonceKey(Buffer.alloc(32, 2)), "c1", clock).check(nonce)).toBe("stale");
    expect(connection("c2").nonces.use(nonce, 1)).toBe(false);
  });

  it("is stale with any character changed, added or left out", () => {
    const { nonces } = connection();
    const nonce = nonces.issue();
    const bent = [`${nonce}=`, ` ${nonce}`, nonce.slice(1), nonce.slice(0, -1), nonce.toUpperCase(), "", `${nonce}\n`];
    for (let at = 0; at < nonce.length; at++) {
      for (const other of ["0", "a", "A", "_"]) bent.push(nonce.slice(0, at) + other + nonce.slice(at + 1));
    }
    for (const text of bent.filter((text) => text !== nonce)) expect(nonces.check(text)).toBe("stale");
  });

  it("never throws and takes nothing that it did not issue", () => {
    const { nonces } = connection();
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[0-9a-f]{20}[\w-]{24}$/)), (text) => {
        expect(nonces.check(text)).toBe("stale");
        expect(nonces.use(text, 1)).toBe(false);
      }),
    );
  });

  it("takes an nc only when it rises, gaps allowed, each nonce for itself", () => {
    const { nonces } = connection();
    const [first, second] = [nonces.issue(), nonces.issue()];
    const taken = [1, 1, 2, 5, 4, 5, 6].map((nc) => nonces.use(first, nc));
    expect(taken).toEqual([true, false, true, true, false, false, true]);
    expect(nonces.use(second, 1)).toBe(true);
    expect(nonces.use(first, 0xffffffff)).toBe(true);
  });

  it("takes neither 0 nor what is no number as nc", () => {
    const { nonces } = connection();
    const nonce = nonces.issue();
    expect([nonces.use(nonce, 0), nonces.use(nonce, Number.NaN)]).toEqual([false, false]);
  });

  it("does not count an nc down because the clock moved between check and use", () => {
    const { nonces, clock } = connection();
    const nonce = nonces.issue();
    clock.at += 10_999;
    expect(nonces.check(nonce)).toBe("good");
    clock.at += 1;
    expect(nonces.use(nonce, 1)).toBe(true);
  });

  it("remembers 32 used nonces; what is forgotten is stale and can never be used again", () => {
    const { nonces } = connection();
    const issued = Array.from({ length: 40 }, () => nonces.issue());
    for (const nonce of issued) expect(nonces.use(nonce, 1)).toBe(true);
    expect(issued.map((nonce) => nonces.check(nonce))).toEqual([
      ...Array.from({ length: 8 }, () => "stale"),
      ...Array.from({ length: 32 }, () => "good"),
    ]);
    expect(issued.map((nonce) => nonces.use(nonce, 1)).some(Boolean)).toBe(false);
    expect(issued.slice(0, 8).some((nonce) => nonces.use(nonce, 2))).toBe(false);
    expect(nonces.check(nonces.issue())).toBe("good");
  });

  it("lets no answer through twice, in whatever order nonces and counts are used", () => {
    const step = fc.tuple(fc.nat(99), fc.integer({ min: 1, max: 3 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const { nonces } = connection();
        const issued = Array.from({ length: 100 }, () => nonces.issue());
        const taken = new Set<string>();
        for (const [index, nc] of steps) {
          if (!nonces.use(issued[index]!, nc)) continue;
          expect(taken.has(`${index} ${nc}`)).toBe(false);
          taken.add(`${index} ${nc}`);
        }
      }),
    );
  });
});

describe("NonceKey", () => {
  it("takes 32 bytes and no others", () => {
    expect(() => new NonceKey(Buffer.alloc(31))).toThrow(RangeError);
    expect(() => new NonceKey(Buffer.alloc(0))).toThrow(RangeError);
  });
});
