import { describe, expect, it } from "vitest";
import type { NotMine, Proof } from "../../../src/auth/authenticator.ts";
import type { Credential } from "../../../src/auth/ephemeral.ts";
import { mint, sign } from "../../../src/auth/ephemeral.ts";
import { type ExchangeSecret, IssuedAuthenticator, issue, issueDirect } from "../../../src/auth/issued.ts";
import { NonceKey, Nonces } from "../../../src/auth/nonce.ts";
import { OwnKeys } from "../../../src/auth/own-keys.ts";
import { Customers } from "../../../src/core/customers.ts";
import { PosternError } from "../../../src/core/errors.ts";
import type { Customer, Identity, Narrowing, Secret, VerificationKey } from "../../../src/core/identity.ts";
import { type DigestCredentials, digestResponse, ha1, parseAuthorization } from "../../../src/sip/digest.ts";
import { customer, identity } from "../../helpers/customers.ts";

const start = 1_700_000_000;
const exchange: ExchangeSecret = { secret: "the exchange secret", algorithm: "sha1" };
const keys = new OwnKeys({ chain: ["the chain secret"], exchange: exchange.secret });
const k1: Secret = { id: "k1", secret: "first secret of acme", algorithm: "sha1" };
const jwt: VerificationKey = { id: "j1", alg: "HS256", source: { kind: "secret", secret: "x" }, singleUse: false };
const acme = customer({ secrets: [k1], keys: [jwt] });
const globex = customer({ id: "globex", domains: ["globex.example"], secrets: [{ ...k1, secret: "of globex" }] });
const alice = identity(acme, { expiry: start + 3600 });
const narrowing: Narrowing = {
  methods: ["INVITE"],
  numbers: ["+32*"],
  oneCall: { name: "x".repeat(22), until: 2_000_000_000 },
  maxSeconds: 60,
};

const issued = (of: Identity = alice, ttl = 300): Credential =>
  issue({ identity: of, exchange, keys, ttl, now: start });
const resigned = (username: string, secret = exchange.secret): Credential => ({
  username,
  password: sign(secret, exchange.algorithm, username),
  ttl: 300,
});
const handleOf = ({ username }: Credential): string => username.slice(username.indexOf(";") + 1);
const bareOf = ({ username }: Credential): string => username.slice(0, username.indexOf(";"));

/** An authenticator whose clock, customers, keys and exchange secret a test can set. */
class Bench {
  at = start;
  customers = new Customers([acme, globex]);
  keys = keys;
  exchange: ExchangeSecret | undefined = exchange;
  readonly nonces = new Nonces(new NonceKey(Buffer.alloc(32, 1)), "c1", { now: () => this.at * 1000 });
  readonly #authenticator = new IssuedAuthenticator({
    customers: () => this.customers,
    clock: { now: () => this.at * 1000 },
    exchange: () => this.exchange,
    keys: () => this.keys,
  });

  password({ username, password }: Pick<Credential, "username" | "password">): Proof | NotMine {
    return this.#authenticator.prove({ kind: "password", username, password });
  }

  answer({ username, password }: Credential, changes: Partial<DigestCredentials> = {}): DigestCredentials {
    const plain = { nonce: this.nonces.issue(), uri: "sip:acme.example", nc: "00000001", cnonce: "c0", qop: "auth" };
    const given = { username, realm: "acme.example", ...plain, ...changes };
    const hash = ha1(given.username, given.realm, password);
    return { ...given, response: changes.response ?? digestResponse({ ...given, ha1: hash, method: "REGISTER" }) };
  }

  digest(credentials: DigestCredentials, changes: { method?: string; requestUri?: string; realm?: string } = {}) {
    const request = { method: "REGISTER", requestUri: "sip:acme.example", realm: "acme.example", ...changes };
    return this.#authenticator.prove({ kind: "digest", credentials, nonces: this.nonces, ...request });
  }

  /** The verdict on it, which must be the same by digest and by password. */
  verdict(given: Credential): string {
    const both = [verdict(this.digest(this.answer(given))), verdict(this.password(given))];
    expect(both[0]).toBe(both[1]);
    return both[0]!;
  }

  token(): Proof | NotMine {
    return this.#authenticator.prove({ kind: "token", token: "a.b.c", domain: undefined, holder: "c1" });
  }
}

const verdict = (proof: Proof | NotMine): string => (proof.kind === "refused" ? proof.refusal.code : proof.kind);

describe("an exchanged credential", () => {
  it("proves by digest and by password whom it was given to, by whose secret, until when, narrowed as they were", () => {
    const exchanged = { kind: "jti", value: "one" } as const;
    const given = issued({ ...alice, narrowing, names: [exchanged] });
    const names = [{ kind: "handle", value: handleOf(given) }, exchanged];
    const wanted = { ...alice, expiry: start + 300, ownClock: true, narrowing, names };
    const bench = new Bench();
    expect(bench.digest(bench.answer(given))).toEqual({ kind: "proved", identity: wanted });
    expect(bench.password(given)).toEqual({ kind: "proved", identity: wanted });
    expect(bench.verdict(issued())).toBe("proved");
  });

  it("proves by the key that a token was verified with, and never by a secret of the same id", () => {
    const byKey = issued({ ...alice, provedBy: jwt });
    const bench = new Bench();
    expect(bench.password(byKey)).toMatchObject({ identity: { provedBy: jwt } });
    bench.customers = new Customers([customer({ secrets: [{ ...k1, id: "j1" }] })]);
    expect(bench.verdict(byKey)).toBe("credential-revoked");
  });

  it("is its expiry, its address and a handle that tells nothing, and its password the HMAC of all that", () => {
    const given = issued();
    expect(given.username).toMatch(/^1700000300:alice@acme\.example;[A-Za-z0-9_-]+$/);
    expect(given).toMatchObject({ ttl: 300, password: sign(exchange.secret, "sha1", given.username) });
    expect(Buffer.from(handleOf(given), "base64url").toString("latin1")).not.toMatch(/acme|k1|narrow/);
  });

  it("is one identity for one credential at every sight, and another after the customers were read anew", () => {
    const bench = new Bench();
    const given = issued();
    const seen = [bench.password(given), bench.digest(bench.answer(given)), bench.password(issued())].map(
      (proof) => proof.kind === "proved" && proof.identity,
    );
    expect(seen[0]).toBe(seen[1]);
    expect(seen[0]).not.toBe(seen[2]);
    bench.customers = new Customers([{ ...acme }]);
    const after = bench.password(given);
    expect(after.kind === "proved" && after.identity).not.toBe(seen[0]);
    expect(after).toMatchObject({ kind: "proved", identity: { customer: bench.customers.all[0] } });
  });

  it("is good for the second of its stamp and not a second longer, whatever skew the customer has", () => {
    const bench = new Bench();
    bench.customers = new Customers([{ ...acme, clockSkew: 60 }]);
    bench.at = start + 300;
    expect(bench.verdict(issued())).toBe("proved");
    bench.at++;
    expect(bench.verdict(issued())).toBe("credential-expired");
  });

  it("is told apart: a token, and a username without a handle, are not its own", () => {
    const bench = new Bench();
    expect(bench.token()).toEqual({ kind: "not-mine" });
    const bare = mint({ ...exchange, user: "alice@acme.example", ttl: 300, now: start });
    expect(bench.verdict(bare)).toBe("not-mine");
    expect(bench.verdict(issueDirect({ identity: alice, exchange, ttl: 300, now: start }))).toBe("not-mine");
  });
});

describe("a handle", () => {
  const given = issued();
  const bob = issued(identity(acme, { user: "bob" }));
  const dave = issued(identity(globex));
  const foreignKeys = new OwnKeys({ chain: ["the chain secret"], exchange: "another exchange secret" });
  const forged = issue({ identity: alice, exchange, keys: foreignKeys, ttl: 300, now: start });

  it.each<[string, Credential]>([
    ["moved to another user", resigned(`${start + 300}:bob@acme.example;${handleOf(given)}`)],
    ["of another user", resigned(`${bareOf(given)};${handleOf(bob)}`)],
    ["moved to another customer's domain", resigned(`${start + 300}:alice@globex.example;${handleOf(given)}`)],
    ["of another customer", resigned(`${bareOf(given)};${handleOf(dave)}`)],
    ["with a later expiry", resigned(`${start + 301}:alice@acme.example;${handleOf(given)}`)],
    ["with its domain in another case", resigned(`${start + 300}:alice@ACME.example;${handleOf(given)}`)],
    ["short of its last character", resigned(given.username.slice(0, -1))],
    ["longer by a character", resigned(`${given.username}A`)],
    ["of nothing but As", resigned(`${bareOf(given)};${"A".repeat(60)}`)],
    ["that somebody else sealed, under the right exchange secret", forged],
    ["under another exchange secret", resigned(given.username, "another exchange secret")],
    ["under the chain secret", resigned(given.username, "the chain secret")],
    ["under the customer's secret", resigned(given.username, k1.secret)],
    ["with an empty password", { ...given, password: "" }],
    ["with another hash", { ...given, password: sign(exchange.secret, "sha256", given.username) }],
  ])("is rejected, and says nothing of a customer: %s", (_, wrong) => {
    const bench = new Bench();
    expect(bench.verdict(given)).toBe("proved");
    expect(bench.verdict(wrong)).toBe("credential-rejected");
    expect(bench.password(wrong)).not.toHaveProperty("customer");
  });

  it.each([
    "",
    ";",
    "A".repeat(37),
    `${"A".repeat(40)};`,
    `${"A".repeat(40)}=`,
    "A".repeat(3001),
    `${"A".repeat(40)} `,
  ])("is malformed where it can be none: %j", (handle) =>
    expect(new Bench().verdict(resigned(`${bareOf(given)};${handle}`))).toBe("credential-malformed"),
  );

  it.each([`${start + 300}:alice`, "alice@acme.example", `${start + 300}000:alice@acme.example`, ""])(
    "does not mend what stands before it: %j",
    (bare) => expect(new Bench().verdict(resigned(`${bare};${handleOf(given)}`))).toBe("credential-malformed"),
  );

  it("is good while the chain secret rotates out, and no longer", () => {
    const bench = new Bench();
    bench.keys = new OwnKeys({ chain: ["a newer chain secret", "the chain secret"], exchange: exchange.secret });
    expect(bench.verdict(given)).toBe("proved");
    bench.keys = new OwnKeys({ chain: ["a newer chain secret"], exchange: exchange.secret });
    expect(bench.verdict(given)).toBe("credential-rejected");
  });

  it("is good while the exchange secret rotates out, and no longer; what is new is under the newest", () => {
    const bench = new Bench();
    const secrets = ["a newer exchange secret", exchange.secret];
    bench.exchange = { ...exchange, secret: secrets[0]!, secrets };
    bench.keys = new OwnKeys({ chain: ["the chain secret"], exchange: secrets });
    expect(bench.verdict(given)).toBe("proved");
    const text = bench.keys.seal("x", "y");
    expect(new OwnKeys({ chain: ["the chain secret"], exchange: secrets[0] }).open(text, "y")).toBe("x");
    bench.exchange = { ...exchange, secret: secrets[0]!, secrets: [secrets[0]!] };
    bench.keys = new OwnKeys({ chain: ["the chain secret"], exchange: [secrets[0]!] });
    expect(bench.verdict(given)).toBe("credential-rejected");
  });

  it("proves nothing where nothing is exchanged, not even under what stands in for the secret", () => {
    const bench = new Bench();
    bench.exchange = undefined;
    expect(bench.verdict(given)).toBe("credential-rejected");
    expect(bench.verdict(resigned(given.username, "none"))).toBe("credential-rejected");
  });
});

describe("what was exchanged", () => {
  it.each<[string, readonly Customer[]]>([
    ["has lost its secret", [customer({ secrets: [{ ...k1, id: "k2" }], keys: [jwt] }), globex]],
    ["gave its secret's id to another secret", [customer({ secrets: [{ ...k1, secret: "new" }] }), globex]],
    ["has its secret under another hash", [customer({ secrets: [{ ...k1, algorithm: "sha256" }] }), globex]],
    ["has a secret whose window is over", [customer({ secrets: [{ ...k1, notAfter: start - 1 }] }), globex]],
    ["has a secret whose window is to come", [customer({ secrets: [{ ...k1, notBefore: start + 1 }] }), globex]],
    ["is gone", [globex]],
    ["has lost the domain", [customer({ domains: ["acme2.example"], secrets: [k1] }), globex]],
    ["has lost the domain to another with the same secret", [customer({ id: "heir", secrets: [k1] }), globex]],
  ])("is revoked where its customer %s", (_, all) => {
    const bench = new Bench();
    const given = issued();
    expect(bench.verdict(given)).toBe("proved");
    bench.customers = new Customers(all);
    expect(bench.verdict(given)).toBe("credential-revoked");
    bench.customers = new Customers([acme, globex]);
    expect(bench.verdict(given)).toBe("proved");
  });

  it("stands where a window was put around its secret, and ends with it", () => {
    const bench = new Bench();
    const given = issued();
    bench.customers = new Customers([customer({ secrets: [{ ...k1, notBefore: start, notAfter: start + 10 }] })]);
    bench.at = start + 10;
    expect(bench.verdict(given)).toBe("proved");
    bench.at = start + 11;
    expect(bench.verdict(given)).toBe("credential-revoked");
  });

  it("is revoked with the key of its token, also where the key has its id alone in common", () => {
    const given = issued({ ...alice, provedBy: jwt });
    const bench = new Bench();
    for (const left of [[], [{ ...jwt, alg: "HS512" as const }], [{ ...jwt, audience: "x" }]]) {
      bench.customers = new Customers([{ ...acme, keys: left }]);
      expect(bench.verdict(given)).toBe("credential-revoked");
    }
  });

  it("names its own customer in the verdict, and never the heir of its domain", () => {
    const bench = new Bench();
    const given = issued();
    bench.customers = new Customers([customer({ secrets: [] })]);
    expect(bench.password(given)).toMatchObject({ customer: { id: "acme" } });
    bench.customers = new Customers([customer({ id: "heir", secrets: [k1] })]);
    expect(bench.password(given)).not.toHaveProperty("customer");
    bench.at += 301;
    expect(verdict(bench.password(given))).toBe("credential-expired");
    expect(bench.password(given)).not.toHaveProperty("customer");
  });
});

describe("a digest answer under it", () => {
  it("is refused when it comes again, before the credential's end is looked at", () => {
    const bench = new Bench();
    const answer = bench.answer(issued(alice, 5));
    expect(verdict(bench.digest(answer))).toBe("proved");
    expect(verdict(bench.digest(answer))).toBe("credential-replayed");
    bench.at += 6;
    expect(verdict(bench.digest(answer))).toBe("credential-replayed");
    const next = bench.answer(issued(alice, 5), { nonce: answer.nonce, nc: "00000002" });
    expect(verdict(bench.digest(next))).toBe("credential-expired");
  });

  it("is asked for again under another connection's nonce, an old one, an invented one", () => {
    const bench = new Bench();
    const other = new Nonces(new NonceKey(Buffer.alloc(32, 1)), "c2", { now: () => start * 1000 });
    for (const nonce of [other.issue(), "x", "0".repeat(44)]) {
      expect(verdict(bench.digest(bench.answer(issued(), { nonce })))).toBe("stale");
    }
    const late = bench.answer(issued());
    bench.at += 11;
    expect(verdict(bench.digest(late))).toBe("stale");
  });

  it("is for its own method, Request-URI and realm", () => {
    const bench = new Bench();
    expect(verdict(bench.digest(bench.answer(issued()), { method: "INVITE" }))).toBe("credential-rejected");
    expect(verdict(bench.digest(bench.answer(issued()), { realm: "globex.example" }))).toBe("credential-rejected");
    expect(verdict(bench.digest(bench.answer(issued()), { requestUri: "sip:globex.example" }))).toBe(
      "message-malformed",
    );
    expect(verdict(bench.digest(bench.answer(issued(), { realm: "ACME.example" })))).toBe("proved");
  });

  it("does not use up the nonce where it is wrong", () => {
    const bench = new Bench();
    const nonce = bench.nonces.issue();
    const wrong = bench.answer({ ...issued(), password: "wrong" }, { nonce, nc: "0000ffff" });
    expect(verdict(bench.digest(wrong))).toBe("credential-rejected");
    expect(verdict(bench.digest(bench.answer(issued(), { nonce })))).toBe("proved");
  });
});

describe("the most that a credential carries", () => {
  const long = (count: number): Narrowing => ({ numbers: Array.from({ length: count }, (_, i) => `+${1e10 + i}`) });
  const host = `${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(60)}.example`;
  const far = customer({ domains: [host], secrets: [k1] });
  const of = (narrowed: Narrowing) => identity(far, { user: "u".repeat(64), expiry: start + 300, narrowing: narrowed });
  const fits = (count: number): boolean => {
    try {
      return issued(of(long(count))).username !== "";
    } catch (error) {
      expect(error).toBeInstanceOf(PosternError);
      expect(error).toMatchObject({ code: "exchange-narrowed" });
      return false;
    }
  };

  it("fits into a digest answer with the longest address there is, and proves; a number more is refused", () => {
    let count = 1;
    while (fits(count + 1)) count++;
    expect(count).toBeGreaterThan(100);
    const given = issued(of(long(count)));
    const bench = new Bench();
    bench.customers = new Customers([far]);
    const uri = `sip:${"v".repeat(64)}@${host}`;
    const { nonce, cnonce, response, nc } = bench.answer(given, { realm: host, uri });
    const line =
      `Digest algorithm=MD5, username="${given.username}", realm="${host}", nonce="${nonce}", uri="${uri}", ` +
      `response="${response}", qop=auth, cnonce="${cnonce}", nc=${nc}`;
    const parsed = parseAuthorization(line);
    if (parsed.kind !== "digest") throw new TypeError(JSON.stringify(parsed));
    const proof = bench.digest(parsed.credentials, { requestUri: uri, realm: host });
    expect(proof).toMatchObject({ kind: "proved", identity: { narrowing: long(count) } });
  });
});

describe("a direct credential", () => {
  it("is the plain construction under the exchange secret", () => {
    const given = issueDirect({
      identity: alice,
      exchange: { ...exchange, algorithm: "sha512" },
      ttl: 300,
      now: start,
    });
    const username = `${start + 300}:alice@acme.example`;
    expect(given).toEqual({ username, password: sign(exchange.secret, "sha512", username), ttl: 300 });
  });
});
