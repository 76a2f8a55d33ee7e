import { describe, expect, it } from "vitest";
import type { Answer, Asked } from "../../../src/api/asked.ts";
import { callRoutes } from "../../../src/api/call-routes.ts";
import type { ManagedCustomers } from "../../../src/api/customers.ts";
import type { ManagedRoute } from "../../../src/api/managed.ts";
import { runtimeRoutes } from "../../../src/api/runtime-routes.ts";
import { toldRoutes } from "../../../src/api/told-routes.ts";
import { Customers } from "../../../src/core/customers.ts";
import { Refusals } from "../../../src/telemetry/refusals.ts";
import { customer } from "../../helpers/customers.ts";

/** When the customer was made whose id another one had before. */
const since = Date.UTC(2026, 5, 1);
const acme = { ...customer(), since };
const queries: Record<string, unknown>[] = [];
const ask = (query: object) => {
  queries.push({ ...query });
  return [];
};
const askLater = async (query: object) => ask(query);

const customers = { find: async () => ({ kind: "found", item: { id: "acme" } }) } as unknown as ManagedCustomers;
const kept = { calls: { find: askLater }, quality: { find: askLater, of: askLater } };
const runtime = { sessions: ask, calls: ask };
const refusals = { of: (_id: string, _names: unknown, from?: number) => ask({ since: from }) };
const routes = [
  ...callRoutes((() => kept) as unknown as Parameters<typeof callRoutes>[0], customers),
  ...toldRoutes(
    { audit: () => ({ read: askLater }), refusals } as unknown as Parameters<typeof toldRoutes>[0],
    customers,
  ),
  ...runtimeRoutes({ runtime, customers: () => new Customers([acme]), clock: Date } as unknown as Parameters<
    typeof runtimeRoutes
  >[0]),
];

const own = { kind: "customer", customer: acme, apiKey: "a1" } as const;
const operator = { kind: "operator", id: "ops" } as const;

async function sinceOf(part: string, manager: Asked["manager"], query = ""): Promise<unknown> {
  queries.length = 0;
  const route = routes.find(
    ({ method, url }) => method === "GET" && url === `/v1/customers/:id/${part}`,
  ) as ManagedRoute;
  const asked = { manager, id: "acme", query: new URLSearchParams(query), params: {} } as unknown as Asked;
  const answer: Answer = await route.answer(asked);
  expect(answer).toMatchObject({ kind: "done" });
  expect(queries).toHaveLength(1);
  return queries[0]?.since;
}

describe("a customer whose id another one had", () => {
  it.each(["calls", "quality", "audit", "refusals", "sessions", "live-calls"])(
    "is shown its own %s alone",
    async (part) => {
      expect(await sinceOf(part, own)).toBe(since);
      expect(await sinceOf(part, { ...own, customer: customer() })).toBeUndefined();
      expect(await sinceOf(part, operator)).toBeUndefined();
    },
  );

  it.each(["calls", "quality", "audit"])("cannot ask for %s from before, and may for later ones", async (part) => {
    expect(await sinceOf(part, own, "since=2026-05-01")).toBe(since);
    expect(await sinceOf(part, own, "since=2026-06-02")).toBe(Date.UTC(2026, 5, 2));
    expect(await sinceOf(part, operator, "since=2026-05-01")).toBe(Date.UTC(2026, 4, 1));
  });

  it("is shown refusals from then on", () => {
    const clock = { at: since - 1, now: () => clock.at };
    const all = new Refusals(clock);
    const refusal = { code: "credential-rejected", sentence: "no" } as const;
    all.note({ customer: "acme", refusal, way: "sip", address: "192.0.2.1" } as unknown as Parameters<
      typeof all.note
    >[0]);
    clock.at = since;
    all.note({ customer: "acme", refusal, way: "sip", address: "192.0.2.2" } as unknown as Parameters<
      typeof all.note
    >[0]);
    expect(all.of("acme", [], since).map(({ address }) => address)).toEqual(["192.0.2.2"]);
    expect(all.of("acme", [])).toHaveLength(2);
  });
});
