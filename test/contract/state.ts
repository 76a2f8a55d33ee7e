import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Space, State } from "../../src/state/port.ts";

/** A backend under test, empty. */
export interface Opened {
  readonly state: State;
  /** Milliseconds since the epoch, as this backend counts them. */
  now(): number;
  /** As if so many milliseconds had passed. */
  forward(ms: number): void | Promise<void>;
}

const refusing: readonly Space[] = ["jti", "management", "calls", "replies"];
const forgetting: readonly Space[] = ["failures", "bans"];
const spaces = [...refusing, ...forgetting];

/**
 * What every backend does. open: a new one each time. size: how many entries each space has room for, where the backend
 * counts them; the tests fill it.
 */
export function describeState(name: string, open: () => Promise<Opened>, size?: number): void {
  describe(`state in ${name}`, () => {
    let opened: Opened;
    let state: State;
    const later = (ms: number): number => opened.now() + ms;

    beforeEach(async () => {
      opened = await open();
      state = opened.state;
    });
    afterEach(() => state.close());

    describe.each(spaces)("%s", (space) => {
      it("has what was put until its millisecond", async () => {
        expect(await state.get(space, "k")).toBeUndefined();
        expect(await state.put(space, "k", "v", later(1500))).toBe(true);
        expect(await state.get(space, "k")).toBe("v");
        await opened.forward(1499);
        expect(await state.get(space, "k")).toBe("v");
        await opened.forward(1);
        expect(await state.get(space, "k")).toBeUndefined();
      });

      it("has the newer value, and its end, of two that were put", async () => {
        await state.put(space, "k", "old", later(5000));
        await state.put(space, "k", "new", later(1000));
        expect(await state.get(space, "k")).toBe("new");
        await opened.forward(1000);
        expect(await state.get(space, "k")).toBeUndefined();
      });

      it("keeps nothing that has ended already, and drops what stood there", async () => {
        await state.put(space, "k", "v", later(1000));
        expect(await state.put(space, "k", "ended", later(0))).toBe(true);
        expect(await state.get(space, "k")).toBeUndefined();
      });

      it("gives a key to one holder, with the time since when, until it ends", async () => {
        const began = opened.now();
        expect(await state.claim(space, "k", "one", later(1000))).toEqual({
          kind: "held",
          holder: "one",
          since: began,
        });
        await opened.forward(999);
        const second = await state.claim(space, "k", "two", later(1000));
        expect(second).toEqual({ kind: "held", holder: "one", since: began });
        await opened.forward(1);
        const third = await state.claim(space, "k", "two", later(1000));
        expect(third).toEqual({ kind: "held", holder: "two", since: began + 1000 });
      });

      it("does not hold a key longer because its holder asks again", async () => {
        await state.claim(space, "k", "one", later(1000));
        await opened.forward(600);
        await state.claim(space, "k", "one", later(1000));
        await opened.forward(400);
        expect(await state.get(space, "k")).toBeUndefined();
      });

      it("gives a key to one of many that ask at once", async () => {
        const until = later(1000);
        const asked = Array.from({ length: 50 }, async (_, index) => state.claim(space, "k", `h${index}`, until));
        const holders = (await Promise.all(asked)).map((claim) => (claim.kind === "held" ? claim.holder : claim.kind));
        expect(new Set(holders).size).toBe(1);
        expect(holders[0]).toBe(await state.get(space, "k"));
      });

      it("counts within the window that the first opened", async () => {
        expect(await state.add(space, "k", later(1000))).toBe(1);
        await opened.forward(600);
        expect(await state.add(space, "k", later(1000))).toBe(2);
        await opened.forward(399);
        expect(await state.add(space, "k", later(1000))).toBe(3);
        await opened.forward(1);
        expect(await state.add(space, "k", later(1000))).toBe(1);
      });

      it("loses no count of many at once", async () => {
        const until = later(1000);
        const counts = await Promise.all(Array.from({ length: 50 }, async () => state.add(space, "k", until)));
        expect(counts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
      });

      it("forgets a key when told, and that alone", async () => {
        await state.put(space, "k", "v", later(1000));
        await state.put(space, "other", "v", later(1000));
        await state.forget(space, "k");
        await state.forget(space, "never there");
        expect(await state.get(space, "k")).toBeUndefined();
        expect(await state.get(space, "other")).toBe("v");
        expect(await state.claim(space, "k", "next", later(1000))).toMatchObject({ holder: "next" });
      });

      it("tells every two keys apart, whatever their length and letters", async () => {
        const long = "x".repeat(100_000);
        const keys = ["", " ", "k", "K", "k ", "__proto__", "constructor", "1", "01", "ü", "u\u0308", "a\0b", "a\nb"];
        const all = [...keys, long, `${long}y`, `${long}z`];
        for (const key of all)
          expect(await state.claim(space, key, `of ${key}`, later(1000))).toMatchObject({ kind: "held" });
        for (const key of all) expect(await state.get(space, key)).toBe(`of ${key}`);
        for (const key of all) {
          await state.forget(space, key);
          expect(await state.get(space, key)).toBeUndefined();
        }
      });
    });

    it("keeps the spaces apart", async () => {
      for (const space of spaces) await state.put(space, "k", space, later(1000));
      for (const space of spaces) expect(await state.get(space, "k")).toBe(space);
      await state.forget("jti", "k");
      expect(await state.get("management", "k")).toBe("management");
    });

    if (size !== undefined) describeBounds(size, () => opened);
  });
}

function describeBounds(size: number, opened: () => Opened): void {
  const later = (ms: number): number => opened().now() + ms;
  const fill = async (space: Space, ms = 1000): Promise<void> => {
    for (let i = 0; i < size; i++) await opened().state.put(space, `k${i}`, "v", later(ms));
  };

  describe.each(refusing)("%s, full,", (space) => {
    it("refuses what is new and loses nothing that it has", async () => {
      const { state } = opened();
      await fill(space);
      expect(await state.claim(space, "new", "h", later(1000))).toEqual({ kind: "full" });
      expect(await state.put(space, "new", "v", later(1000))).toBe(false);
      expect(await state.add(space, "new", later(1000))).toBe(Number.POSITIVE_INFINITY);
      expect(await state.get(space, "new")).toBeUndefined();
      for (let i = 0; i < size; i++) expect(await state.get(space, `k${i}`)).toBe("v");
    });

    it("still changes what it has, and tells who holds it", async () => {
      const { state } = opened();
      await fill(space);
      expect(await state.put(space, "k0", "newer", later(1000))).toBe(true);
      expect(await state.claim(space, "k0", "h", later(1000))).toMatchObject({ kind: "held", holder: "newer" });
    });

    it("has room again for each entry that ended, at its millisecond, or was forgotten", async () => {
      const { state, forward } = opened();
      await fill(space, 5000);
      await state.put(space, "k0", "v", later(1000));
      await forward(999);
      expect(await state.put(space, "new", "v", later(5000))).toBe(false);
      await forward(1);
      expect(await state.put(space, "new", "v", later(5000))).toBe(true);
      expect(await state.put(space, "newer", "v", later(5000))).toBe(false);
      await state.forget(space, "k1");
      expect(await state.put(space, "newer", "v", later(5000))).toBe(true);
      await forward(5000);
      await fill(space);
    });
  });

  describe.each(refusing)("%s, of which one owner has its quarter,", (space) => {
    const quarter = Math.floor(size / 4);
    const long = "x".repeat(200);

    it("says so to that owner and to no other, whatever the length of the keys, until one of them ends", async () => {
      const { state, forward } = opened();
      for (let i = 0; i < quarter; i++) {
        const key = i % 2 === 0 ? `acme k${i}` : `acme ${long}${i}`;
        expect(await state.claim(space, key, "h", later(i === 0 ? 1000 : 5000))).toMatchObject({ kind: "held" });
      }
      expect(await state.claim(space, "acme new", "h", later(5000))).toEqual({ kind: "full" });
      expect(await state.put(space, `acme ${long}`, "v", later(5000))).toBe(false);
      expect(await state.claim(space, "acme k0", "other", later(5000))).toMatchObject({ holder: "h" });
      expect(await state.claim(space, "globex new", "h", later(5000))).toMatchObject({ kind: "held" });
      await forward(1000);
      expect(await state.claim(space, "acme new", "h", later(5000))).toMatchObject({ kind: "held" });
      expect(await state.claim(space, "acme newer", "h", later(5000))).toEqual({ kind: "full" });
      await state.forget(space, "acme new");
      expect(await state.claim(space, "acme newer", "h", later(5000))).toMatchObject({ kind: "held" });
    });
  });

  describe.each(forgetting)("%s, full,", (space) => {
    it("forgets what was not asked for the longest", async () => {
      const { state } = opened();
      await fill(space);
      expect(await state.get(space, "k0")).toBe("v");
      expect(await state.put(space, "new", "v", later(1000))).toBe(true);
      expect(await state.add(space, "newer", later(1000))).toBe(1);
      expect(await state.get(space, "k0")).toBe("v");
      expect(await state.get(space, "k1")).toBeUndefined();
      expect(await state.get(space, "k2")).toBeUndefined();
      expect(await state.get(space, "k3")).toBe("v");
    });
  });

  it.each(spaces)("%s filling up touches no other space", async (space) => {
    const { state } = opened();
    const others = spaces.filter((one) => one !== space);
    for (const other of others) await state.put(other, "mine", "v", later(1000));
    for (let i = 0; i < 3 * size; i++) await state.put(space, `k${i}`, "v", later(1000));
    for (const other of others) {
      expect(await state.get(other, "mine")).toBe("v");
      expect(await state.put(other, "next", "v", later(1000))).toBe(true);
    }
  });
}
