import { describe, expect, it } from "vitest";
import { type Break, ChainCheck, chainStart, nextRow } from "../../../src/store/chain.ts";
import type { AuditHead, AuditRow } from "../../../src/store/port.ts";
import { type ChainKey, SealKeys } from "../../../src/store/seal.ts";

const [old, now] = ["the-key-before", "the-key-in-use"].map((text) => new SealKeys([text]).chainKey) as [
  ChainKey,
  ChainKey,
];

/** A row for each key, one after the other. */
function chained(keys: readonly ChainKey[], from: AuditHead = chainStart, what = "customer.add"): AuditRow[] {
  const rows: AuditRow[] = [];
  for (const key of keys) rows.push(nextRow(rows.at(-1) ?? from, { by: "cli:root", what }, { at: 1, key }));
  return rows;
}

function broken(rows: readonly AuditRow[], wanted?: AuditHead): Break | undefined {
  const check = new ChainCheck([now], [old], wanted);
  return check.take(rows) ?? check.end();
}

describe("a chain over a change of the store's key", () => {
  const whole = chained([old, old, now, now]);

  it("is whole with the key in use last", () => {
    expect(broken(whole)).toBeUndefined();
    expect(broken([])).toBeUndefined();
  });

  it("takes nothing at its end from who has the key before", () => {
    const more = chained([old], whole.at(-1));
    expect(broken([...whole, ...more])).toMatchObject({ seq: 5, sentence: expect.stringContaining("no more") });
    expect(broken(chained([old, old]))).toMatchObject({ seq: 2 });
  });

  it("shows what who has the key before made of its own entries", () => {
    const forged = chained([old, old], chainStart, "nothing at all");
    expect(broken([...forged, ...whole.slice(2)])).toMatchObject({
      seq: 3,
      sentence: expect.stringContaining("changed"),
    });
  });

  it("knows no third key", () => {
    const [foreign] = [new SealKeys(["a-third-key-of-nobody"]).chainKey];
    expect(broken(chained([foreign!]))).toMatchObject({ seq: 1, sentence: expect.stringContaining("not the store's") });
  });
});

describe("a head that was seen before", () => {
  const rows = chained([now, now, now]);

  it("is found at the end or before, and shows an end that was cut off", () => {
    for (const { seq, mac } of rows) expect(broken(rows, { seq, mac })).toBeUndefined();
    expect(broken(rows.slice(0, 1), rows[2])).toEqual({
      seq: 2,
      sentence: "entries 2 to 3 are missing: the end was cut off",
    });
  });

  it("shows a whole chain that is another one", () => {
    const other = chained([now, now, now], chainStart, "something else");
    expect(broken(other, rows[1])).toMatchObject({ seq: 2, sentence: expect.stringContaining("another one") });
  });
});

it("a mac is taken in the one spelling that it has", () => {
  const [row] = chained([now]);
  expect(broken([row!])).toBeUndefined();
  for (const mac of [`${row!.mac}=`, `${row!.mac} `, row!.mac.slice(0, -1), ""])
    expect(broken([{ ...row!, mac }]), mac).toMatchObject({ seq: 1 });
});
