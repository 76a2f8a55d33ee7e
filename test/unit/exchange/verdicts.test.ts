import { describe, expect, it } from "vitest";
import type { Identity } from "../../../src/core/identity.ts";
import type { RefusedVisit } from "../../../src/core/verdicts.ts";
import { exchange } from "../../../src/exchange/exchange.ts";
import { note } from "../../../src/exchange/verdicts.ts";
import { createLog } from "../../../src/telemetry/log.ts";
import { customer } from "../../helpers/customers.ts";
import { credential, exchangeContext, settings } from "../../helpers/exchange.ts";

/** What whoever counts hears of one exchange by a page of this origin. */
async function heard(shown: { username: string; password: string }, context = exchangeContext()) {
  const caller = { address: "192.0.2.1", origin: "https://www.acme.example" };
  const asked = { kind: "asked", shown: { kind: "password", ...shown }, direct: false } as const;
  const outcome = await exchange(asked, caller, settings.exchange!, context);
  const refused: RefusedVisit[] = [];
  const accepted: Identity[] = [];
  const verdicts = {
    accepted: (identity: Identity) => void accepted.push(identity),
    refused: (visit: RefusedVisit) => void refused.push(visit),
  };
  const log = createLog({ level: "silent" });
  note(outcome, "exchange", caller, { log, metrics: { verdict: () => {} }, verdicts });
  return { refused, accepted: accepted.map(({ customer: { id }, provedBy }) => `${id} ${provedBy.id}`) };
}

const wanted = {
  way: "exchange",
  address: "192.0.2.1",
  origin: "https://www.acme.example",
  user: "alice@acme.example",
};

describe("a verdict of the exchange", () => {
  it("is told with what proved it where it is accepted", async () => {
    const context = exchangeContext();
    expect(await heard(credential(context.clock), context)).toEqual({ refused: [], accepted: ["acme k1"] });
  });

  it("is told as a claim where nothing was proved, without what was shown", async () => {
    const { username } = credential(exchangeContext().clock);
    const { refused } = await heard({ username, password: "a-guess" });
    expect(refused).toMatchObject([
      { ...wanted, claimed: "domain acme.example", refusal: { code: "credential-rejected" } },
    ]);
    expect(refused[0]?.customer).toBeUndefined();
    expect(JSON.stringify(refused)).not.toMatch(/a-guess|\d{9}/);
  });

  it("is told as the customer's where the credential was its own", async () => {
    const context = exchangeContext({ customers: [customer({ origins: ["https://other.example"] })] });
    const { refused } = await heard(credential(context.clock), context);
    expect(refused).toMatchObject([{ ...wanted, customer: "acme", refusal: { code: "origin-denied" } }]);
  });
});
