import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { HttpTurns } from "../../../src/gateway/http-turns.ts";

describe("requests over HTTP", () => {
  it("begin at once where few come, four in a turn of the event loop where many do", async () => {
    const turns = new HttpTurns();
    let begun = 0;
    for (let count = 0; count < 10; count++) expect(turns.run("192.0.2.1", () => begun++)).toBe(true);
    expect(begun).toBe(4);
    await turn();
    expect(begun).toBe(8);
    await turn();
    expect(begun).toBe(10);
    await turn();
    turns.run("192.0.2.1", () => begun++);
    expect(begun).toBe(11);
  });

  it("of one address do not hold up another's, nor does a /64 have more than one address", async () => {
    const turns = new HttpTurns();
    const order: string[] = [];
    const all = ["2001:db8::1", "2001:db8::2", "192.0.2.1"].flatMap((address) =>
      Array.from({ length: address === "192.0.2.1" ? 2 : 6 }, () => address),
    );
    for (const address of all) turns.run(address, () => order.push(address));
    await turn();
    expect(order.slice(4)).toEqual(["2001:db8::1", "192.0.2.1", "2001:db8::1", "192.0.2.1"]);
  });

  it("that wait are a thousand of an address, and of another as many; then there is room again", async () => {
    const turns = new HttpTurns();
    let begun = 0;
    const run = (address = "192.0.2.1"): boolean => turns.run(address, () => begun++);
    for (let count = 0; count < 1_004; count++) expect(run()).toBe(true);
    expect([run(), run("192.0.2.2")]).toEqual([false, true]);
    await turn();
    expect(run()).toBe(true);
    while (begun < 1_006) await turn();
  });
});
