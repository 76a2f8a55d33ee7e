import { describe, expect, it } from "vitest";
import type { NotMine, Proof } from "../../../src/auth/authenticator.ts";
import { mint, sign } from "../../../src/auth/ephemeral.ts";
import { NonceKey, Nonces } from "../../../src/auth/nonce.ts";
import { PasswordAuthenticator } from "../../../src/auth/password.ts";
import { Customers } from "../../../src/core/customers.ts";
import type { Customer, Secret } from "../../../src/core/identity.ts";
import { customer } from "../../helpers/customers.ts";

const start = 1_700_000_000;
const k1: Secret = { id: "k1", secret: "first secret of acme", algorithm: "sha1" };
const k2: Secret = { id: "k2", secret: "second secret of acme", algorithm: "sha256" };
const acme = customer({ domains: ["acme.example", "acme.test"], secrets: [k2, k1] });
const globex = customer({
  id: "globex",
  domains: ["globex.example"],
  secrets: [{ ...k1, secret: "secret of globex" }],
});

class Bench {
  at = start;
  hmacs = 0;
  customers: Customers;
  readonly #authenticator: PasswordAuthenticator;

  constructor(all: readonly Customer[] = [acme, globex]) {
    this.customers = new Customers(all);
    this.#authenticator = new PasswordAuthenticator({
      customers: () => this.customers,
      clock: { now: () => this.at * 1000 },
      sign: (...given) => {
        this.hmacs++;
        return sign(...given);
      },
    });
  }

  prove(username: string, password: string, account?: string): Proof | NotMine {
    const shown = account === undefined ? { username, password } : { username, password, account };
    return this.#authenticator.prove({ kind: "password", ...shown }) as Proof | NotMine;
  }

  /** The verdict on a credential minted at the start. */
  verdict(
    user: string,
    { secret = k1, ttl = 300, password = undefined as string | undefined, account = "" } = {},
  ): string {
    const minted = mint({ secret: secret.secret, algorithm: secret.algorithm, user, ttl, now: start });
    return verdict(this.prove(minted.username, password ?? minted.password, account || undefined));
  }

  price(work: () => unknown): number {
    const before = this.hmacs;
    work();
    return this.hmacs - before;
  }
}

const verdict = (proof: Proof | NotMine): string => (proof.kind === "refused" ? proof.refusal.code : proof.kind);

describe("a right credential", () => {
  it("proves who it is, in any of the customer's domains, in any case, by which secret, until when", () => {
    const { username, password } = mint({
      secret: k1.secret,
      algorithm: "sha1",
      user: "alice@Acme.TEST",
      ttl: 300,
      now: start,
    });
    expect(new Bench().prove(username, password)).toEqual({
      kind: "proved",
      identity: {
        customer: acme,
        user: "alice",
        domain: "acme.test",
        provedBy: k1,
        expiry: start + 300,
        narrowing: {},
        names: [{ kind: "credential", value: username }],
      },
    });
  });

  it("is under any of the customer's secrets", () => {
    for (const secret of [k1, k2]) expect(new Bench().verdict("alice@acme.example", { secret })).toBe("proved");
  });

  it("of a user called like the customer is a user's, who may REGISTER", () => {
    const { username, password } = mint({
      secret: k1.secret,
      algorithm: "sha1",
      user: "acme@acme.example",
      ttl: 300,
      now: start,
    });
    expect(new Bench().prove(username, password)).toHaveProperty("identity.narrowing", {});
  });
});

describe("a credential of a customer as a whole", () => {
  const shown = mint({ secret: k1.secret, algorithm: "sha1", user: "acme", ttl: 300, now: start });

  it("is one user in its first domain, who may not REGISTER", () => {
    const proof = new Bench().prove(shown.username, shown.password, "acme");
    expect(proof).toMatchObject({ kind: "proved", identity: { customer: acme, user: "acme", domain: "acme.example" } });
    const methods = proof.kind === "proved" ? proof.identity.narrowing.methods : undefined;
    expect(methods).toEqual(acme.methods.filter((method) => method !== "REGISTER"));
  });

  it("is nobody's where it is shown without saying so, for nothing tells the customer", () => {
    expect(verdict(new Bench().prove(shown.username, shown.password))).toBe("credential-malformed");
  });

  it.each([
    ["another customer's id", "globex", shown.password],
    ["an id that nobody has", "nobody", shown.password],
    ["a domain as the id", "acme.example", shown.password],
    ["another password", "acme", "wrong"],
  ])("is rejected with %s", (_, account, password) => {
    const bench = new Bench();
    expect(
      bench.price(() => expect(verdict(bench.prove(shown.username, password, account))).toBe("credential-rejected")),
    ).toBe(2);
  });

  it("of a customer without domains proves nothing", () => {
    expect(new Bench([customer({ domains: [], secrets: [k1] })]).verdict("acme", { account: "acme" })).toBe(
      "credential-rejected",
    );
  });
});

describe("order of verdicts", () => {
  it("malformed comes first and costs nothing: no stamp, no user, milliseconds, no domain", () => {
    const bench = new Bench();
    for (const username of [
      "alice@acme.example",
      `${start}:`,
      `${start}000:alice@acme.example`,
      `${start - 1}:alice`,
    ]) {
      expect(verdict(bench.prove(username, "wrong"))).toBe("credential-malformed");
    }
    expect(bench.hmacs).toBe(0);
  });

  it("rejected comes before expired and ttl, and says nothing of a customer", () => {
    const bench = new Bench([customer({ maxTtl: 1, secrets: [k1] })]);
    const { username } = mint({ secret: "x", algorithm: "sha1", user: "alice@acme.example", ttl: 300, now: start });
    const rejected = { kind: "refused", refusal: expect.objectContaining({ code: "credential-rejected" }) };
    expect(bench.prove(username, "wrong")).toEqual(rejected);
    bench.at += 301;
    expect(bench.prove(username, "wrong")).toEqual(rejected);
  });

  it.each([
    ["the second of the stamp", {}, 300, "proved"],
    ["a second later", {}, 301, "credential-expired"],
    ["the last second of the skew", { clockSkew: 30 }, 330, "proved"],
    ["a second after the skew", { clockSkew: 30 }, 331, "credential-expired"],
    ["as long as allowed", { maxTtl: 300 }, 0, "proved"],
    ["a second too long", { maxTtl: 299 }, 0, "credential-ttl"],
  ])("lifetime: %s", (_, changes, late, wanted) => {
    const bench = new Bench([customer({ secrets: [k1], ...changes })]);
    bench.at += late;
    expect(bench.verdict("alice@acme.example")).toBe(wanted);
  });

  it("names the customer only of what was proved", () => {
    const bench = new Bench();
    bench.at += 301;
    const { username, password } = mint({
      secret: k1.secret,
      algorithm: "sha1",
      user: "a@acme.example",
      ttl: 300,
      now: start,
    });
    expect(bench.prove(username, password)).toMatchObject({ refusal: { code: "credential-expired" }, customer: acme });
  });
});

describe("the price of a refusal", () => {
  const none = customer({ id: "none", domains: ["none.example"], secrets: [] });
  const late = customer({ id: "late", domains: ["late.example"], secrets: [{ ...k1, notAfter: start - 1 }] });

  it.each<[string, string, { secret?: Secret; password?: string }]>([
    ["an unknown customer", "alice@nobody.example", {}],
    ["a wrong password", "alice@acme.example", { password: "wrong" }],
    ["an empty password", "alice@acme.example", { password: "" }],
    ["another customer's secret", "alice@globex.example", {}],
    ["a customer without secrets", "alice@none.example", {}],
    ["a secret outside its window", "alice@late.example", {}],
    ["the decoy", "alice@none.example", { secret: { ...k1, secret: "no customer has this secret" } }],
  ])("is the most secrets of any customer: %s", (_, user, how) => {
    const bench = new Bench([acme, globex, none, late]);
    expect(bench.price(() => expect(bench.verdict(user, how)).toBe("credential-rejected"))).toBe(2);
  });
});

describe("what is not its own", () => {
  it("is every other kind, and a username with a handle, whatever it is worth", () => {
    const authenticator = new PasswordAuthenticator({
      customers: () => new Customers([acme]),
      clock: { now: () => 0 },
    });
    const nonces = new Nonces(new NonceKey(Buffer.alloc(32)), "c1", { now: () => 0 });
    const credentials = { username: "x", realm: "", nonce: "", uri: "", response: "", nc: "", cnonce: "", qop: "auth" };
    const digest = { kind: "digest", credentials, method: "REGISTER", requestUri: "", realm: "", nonces } as const;
    expect(authenticator.prove(digest)).toEqual({ kind: "not-mine" });
    expect(authenticator.prove({ kind: "token", token: "a.b.c", domain: undefined, holder: "" })).toEqual({
      kind: "not-mine",
    });
    const bench = new Bench();
    for (const username of [`${start + 300}:alice@acme.example;`, ";", `${start + 300}:alice@acme.example;handle`]) {
      expect(bench.prove(username, sign(k1.secret, "sha1", username))).toEqual({ kind: "not-mine" });
    }
    expect(bench.hmacs).toBe(0);
  });
});
