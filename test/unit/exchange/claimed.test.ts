import { describe, expect, it } from "vitest";
import { customerName } from "../../../src/core/counted.ts";
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
    expect(password("1:alice@Acme.example")).toEqual(["domain acme.example"]);
    expect(password("1:acme", "acme")).toEqual(["customer acme"]);
  });

  it("is appID, where a token has one: nothing else names its customer then", () => {
    expect(token({ appID: 17, iss: "x", sub: "a@b.example" })).toEqual(["customer 17"]);
    expect(token({ appID: "acme", sub: "a@b.example" })).toEqual(["customer acme"]);
    expect(token({ appID: "(management)", sub: "a@b.example" })).toEqual(["unnamed"]);
  });

  it("is the user's domain too beside an iss, whether that is anybody's or not", () => {
    expect(token({ iss: "acme", sub: "a@b.example" })).toEqual(["customer acme", "domain b.example"]);
    expect(token({ iss: "x17", sub: "a@b.example" })).toEqual(["customer x17", "domain b.example"]);
    expect(token({ iss: "https://b.example/", sub: "a@b.example" })).toEqual(["domain b.example"]);
  });

  it("is the user's domain, else the one beside the token", () => {
    expect(token({ sub: "a@B.example" })).toEqual(["domain b.example"]);
    expect(token({ userID: "a@c.example", sub: "a@b.example" })).toEqual(["domain c.example"]);
    expect(token({ sub: "a@b.example" }, "acme.example")).toEqual(["domain b.example"]);
    expect(token({ sub: "alice" }, "acme.example")).toEqual(["domain acme.example"]);
  });

  it("has one name for all that nobody could be called", () => {
    for (const claims of [{}, [], { appID: "a b" }, { appID: "a".repeat(65) }, { sub: "a@(handshake)" }]) {
      expect(token(claims)).toEqual(["unnamed"]);
    }
    expect(claimedBy({ kind: "token", token: "none", domain: undefined, holder: "h" })).toEqual(["unnamed"]);
    const long = `.${"A".repeat(9000)}.`;
    expect(claimedBy({ kind: "token", token: long, domain: undefined, holder: "h" })).toEqual(["unnamed"]);
    expect(password("1:a@b c")).toEqual(["unnamed"]);
    expect(password("1:(management)", "(management)")).toEqual(["unnamed"]);
  });
});

describe("requests a second", () => {
  const acme = [customerName("acme")];

  it("are limited for each address and claim, and refilled", () => {
    const clock = new StandingClock();
    const throttle = new Throttle(clock);
    const take = (address = "a", claimed = acme): boolean => throttle.take(address, claimed, 2);
    expect([take(), take(), take()]).toEqual([true, true, false]);
    expect([take("b"), take("a", [customerName("globex")])]).toEqual([true, true]);
    clock.ms += 1500;
    expect(take()).toBe(true);
  });

  it("are limited under each of the names, and a refused one costs under none", () => {
    const throttle = new Throttle(new StandingClock());
    const named = (name: string): boolean => throttle.take("a", [customerName(name), ...acme], 2);
    expect([named("x"), named("y"), named("z"), named("z")]).toEqual([true, true, false, false]);
    expect(throttle.take("a", [customerName("z")], 2)).toBe(true);
    expect(throttle.take("a", [customerName("z"), customerName("z")], 2)).toBe(true);
    expect(throttle.take("a", [customerName("z")], 2)).toBe(false);
  });

  it("of a /64 of IPv6 are those of one address", () => {
    const throttle = new Throttle(new StandingClock());
    const from = (address: string): boolean => throttle.take(address, acme, 1);
    expect([from("2001:db8::1"), from("2001:db8::2"), from("2001:db8:0:1::1")]).toEqual([true, false, true]);
  });

  it("are not limited by 0", () => {
    const throttle = new Throttle(new StandingClock());
    expect(Array.from({ length: 500 }, () => throttle.take("a", acme, 0)).every(Boolean)).toBe(true);
  });

  it("are remembered of so many only", () => {
    const throttle = new Throttle(new StandingClock(), 2);
    expect(throttle.take("a", acme, 1)).toBe(true);
    for (const address of ["b", "c"]) throttle.take(address, acme, 1);
    expect(throttle.take("a", acme, 1)).toBe(true);
    expect(throttle.take("a", acme, 1)).toBe(false);
  });
});
