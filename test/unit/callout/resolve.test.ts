import { describe, expect, it, onTestFinished, vi } from "vitest";
import { systemResolve } from "../../../src/callout/resolve.ts";

const patient = new AbortController().signal;

/** A name server that answers when it is told to. */
function slowNames() {
  const asked = new Map<string, (addresses: { address: string }[]) => void>();
  const ask = (name: string) => new Promise<{ address: string }[]>((answer) => asked.set(name, answer));
  const clock = { ms: 0 };
  return { asked, clock, resolve: systemResolve(ask, () => clock.ms) };
}

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

describe("the machine's resolver", () => {
  it("gives every address of a name", async () => {
    expect(
      await systemResolve(async () => [{ address: "192.0.2.1" }, { address: "::1" }])("a.example", patient),
    ).toEqual(["192.0.2.1", "::1"]);
    expect(await systemResolve()("localhost", patient)).toContain("127.0.0.1");
  });

  it("rejects for a name that has none, and asks for the next", async () => {
    const resolve = systemResolve(async (name) => {
      if (name === "none") throw new Error("ENOTFOUND");
      return [{ address: "192.0.2.1" }];
    });
    for (let i = 0; i < 3; i++) await expect(resolve("none", patient)).rejects.toThrow("ENOTFOUND");
    expect(await resolve("some", patient)).toEqual(["192.0.2.1"]);
  });

  it("is asked for two names at once: others wait, in order", async () => {
    const { asked, resolve } = slowNames();
    const results = ["a", "b", "c", "d"].map((name) => resolve(name, patient));
    await turn();
    expect([...asked.keys()]).toEqual(["a", "b"]);
    asked.get("b")?.([{ address: "192.0.2.2" }]);
    expect(await results[1]).toEqual(["192.0.2.2"]);
    await turn();
    expect([...asked.keys()]).toEqual(["a", "b", "c"]);
    for (const name of ["a", "c", "d"]) {
      asked.get(name)?.([{ address: "192.0.2.1" }]);
      await turn();
    }
    expect(await Promise.all(results)).toHaveLength(4);
  });

  it("does not ask for what nobody waits for any more", async () => {
    const { asked, resolve } = slowNames();
    const first = [resolve("a", patient), resolve("b", patient)];
    const gone = new AbortController();
    const given = resolve("gone", gone.signal);
    const next = resolve("next", patient);
    gone.abort(new Error("given up"));
    await expect(given).rejects.toThrow("given up");
    for (const name of ["a", "b"]) asked.get(name)?.([]);
    await Promise.all(first);
    await turn();
    asked.get("next")?.([]);
    await next;
    expect([...asked.keys()]).toEqual(["a", "b", "next"]);
  });

  it("that is slow, or waited for behind names that hang, gives what a name had before, for ten minutes", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const { asked, clock, resolve } = slowNames();
    const first = resolve("app", patient);
    await turn();
    asked.get("app")?.([{ address: "192.0.2.1" }]);
    expect(await first).toEqual(["192.0.2.1"]);
    const hanging = ["x1", "x2"].map((name) => resolve(name, patient));
    const [again, unknown] = [resolve("app", patient), resolve("other", patient)];
    vi.advanceTimersByTime(999);
    expect(await Promise.race([again, turn()])).toBe(undefined);
    vi.advanceTimersByTime(1);
    expect(await Promise.race([again, turn()])).toEqual(["192.0.2.1"]);
    clock.ms = 600_000;
    const late = resolve("app", patient);
    vi.advanceTimersByTime(1_000);
    expect(await Promise.race([late, unknown, turn()])).toBe(undefined);
    for (const name of ["x1", "x2"]) asked.get(name)?.([]);
    await Promise.all(hanging);
    await turn();
    asked.get("app")?.([{ address: "192.0.2.2" }]);
    await turn();
    for (const name of ["other", "app"]) {
      asked.get(name)?.([{ address: "192.0.2.2" }]);
      await turn();
    }
    expect([await late, await unknown]).toEqual([["192.0.2.2"], ["192.0.2.2"]]);
  });

  it("that is slow, or waited for behind names that hang, remembers no name of very many addresses, nor what it had before", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const { asked, resolve } = slowNames();
    for (const [name, count, wanted] of [
      ["few", 16, true],
      ["few", 17, false],
    ] as const) {
      const first = resolve(name, patient);
      await turn();
      asked.get(name)?.(Array.from({ length: count }, (_, at) => ({ address: `192.0.2.${at}` })));
      await first;
      const again = resolve(name, patient);
      await turn();
      vi.advanceTimersByTime(1_000);
      expect([name, (await Promise.race([again, turn()])) !== undefined]).toEqual([name, wanted]);
    }
  });

  it("says at once that a name is no more, whatever it had before", async () => {
    let gone = false;
    const resolve = systemResolve(async () => {
      if (gone) throw new Error("ENOTFOUND");
      return [{ address: "192.0.2.1" }];
    });
    await resolve("app", patient);
    gone = true;
    await expect(resolve("app", patient)).rejects.toThrow("ENOTFOUND");
  });

  it("is asked for one name at a time of those that came too late before: they stop no others", async () => {
    const { asked, resolve } = slowNames();
    const given = new AbortController();
    const hanging = ["a", "b"].map((name) => resolve(name, given.signal));
    const waits = resolve("c", patient);
    await turn();
    given.abort(new Error("given up"));
    for (const name of ["a", "b"]) asked.get(name)?.([]);
    await Promise.all(hanging);
    await turn();
    asked.get("c")?.([{ address: "192.0.2.1" }]);
    expect(await waits).toEqual(["192.0.2.1"]);
    asked.clear();

    const late = ["a", "b"].map((name) => resolve(name, patient));
    await turn();
    expect([...asked.keys()]).toEqual(["a"]);
    for (const name of ["d", "e"]) {
      const other = resolve(name, patient);
      await turn();
      asked.get(name)?.([{ address: "192.0.2.2" }]);
      expect(await other).toEqual(["192.0.2.2"]);
    }
    // In time again, they are like any other.
    asked.get("a")?.([{ address: "192.0.2.3" }]);
    expect(await late[0]).toEqual(["192.0.2.3"]);
    await turn();
    asked.get("b")?.([]);
    await late[1];
    asked.clear();
    const again = ["a", "b"].map((name) => resolve(name, patient));
    await turn();
    expect([...asked.keys()]).toEqual(["a", "b"]);
    for (const name of ["a", "b"]) asked.get(name)?.([]);
    await Promise.all(again);
  });
});
