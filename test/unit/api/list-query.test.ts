import { expect, it } from "vitest";
import type { Asked } from "../../../src/api/asked.ts";
import type { ManagedCustomers } from "../../../src/api/customers.ts";
import { readQuery } from "../../../src/api/list-query.ts";
import { toldRoutes } from "../../../src/api/told-routes.ts";

const asked = (query: string) =>
  ({ manager: { kind: "operator", id: "ops" }, query: new URLSearchParams(query) }) as Asked;

it("a name in a query that may be a secret is not said again, and one that is misspelled is", async () => {
  const ofCalls = ({ query }: Asked) =>
    readQuery(asked(query.toString()), ["limit"], () => ({ kind: "filter", filter: {} }));
  const told = { audit: () => undefined } as unknown as Parameters<typeof toldRoutes>[0];
  const audit = toldRoutes(told, {} as ManagedCustomers).find(({ url }) => url === "/v1/audit");
  for (const answer of [ofCalls, audit!.answer]) {
    const said = await answer(asked("2Zm9vYmFyL3NlY3JldA%3D%3D&limt=1"));
    expect(said).toMatchObject({ status: 400, errors: [{ path: "[…]" }, { path: "limt" }] });
  }
});
