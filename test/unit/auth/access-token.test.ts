import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { AccessTokenAuthenticator, mintAccessToken } from "../../../src/auth/access-token.ts";
import type { NotMine, Presented, Proof } from "../../../src/auth/authenticator.ts";
import { EndedConferences } from "../../../src/auth/conferences.ts";
import { OwnKeys } from "../../../src/auth/own-keys.ts";
import { Customers } from "../../../src/core/customers.ts";
import type { Customer, Identity, Narrowing, Secret, VerificationKey } from "../../../src/core/identity.ts";
import { customer, identity } from "../../helpers/customers.ts";

const start = 1_700_000_000;
const issuer = "wss://sip.acme.example";
const secrets = { chain: ["the chain secret"], exchange: "the exchange secret" };
const keys = new OwnKeys(secrets);
const k1: Secret = { id: "k1", secret: "first secret of acme", algorithm: "sha1" };
const jwt: VerificationKey = { id: "k1", alg: "HS256", source: { kind: "secret", secret: "x" }, singleUse: false };
const acme = customer({ secrets: [k1], keys: [jwt] });
const globex = customer({ id: "globex", domains: ["globex.example"], secrets: [{ ...k1, secret: "of globex" }] });
const alice = identity(acme, { expiry: start + 3600 });
const mint = (of: Identity = alice, changes: { issuer?: string; keys?: OwnKeys; ttl?: number } = {}): string =>
  mintAccessToken({ identity: of, keys, issuer, ttl: 300, now: start, ...changes });

class Bench {
  at = start;
  customers = new Customers([acme, globex]);
  keys = keys;
  issuer = issuer;
  readonly conferences = new EndedConferences({ now: () => this.at * 1000 });
  readonly #authenticator = new AccessTokenAuthenticator({
    customers: () => this.customers,
    clock: { now: () => this.at * 1000 },
    keys: () => this.keys,
    issuer: () => this.issuer,
    conferences: this.conferences,
  });

  prove(token: string, domain?: string): Proof | NotMine {
    return this.ask({ kind: "token", token, domain, holder: "c1" });
  }

  ask(presented: Presented): Proof | NotMine {
    return this.#authenticator.prove(presented) as Proof | NotMine;
  }

  verdict(token: string, domain?: string): string {
    const proof = this.prove(token, domain);
    return proof.kind === "refused" ? proof.refusal.code : proof.kind;
  }
}

const parts = (token: string): [string, string, string] => token.split(".") as [string, string, string];
const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(parts(token)[1], "base64url").toString()) as Record<string, unknown>;
const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
/** With other claims or another header, signed as if by us. */
const resigned = (header: string, claims: string): string => `${header}.${claims}.${keys.sign(`${header}.${claims}`)}`;

describe("an access token", () => {
  it("proves whom it was given to, by whose secret or key, until when, narrowed as they were", () => {
    const narrowing: Narrowing = {
      permissions: ["SubmitConferenceStats"],
      oneCall: { name: "x", until: 2_000_000_000 },
    };
    const exchanged = { kind: "jti", value: "one" } as const;
    const given = mint({ ...alice, narrowing, names: [exchanged] });
    const names = [{ kind: "jti", value: claimsOf(given).jti }, exchanged];
    expect(new Bench().prove(given)).toEqual({
      kind: "proved",
      identity: { ...alice, expiry: start + 300, ownClock: true, narrowing, names },
    });
    expect(new Bench().prove(mint({ ...alice, provedBy: jwt }))).toMatchObject({ identity: { provedBy: jwt } });
  });

  it("has a header of its own, its issuer as audience, and no two are the same", () => {
    const given = mint();
    expect(JSON.parse(Buffer.from(parts(given)[0], "base64url").toString())).toEqual({
      alg: "HS256",
      typ: "postern-access+jwt",
    });
    const wanted = { iss: issuer, aud: issuer, sub: "alice@acme.example", iat: start, exp: start + 300 };
    expect(claimsOf(given)).toMatchObject(wanted);
    expect(claimsOf(mint()).jti).not.toBe(claimsOf(given).jti);
    expect(given).not.toContain(encoded(k1.secret).slice(0, 10));
  });

  it("is the same identity at second sight, and another after the customers were read anew", () => {
    const bench = new Bench();
    const given = mint();
    const [one, two, other] = [bench.prove(given), bench.prove(given), bench.prove(mint())].map(
      (proof) => proof.kind === "proved" && proof.identity,
    );
    expect(one).toBe(two);
    expect(one).not.toBe(other);
    bench.customers = new Customers([{ ...acme }]);
    const after = bench.prove(given);
    expect(after.kind === "proved" && after.identity).not.toBe(one);
  });

  it("is good for the second of its exp and not a second longer, at second sight too", () => {
    const bench = new Bench();
    const given = mint();
    bench.customers = new Customers([{ ...acme, clockSkew: 60 }]);
    bench.at = start + 300;
    expect(bench.verdict(given)).toBe("proved");
    bench.at++;
    expect(bench.verdict(given)).toBe("credential-expired");
  });

  it("of one conference ends with it, at second sight too; another customer's conference of that name is another", () => {
    const bench = new Bench();
    const narrowing: Narrowing = { permissions: ["*"], conference: "one@acme" };
    const [one, other] = [
      mint({ ...alice, narrowing }),
      mint({ ...alice, narrowing: { ...narrowing, conference: "two" } }),
    ];
    bench.conferences.end("globex", "one@acme");
    expect(bench.verdict(one)).toBe("proved");
    bench.conferences.end("acme", "one@acme");
    expect([bench.verdict(one), bench.verdict(other), bench.verdict(mint())]).toEqual([
      "credential-expired",
      "proved",
      "proved",
    ]);
  });

  it("says itself whose it is, whatever From says", () => {
    expect(new Bench().verdict(mint(), "globex.example")).toBe("proved");
    expect(new Bench().prove(mint(), "globex.example")).toMatchObject({ identity: { domain: "acme.example" } });
  });
});

describe("a token that is not ours", () => {
  const [header, claims] = parts(mint());
  it.each<[string, string]>([
    ["of another type", resigned(encoded({ alg: "HS256", typ: "JWT" }), claims)],
    ["of alg none", `${encoded({ alg: "none", typ: "postern-access+jwt" })}.${claims}.`],
    ["whose header is written otherwise", resigned(encoded({ typ: "postern-access+jwt", alg: "HS256" }), claims)],
    ["with more in its header", resigned(encoded({ alg: "HS256", typ: "postern-access+jwt", kid: "k1" }), claims)],
    ["that is ours but for a dot", `${header}${claims}`],
  ])("is not mine, for others to judge: %s", (_, token) => {
    expect(new Bench().verdict(token)).toBe("not-mine");
  });

  it("is every digest and every password", () => {
    expect(new Bench().ask({ kind: "password", username: mint(), password: mint() })).toEqual({ kind: "not-mine" });
  });

  it.each<[string, string]>([
    ["without signature", `${header}.${claims}.`],
    ["without claims", `${header}.`],
    ["without anything", `${header}..`],
    ["signed for nothing", `${header}.${keys.sign(header)}`],
    ["with a fourth part", `${mint()}.x`],
    ["signed under the chain secret itself", `${header}.${claims}.${hmac("the chain secret", `${header}.${claims}`)}`],
    ["signed under the exchange secret", `${header}.${claims}.${hmac("the exchange secret", `${header}.${claims}`)}`],
    ["signed under the customer's secret", `${header}.${claims}.${hmac(k1.secret, `${header}.${claims}`)}`],
    [
      "of a gateway with another exchange secret",
      mint(alice, { keys: new OwnKeys({ ...secrets, exchange: "other" }) }),
    ],
    [
      "with other claims under the same signature",
      `${header}.${encoded({ sub: "bob@acme.example" })}.${parts(mint())[2]}`,
    ],
  ])("is rejected, and says nothing of a customer: %s", (_, token) => {
    const bench = new Bench();
    expect(bench.verdict(token)).toBe("credential-rejected");
    expect(bench.prove(token)).not.toHaveProperty("customer");
    expect(bench.verdict(mint())).toBe("proved");
  });

  it.each([
    ["of another gateway", mint(alice, { issuer: "wss://other.example" })],
    ["for another audience", resigned(header, encoded({ ...claimsOf(mint()), aud: "wss://other.example" }))],
    ["of another issuer", resigned(header, encoded({ ...claimsOf(mint()), iss: "wss://other.example" }))],
  ])("is revoked, for it is no guess, where it is signed rightly and %s", (_, token) => {
    const bench = new Bench();
    expect(bench.verdict(token)).toBe("credential-revoked");
    expect(bench.prove(token)).not.toHaveProperty("customer");
    expect(bench.verdict(mint())).toBe("proved");
  });

  it("is rejected with any one character of it changed, in any spelling", () => {
    const given = mint();
    const bench = new Bench();
    expect(bench.verdict(given)).toBe("proved");
    for (let at = header.length + 1; at < given.length; at++) {
      const other = given[at] === "A" ? "B" : "A";
      const changed = given.slice(0, at) + other + given.slice(at + 1);
      expect(bench.verdict(changed), `character ${at}`).toBe("credential-rejected");
    }
    for (const written of [`${given}=`, `${given} `, given.slice(0, -1), ` ${given}`]) {
      expect(bench.verdict(written)).not.toBe("proved");
    }
  });

  it("is one of before, once the gateway's own address is another", () => {
    const bench = new Bench();
    const given = mint();
    expect(bench.verdict(given)).toBe("proved");
    bench.issuer = "wss://sip2.acme.example";
    expect(bench.verdict(given)).toBe("credential-revoked");
  });

  it("is none that is longer than a token may be, and none of that length is made", () => {
    const numbers = Array.from({ length: 700 }, (_, at) => `+3225887${at}`);
    expect(() => mint({ ...alice, narrowing: { numbers } })).toThrow(/^the token narrows by more/);
    const long = resigned(header, encoded({ ...claimsOf(mint()), more: "x".repeat(8192) }));
    expect(new Bench().verdict(long)).toBe("credential-rejected");
  });

  it("is one whose chain secret has rotated out; while it does, both are good", () => {
    const bench = new Bench();
    const given = mint();
    bench.keys = new OwnKeys({ ...secrets, chain: ["a newer one", "the chain secret"] });
    expect(bench.verdict(given)).toBe("proved");
    expect(bench.verdict(mint(alice, { keys: bench.keys }))).toBe("proved");
    bench.keys = new OwnKeys({ ...secrets, chain: ["a newer one"] });
    expect(bench.verdict(given)).toBe("credential-rejected");
  });
});

const hmac = (secret: string, text: string): string => createHmac("sha256", secret).update(text).digest("base64url");

describe("what the token was given for", () => {
  it.each<[string, readonly Customer[]]>([
    ["has lost its secret", [customer({ secrets: [], keys: [jwt] }), globex]],
    ["gave its secret's id to another", [customer({ secrets: [{ ...k1, secret: "new" }] }), globex]],
    ["has a secret whose window is over", [customer({ secrets: [{ ...k1, notAfter: start - 1 }] }), globex]],
    ["is gone", [globex]],
    ["has lost the domain to another with the same secret", [customer({ id: "heir", secrets: [k1] }), globex]],
  ])("is revoked where its customer %s, at second sight too", (_, all) => {
    const bench = new Bench();
    const given = mint();
    expect(bench.verdict(given)).toBe("proved");
    bench.customers = new Customers(all);
    expect(bench.verdict(given)).toBe("credential-revoked");
    bench.at += 301;
    expect(bench.verdict(given)).toBe("credential-expired");
  });

  it("is revoked with the very key, which a secret of the same id does not replace", () => {
    const bench = new Bench();
    const given = mint({ ...alice, provedBy: jwt });
    expect(bench.verdict(given)).toBe("proved");
    for (const left of [[], [{ ...jwt, audience: "x" }]]) {
      bench.customers = new Customers([{ ...acme, keys: left }]);
      expect(bench.verdict(given)).toBe("credential-revoked");
    }
  });

  it("ends with its secret's window, in the middle of the token's life", () => {
    const bench = new Bench();
    bench.customers = new Customers([customer({ secrets: [{ ...k1, notAfter: start + 10 }] })]);
    const given = mint();
    bench.at += 10;
    expect(bench.verdict(given)).toBe("proved");
    bench.at += 1;
    expect(bench.verdict(given)).toBe("credential-revoked");
  });

  it("names its own customer in the verdict, and never the heir of its domain", () => {
    const bench = new Bench();
    bench.at += 301;
    expect(bench.prove(mint())).toMatchObject({ customer: acme });
    bench.customers = new Customers([customer({ id: "heir" })]);
    expect(bench.prove(mint())).not.toHaveProperty("customer");
  });
});
