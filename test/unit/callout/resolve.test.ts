import { describe, expect, it } from "vitest";
import { systemResolve } from "../../../src/callout/resolve.ts";

const patient = new AbortController().signal;

/** A name server that answers when it is told to. */
function slowNames() {
  const asked = new Map<string, (addresses: { address: string }[]) => void>();
  const ask = (name: string) => new Promise<{ address: string }[]>((answer) => asked.set(name, answer));
  return { asked, resolve: systemResolve(ask) };
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
