import { describe, expect, it } from "vitest";
import { type FilterTexts, readFilter } from "../../../src/manage/call-filter.ts";

const id = "0195e2a4-6f31-7b0c-9a51-3c1de2a4f0b7";

describe("what calls are asked for by", () => {
  it.each<[FilterTexts, object]>([
    [{}, { limit: 100 }],
    [
      { customer: "acme", limit: "500" },
      { customer: "acme", limit: 500 },
    ],
    [{ user: "alice" }, { user: "alice", limit: 100 }],
    [{ user: "alice@ACME.example" }, { user: "alice", domain: "acme.example", limit: 100 }],
    [
      { number: "+32 2 588.70(00)", callId: "c1@x" },
      { number: "+32 2 588.70(00)", callId: "c1@x", limit: 100 },
    ],
    [
      { since: "2026-06-01", until: "1780315200", after: id },
      { since: Date.UTC(2026, 5, 1), until: 1_780_315_200_000, after: id, limit: 100 },
    ],
  ])("%j is understood", (texts, filter) => {
    expect(readFilter(texts)).toEqual({ kind: "filter", filter });
  });

  it("is refused with every fault at once", () => {
    const wrong = { customer: "", user: "x".repeat(257), callId: "", number: "+32*", since: "soon", until: "-1" };
    const read = readFilter({ ...wrong, after: "1 OR 1=1", limit: "0" });
    const paths = read.kind === "faults" ? read.faults.map(({ path }) => path) : [];
    expect(paths.toSorted()).toEqual([...Object.keys(wrong), "after", "limit"].toSorted());
  });

  it.each(["501", "1e2", "-1", "", "9999", "٣"])("is refused with the limit %j", (limit) => {
    expect(readFilter({ limit })).toMatchObject({ kind: "faults", faults: [{ path: "limit" }] });
  });
});
