import { describe, expect, it } from "vitest";
import { type FilterName, readAuditQuery } from "../../../src/manage/audit-filter.ts";
import { readAudit } from "../../../src/manage/audit-view.ts";
import type { Audit, AuditRow } from "../../../src/store/port.ts";

const all: readonly FilterName[] = ["customer", "by", "since", "before", "limit"];
const read = (query: string, allowed = all) => readAuditQuery(new URLSearchParams(query), allowed);

describe("what of the audit is asked for", () => {
  it("is whose, by whom, since when, before which and how many", () => {
    expect(read("")).toEqual({ kind: "query", query: { limit: 100 } });
    const asked = "customer=acme&by=operator:ops&since=2026-01-31T12:00:00Z&before=7&limit=500";
    expect(read(asked)).toEqual({
      kind: "query",
      query: { customer: "acme", by: "operator:ops", since: 1_769_860_800_000, before: 7, limit: 500 },
    });
  });

  it("is told with every fault at once", () => {
    const read1 = read("limit=501&since=then&before=-1&nobody=1&by=a&by=b");
    expect(read1.kind === "faults" && read1.errors.map(({ path }) => path).toSorted()).toEqual([
      "before",
      "by",
      "limit",
      "nobody",
      "since",
    ]);
  });

  it("is no other customer's for who may not ask for one", () => {
    expect(read("customer=globex", ["by", "limit"])).toMatchObject({ kind: "faults", errors: [{ path: "customer" }] });
  });
});

describe("an entry as it is shown", () => {
  const audit = (...texts: readonly string[]): Audit => ({
    read: async () => texts.map((text, at): AuditRow => ({ seq: at + 1, text, mac: "" })),
    append: () => Promise.reject(new Error("it is only read")),
    head: () => Promise.reject(new Error("it is only read")),
    olderKeys: async () => [],
  });
  const entry = { seq: 1, at: 5, key: "k", by: "operator:ops", what: "x", customer: "acme", address: "192.0.2.1" };

  it("has no key, and for a customer no address but its own keys'", async () => {
    const own = { ...entry, by: "customer:acme/a1" };
    const foreign = { ...entry, by: "customer:acme-2/a1" };
    const store = audit(...[entry, own, foreign].map((one) => JSON.stringify(one)));
    const { key: _, ...shown } = entry;
    expect((await readAudit(store, { limit: 9 }))[0]).toEqual(shown);
    const told = await readAudit(store, { limit: 9 }, "acme");
    expect(told.map(({ address }) => address)).toEqual([undefined, "192.0.2.1", undefined]);
  });

  it("is of the types that it has, whatever somebody has written there", async () => {
    const store = audit("[", "[]", '{"at":"x","by":1,"what":{},"address":[],"detail":"x"}');
    const none = { at: 0, by: "", what: "cannot be read" };
    expect(await readAudit(store, { limit: 9 })).toEqual([1, 2, 3].map((seq) => ({ seq, ...none })));
  });
});
