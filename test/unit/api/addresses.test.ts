import { describe, expect, it } from "vitest";
import { Addresses } from "../../../src/api/addresses.ts";

describe("a name whose DNS is dead", () => {
  it("is asked for once in five seconds, and then again", async () => {
    let [now, asked] = [1_000_000, 0];
    const resolve = (): Promise<never> => {
      asked++;
      return Promise.reject(new Error("SERVFAIL"));
    };
    const addresses = new Addresses({ clock: { now: () => now }, resolve });
    for (let at = 0; at < 5; at++) expect(await addresses.has("pbx.acme.example", "192.0.2.1")).toBeUndefined();
    expect(asked).toBe(1);
    now += 5_000;
    await addresses.has("pbx.acme.example", "192.0.2.1");
    expect(asked).toBe(2);
  });
});
