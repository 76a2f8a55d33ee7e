import { describe, expect, it } from "vitest";
import { claimedBy } from "../../../src/exchange/claimed.ts";
import { Throttle } from "../../../src/exchange/throttle.ts";
import { StandingClock } from "../../helpers/exchange.ts";

const token = (claims: unknown, domain?: string) =>
  claimedBy({
    kind: "token",
    token: `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`,
    domain,
    holder: "h",
  });

const password = (username: string, account?: string) =>
  claimedBy({ kind: "password", username, password: "p", ...(account !== undefined && { account }) });

describe("whom a credential claims to be of, for counting", () => {
  it("is the domain of a username, or the account", () => {
    expect(password("1:alice@Acme.example")).toBe("acme.example");
    expect(password("1:acme", "acme")).toBe("acme");
  });

  it("is appID, iss or the user's domain in a token", () => {
    expect(token({ appID: 17, iss: "x", sub: "a@b.example" })).toBe("17");
    expect(token({ iss: "acme", sub: "a@b.example" })).toBe("acme");
    expect(token({ sub: "a@B.example" })).toBe("b.example");
    expect(token({ userID: "a@c.example" })).toBe("c.example");
    expect(token({ sub: "alice" }, "acme.example")).toBe("acme.example");
  });

  it("is nobody where it cannot be read, or could not be a key", () => {
    expect(token({})).toBe("");
    expect(token([])).toBe("");
    expect(token({ appID: "a b" })).toBe("");
    expect(token({ appID: "a".repeat(254) })).toBe("");
    expect(claimedBy({ kind: "token", token: "none", domain: undefined, holder: "h" })).toBe("");
    expect(claimedBy({ kind: "token", token: `.${"A".repeat(9000)}.`, domain: undefined, holder: "h" })).toBe("");
    expect(password("1:a@b c")).toBe("");
  });
});

describe("requests a second", () => {
  it("are limited for each address and claim, and refilled", () => {
    const clock = new StandingClock();
    const throttle = new Throttle(clock);
    const take = (address = "a", claimed = "acme"): boolean => throttle.take(address, claimed, 2);
    expect([take(), take(), take()]).toEqual([true, true, false]);
    expect([take("b"), take("a", "globex")]).toEqual([true, true]);
    clock.ms += 1500;
    expect(take()).toBe(true);
  });

  it("are not limited by 0", () => {
    const throttle = new Throttle(new StandingClock());
    expect(Array.from({ length: 500 }, () => throttle.take("a", "acme", 0)).every(Boolean)).toBe(true);
  });

  it("are remembered of so many only", () => {
    const throttle = new Throttle(new StandingClock(), 2);
    expect(throttle.take("a", "", 1)).toBe(true);
    for (const address of ["b", "c"]) throttle.take(address, "", 1);
    expect(throttle.take("a", "", 1)).toBe(true);
    expect(throttle.take("a", "", 1)).toBe(false);
  });
});
