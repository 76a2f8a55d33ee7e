import { describe, expect, it } from "vitest";
import { MessageCounts, methods, VerdictCounts } from "../../../src/telemetry/counts.ts";

describe("messages", () => {
  it("are counted by direction and method", () => {
    const counts = new MessageCounts();
    counts.add("from-client", "INVITE");
    counts.add("from-client", "INVITE");
    counts.add("to-upstream", "INVITE");
    expect([...counts].filter(({ count }) => count > 0)).toEqual([
      { direction: "from-client", method: "INVITE", count: 2 },
      { direction: "to-upstream", method: "INVITE", count: 1 },
    ]);
  });

  it("have no label that a stranger chose", () => {
    const counts = new MessageCounts();
    for (const made of ["EVIL", "invite", "constructor", "__proto__", "", "other"]) counts.add("from-client", made);
    expect([...counts].find(({ count }) => count > 0)).toMatchObject({ method: "other", count: 6 });
    expect([...counts].length).toBe(4 * methods.length);
  });
});

describe("verdicts", () => {
  it("name the customer only where there is one", () => {
    const counts = new VerdictCounts();
    counts.add("challenged");
    counts.add("accepted", "acme");
    counts.add("accepted", "acme");
    expect([...counts]).toEqual([
      { labels: { code: "challenged" }, count: 1 },
      { labels: { code: "accepted", customer: "acme" }, count: 2 },
    ]);
  });

  it("name only so many customers, the same ones for every code", () => {
    const counts = new VerdictCounts(2);
    for (const customer of ["a", "b", "c", "d", "a"]) counts.add("accepted", customer);
    counts.add("rate-limited", "c");
    counts.add("rate-limited", "b");
    const told = [...counts].map(({ labels: { code, customer }, count }) => `${code} ${customer} ${count}`);
    expect(told).toEqual([
      "accepted a 2",
      "accepted b 1",
      "accepted other 2",
      "rate-limited other 1",
      "rate-limited b 1",
    ]);
  });

  it("name 200 by default", () => {
    const counts = new VerdictCounts();
    for (let at = 0; at < 1000; at++) counts.add("accepted", `c${at}`);
    expect([...counts].length).toBe(201);
  });
});
