import { describe, expect, it } from "vitest";
import { allowsOrigin, Customers, matchesNumber, OriginSet } from "../../../src/core/customers.ts";
import { customer } from "../../helpers/customers.ts";
import { cpuMs } from "../../helpers/sip-text.ts";

describe("Customers", () => {
  const acme = customer({ id: "acme", domains: ["acme.example", "acme2.example"], numbers: ["+3225887*"] });
  const globex = customer({ id: "globex", domains: ["globex.example"], numbers: ["+32258870*", "+3225887123"] });
  const local = customer({ id: "local", domains: ["local.example"], numbers: ["1900", "08*"] });
  const customers = new Customers([acme, globex, local]);

  it("finds a customer by each of its domains, and by nothing like them", () => {
    expect(customers.byDomain("acme.example")).toBe(acme);
    expect(customers.byDomain("acme2.example")).toBe(acme);
    for (const domain of ["ACME.example", "www.acme.example", "acme.example.", "example", "", "constructor"]) {
      expect(customers.byDomain(domain)).toBeUndefined();
    }
  });

  it.each([
    ["+3225887000", "globex"],
    ["+3225887100", "acme"],
    ["+3225887123", "globex"],
    ["+32258871234", "acme"],
    ["+3225887", "acme"],
    ["+322588", undefined],
    ["3225887000", "globex"],
    ["3225887123", "globex"],
    ["1900", "local"],
    ["+1900", undefined],
    ["19001", undefined],
    ["0800", "local"],
    ["+0800", undefined],
    ["003225887000", undefined],
    ["", undefined],
    ["+", undefined],
  ])("gives %s to its exact owner, else to the longest prefix: %s", (number, id) => {
    expect(customers.ownerOf(number)?.id).toBe(id);
  });

  it("gives every number to whoever has the pattern *, unless another's is longer", () => {
    const all = new Customers([customer({ id: "all", numbers: ["*"] }), acme]);
    expect(all.ownerOf("+1")?.id).toBe("all");
    expect(all.ownerOf("+3225887000")?.id).toBe("acme");
  });

  it("asks as little among 100,000 patterns as among ten", () => {
    const patterns = Array.from({ length: 100_000 }, (_, i) => `+${10_000_000 + i}*`);
    const many = new Customers([customer({ id: "many", numbers: patterns }), acme]);
    const few = new Customers([customer({ id: "few", numbers: patterns.slice(0, 10) }), acme]);
    const ask = (of: Customers) => (): void => {
      for (let i = 0; i < 20_000; i++) {
        expect(of.ownerOf("+10000005123")).toBeDefined();
        expect(of.ownerOf("+9999999999")).toBeUndefined();
      }
    };
    cpuMs(ask(few));
    expect(many.ownerOf("+10099999000")?.id).toBe("many");
    expect(cpuMs(ask(many))).toBeLessThan(5 * cpuMs(ask(few)) + 50);
  });

  it("knows the most secrets that any customer has", () => {
    const secret = { id: "k", secret: "0123456789abcdef", algorithm: "sha1" } as const;
    expect(new Customers([]).mostSecrets).toBe(1);
    expect(new Customers([acme, customer({ secrets: [secret, secret, secret] })]).mostSecrets).toBe(3);
  });

  it("knows whether anyone allows an origin", () => {
    const a = customer({ origins: ["https://www.acme.example"] });
    const b = customer({ origins: ["https://*.globex.example"] });
    const both = new Customers([a, b]);
    expect(both.someoneAllows("https://www.acme.example")).toBe(true);
    expect(both.someoneAllows("https://x.globex.example")).toBe(true);
    expect(both.someoneAllows("https://evil.example")).toBe(false);
    expect(new Customers([a, customer()]).someoneAllows("https://evil.example")).toBe(true);
    expect(new Customers([]).someoneAllows("https://evil.example")).toBe(false);
  });
});

describe("matchesNumber", () => {
  it.each([
    ["+3225887000", "+3225887000", true],
    ["+3225887000", "3225887000", true],
    ["3225887000", "3225887000", true],
    ["3225887000", "+3225887000", false],
    ["+3225887000", "+32258870001", false],
    ["+3225887000", "+322588700", false],
    ["+3225887000", "003225887000", false],
    ["+3225887*", "+3225887", true],
    ["+3225887*", "+322588799999", true],
    ["+3225887*", "322588799999", true],
    ["+3225887*", "+322588699999", false],
    ["+3225887*", "0322588799999", false],
    ["3225887*", "+3225887000", false],
    ["*", "+1900", true],
    ["*", "112", true],
    ["+*", "+1900", true],
    ["+*", "1900", true],
  ])("pattern %s, number %s: %s", (pattern, number, matches) => {
    expect(matchesNumber([pattern], number)).toBe(matches);
    expect(matchesNumber(["+9", pattern], number)).toBe(matches);
    expect(matchesNumber([], number)).toBe(false);
  });
});

describe("OriginSet", () => {
  const of = (...origins: string[]): OriginSet => {
    const set = new OriginSet();
    set.add(origins);
    return set;
  };

  it("allows any origin where a list is empty, and none before there is a list", () => {
    expect(of().allows("https://evil.example")).toBe(true);
    expect(new OriginSet().allows("https://evil.example")).toBe(false);
  });

  it.each([
    ["https://www.acme.example", true],
    ["https://www.acme.example:8443", false],
    ["http://www.acme.example", false],
    ["https://WWW.acme.example", false],
    ["https://www.acme.example.", false],
    ["https://www.acme.example/", false],
    ["https://acme.example", false],
    ["https://evil.www.acme.example", false],
    ["https://www.acme.example.evil.example", false],
    ["null", false],
    ["", false],
  ])("exact: %s is allowed: %s", (origin, allowed) => {
    expect(of("https://www.acme.example").allows(origin)).toBe(allowed);
  });

  it.each([
    ["https://www.acme.example", true],
    ["https://a.b.c.acme.example", true],
    ["https://acme.example", false],
    ["https://.acme.example", false],
    ["https://evilacme.example", false],
    ["https://www.evilacme.example", false],
    ["https://acme.example.evil.example", false],
    ["https://www.acme.example.evil.example", false],
    ["https://www.acme.example:8443", false],
    ["http://www.acme.example", false],
    ["xhttps://www.acme.example", false],
    ["https:/www.acme.example", false],
    ["www.acme.example", false],
    ["null", false],
    ["", false],
  ])("wildcard: %s is allowed: %s", (origin, allowed) => {
    expect(of("https://*.acme.example").allows(origin)).toBe(allowed);
  });

  it("a wildcard with a port means that port", () => {
    const set = of("http://*.acme.example:8080");
    expect(set.allows("http://www.acme.example:8080")).toBe(true);
    expect(set.allows("http://www.acme.example")).toBe(false);
    expect(set.allows("http://www.acme.example:80800")).toBe(false);
  });

  it("spends next to nothing on an Origin made of dots", () => {
    const set = of("https://*.acme.example");
    const origin = `https://${"a.".repeat(8000)}evil`;
    expect(
      cpuMs(() => {
        for (let i = 0; i < 100; i++) expect(set.allows(`${origin}${i}`)).toBe(false);
      }),
    ).toBeLessThan(200);
  });

  it("is asked of a customer by its own list", () => {
    const acme = customer({ origins: ["https://www.acme.example"] });
    for (let twice = 0; twice < 2; twice++) {
      expect(allowsOrigin(acme, "https://www.acme.example")).toBe(true);
      expect(allowsOrigin(acme, "https://www.globex.example")).toBe(false);
      expect(allowsOrigin(customer(), "https://www.globex.example")).toBe(true);
    }
  });
});

describe("customers that change", () => {
  const acme = customer({ numbers: ["+32*", "+3225"], inbound: { "+3225": "x" }, origins: ["https://*.acme.example"] });
  const globex = customer({ id: "globex", domains: ["globex.example"], origins: ["https://globex.example"] });
  const secrets = ["a", "b", "c"].map((id) => ({ id, secret: `${id}-secret-of-the-test`, algorithm: "sha1" as const }));

  it("answer with what was put and without what is gone, and are another object", () => {
    const before = new Customers([acme]);
    const after = before.change([globex], ["acme"]);
    expect(after).not.toBe(before);
    expect(after.all).toEqual([globex]);
    expect([after.byId("acme"), after.byDomain("acme.example"), after.ownerOf("+3225"), after.ownerOf("+329")]).toEqual(
      [...Array.from({ length: 4 }, () => undefined)],
    );
    expect(after.recipientOf("+3225")).toBeUndefined();
    expect(after.someoneAllows("https://www.acme.example")).toBe(false);
    expect(after.someoneAllows("https://globex.example")).toBe(true);
    expect(after.byDomain("globex.example")).toBe(globex);
  });

  it("keep for the next owner what passes to it in the same change, whichever comes first", () => {
    const heir = customer({ id: "heir", domains: ["acme.example"], numbers: ["+32*"], inbound: { "+3225": "y" } });
    for (const gone of [["acme"], []]) {
      const left = customer({ domains: [] });
      const after = new Customers([acme]).change(gone.length > 0 ? [heir] : [heir, left], gone);
      expect([after.byDomain("acme.example"), after.ownerOf("+3225"), after.recipientOf("+3225")?.customer]).toEqual([
        heir,
        heir,
        heir,
      ]);
    }
    const late = new Customers([acme]).change([heir], []).change([], ["acme"]);
    expect([late.byDomain("acme.example"), late.ownerOf("+329")]).toEqual([heir, heir]);
  });

  it("let an origin go with the last that wants it, and any origin with the last that takes all", () => {
    const open = customer({ id: "open", domains: [], origins: [] });
    const twin = customer({ id: "twin", domains: [], origins: ["https://globex.example"] });
    const customers = new Customers([globex, twin, open]).change([], ["globex"]);
    expect(customers.someoneAllows("https://evil.example")).toBe(true);
    const closed = customers.change([], ["open"]);
    expect(closed.someoneAllows("https://evil.example")).toBe(false);
    expect(closed.someoneAllows("https://globex.example")).toBe(true);
    expect(closed.change([], ["twin"]).someoneAllows("https://globex.example")).toBe(false);
  });

  it("know the most secrets that one of them has, up and down", () => {
    const customers = new Customers([acme]).change([{ ...globex, secrets }], []);
    expect(customers.mostSecrets).toBe(3);
    expect(customers.change([{ ...globex, secrets: [] }], []).mostSecrets).toBe(1);
    expect(customers.change([], ["acme", "globex"]).mostSecrets).toBe(1);
  });

  it("looks at so many whose trunks write a number alike", () => {
    const alike = Array.from({ length: 30 }, (_, at) =>
      customer({ id: `c${at}`, inbound: { [`+${100 + at}20700`]: "desk" }, trunkFormat: { [`+${100 + at}`]: "0" } }),
    );
    const found = new Customers(alike).recipientsOf("020700");
    expect(found).toHaveLength(16);
    expect(found[0]?.customer.id).toBe("c0");
  });

  it("cost what is changed, not how many there are", () => {
    const many = Array.from({ length: 100_000 }, (_, at) => customer({ id: `c${at}`, domains: [`c${at}.example`] }));
    let customers = new Customers(many);
    const spent = cpuMs(() => {
      for (let at = 0; at < 1_000; at++) customers = customers.change([{ ...many[at]!, maxTtl: 60 }], []);
    });
    expect(customers.byId("c999")?.maxTtl).toBe(60);
    expect(spent).toBeLessThan(2_000);
  });
});
