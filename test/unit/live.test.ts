import { afterAll, describe, expect, it } from "vitest";
import { Live } from "../../src/live.ts";
import { ConfigFolder, least } from "../helpers/config-file.ts";
import { customer } from "../helpers/customers.ts";

const folder = new ConfigFolder();
afterAll(() => folder.remove());

const config = (customers: string) => folder.config(`${least}customers: [${customers}]\n`);
const acme = "{ id: acme, domains: [acme.example], limits: { connectionsPerUser: 2 } }";
const stored = (id: string, ...domains: readonly string[]) => ({
  customer: customer({ id, domains, secrets: [{ id: "k1", secret: `the-secret-of-${id}-01`, algorithm: "sha1" }] }),
  connectionsPerUser: 3,
});
const clock = { now: () => 1_700_000_000_000 };
const nothing = (): void => {};

describe("customers of the store beside a config", () => {
  it("are found as those of the config are, with their limits", () => {
    const live = new Live(config(acme), clock, [stored("globex", "globex.example")]);
    expect(["acme.example", "globex.example"].map((domain) => live.customers.byDomain(domain)?.id)).toEqual([
      "acme",
      "globex",
    ]);
    expect(["acme", "globex", "nobody"].map((id) => live.connectionsPerUser(id))).toEqual([2, 3, 0]);
  });

  it("change without the config, and the config without them", () => {
    const live = new Live(config(acme), clock, [stored("globex", "globex.example")]);
    const before = live.customers;
    expect(live.changeStored({ put: [stored("initech", "initech.example")], gone: [] })).toEqual({
      leftOut: [],
      touched: false,
    });
    expect(live.customers).not.toBe(before);
    expect(live.changeStored({ put: [], gone: ["globex", "acme"] }).touched).toBe(true);
    expect(live.customers.all.map(({ id }) => id)).toEqual(["acme", "initech"]);
    live.replace(config("{ id: hooli, domains: [hooli.example] }"), nothing);
    expect(live.customers.all.map(({ id }) => id).toSorted()).toEqual(["hooli", "initech"]);
  });

  it("are left out where the config gives what they have to another, until it does not", () => {
    const live = new Live(config(acme), clock, [stored("globex", "globex.example")]);
    const { leftOut, touched } = live.changeStored({ put: [stored("globex", "acme.example")], gone: [] });
    expect(leftOut).toEqual([{ id: "globex", reason: "domains[0] is taken: customer acme of the config has it" }]);
    expect(touched).toBe(true);
    expect([live.customers.byDomain("acme.example")?.id, live.customers.byId("globex")]).toEqual(["acme", undefined]);
    live.replace(config("{ id: acme, domains: [other.example] }"), nothing);
    expect(live.customers.byDomain("acme.example")?.id).toBe("globex");
    live.changeStored({ put: [], gone: ["globex"] });
    expect(live.customers.byDomain("acme.example")).toBeUndefined();
  });

  it("are not brought back by a later config once they are gone", () => {
    const live = new Live(config(acme), clock);
    live.changeStored({ put: [stored("globex", "acme.example")], gone: [] });
    live.changeStored({ put: [], gone: ["globex"] });
    live.replace(config("{ id: mine, domains: [other.example] }"), nothing);
    expect(live.customers.byDomain("acme.example")).toBeUndefined();
  });

  it("have a config refused that gives what they have to another, and nothing has changed", () => {
    const live = new Live(config(acme), clock, [stored("globex", "globex.example")]);
    const [before, customers] = [live.config, live.customers];
    expect(() => live.replace(config("{ id: mine, domains: [globex.example] }"), nothing)).toThrow(
      "the stored customer globex cannot stand beside this config: domains[0] is taken: customer mine of the config has it",
    );
    expect([live.config, live.customers]).toEqual([before, customers]);
    expect(live.customers).toBe(customers);
    expect(live.customers.byDomain("acme.example")?.id).toBe("acme");
  });
});
