import { describe, expect, it } from "vitest";
import type { Answer, Asked } from "../../../src/api/asked.ts";
import { done } from "../../../src/api/asked.ts";
import { type CustomersOptions, ManagedCustomers } from "../../../src/api/customers.ts";
import { Customers } from "../../../src/core/customers.ts";
import { mergePatch } from "../../../src/manage/whole.ts";
import { MemoryState } from "../../../src/state/memory.ts";
import { AuditBudget } from "../../../src/store/audit-budget.ts";
import { createLog } from "../../../src/telemetry/log.ts";
import { customer } from "../../helpers/customers.ts";
import { DeskStore, desk } from "../../helpers/desk.ts";

const key = { id: "a1", secret: "the-api-secret-of-acme" };

/** acme, in a store. left: entries that its own keys may yet add to the audit. */
function scene(left: number) {
  const clock = { now: () => 1_700_000_000_000 };
  const store = new DeskStore({ id: "acme", domains: ["acme.example"], maxTtl: 3_000, apiKeys: [key] });
  const budget = new AuditBudget(clock);
  for (let taken = 2_000; taken > left; taken--) budget.take("acme");
  const customers = new ManagedCustomers({
    customers: () => new Customers([]),
    declared: () => new Map(),
    stored: { opened: { store }, inForce: async () => {} },
    uses: async () => [],
    bring: () => Promise.reject(new Error("nothing is imported here")),
    surroundings: () => desk(store).surroundings,
    budget,
    state: new MemoryState(clock),
    clock,
    log: createLog({ level: "silent" }),
  } satisfies CustomersOptions);
  const change = (by: Asked["manager"]["kind"], patch: object): Promise<Answer> => {
    const manager =
      by === "operator"
        ? ({ kind: by, id: "ops" } as const)
        : ({ kind: by, customer: customer({ id: "acme", apiKeys: [key] }), apiKey: "a1" } as const);
    const raw = { raw: { headersDistinct: {} } };
    const asked = { manager, id: "acme", raw, act: (what: string) => ({ by, what }) } as unknown as Asked;
    const told = { what: () => "customer.change", answer: () => done({}) };
    return customers.change(asked, mergePatch(patch as Parameters<typeof mergePatch>[0]), told);
  };
  return { store, change };
}

describe("what a customer's own keys change", () => {
  it("is refused where they have added enough to the audit for a day, and an operator's is not", async () => {
    const { store, change } = scene(1);
    expect(await change("customer", { maxTtl: 2_000 })).toMatchObject({ kind: "done" });
    expect(await change("customer", { maxTtl: 1_000 })).toMatchObject({ status: 429, code: "rate-limited" });
    expect(store.acts).toHaveLength(1);
    expect(await change("operator", { maxTtl: 1_000 })).toMatchObject({ kind: "done" });
  });

  it("costs nothing where it is refused for what it is", async () => {
    const { change } = scene(1);
    for (let time = 0; time < 5; time++)
      expect(await change("customer", { trunk: "sip:pbx.acme.example" })).toMatchObject({ status: 403 });
    expect(await change("customer", { maxTtl: 2_000 })).toMatchObject({ kind: "done" });
  });

  it.each([
    ["its key was removed", { apiKeys: [] }],
    ["its key has another secret", { apiKeys: [{ ...key, secret: "another-api-secret-of-acme" }] }],
    ["it was suspended", { suspended: "finish" }],
  ])("is refused where meanwhile %s", async (_how, patch) => {
    const { store, change } = scene(9);
    const [taken, late] = await Promise.all([change("operator", patch), change("customer", { maxTtl: 2_000 })]);
    expect([taken, late]).toMatchObject([{ kind: "done" }, { status: 403, code: "permission-missing" }]);
    expect(store.item("acme")).toMatchObject({ maxTtl: 3_000, ...patch });
  });
});
