import { describe, expect, it } from "vitest";
import type { Proof } from "../../../src/auth/authenticator.ts";
import { DigestAuthenticator } from "../../../src/auth/digest.ts";
import { mint, sign } from "../../../src/auth/ephemeral.ts";
import { NonceKey, Nonces } from "../../../src/auth/nonce.ts";
import { Customers } from "../../../src/core/customers.ts";
import type { Customer, Secret } from "../../../src/core/identity.ts";
import { type DigestCredentials, digestResponse, ha1 } from "../../../src/sip/digest.ts";

const start = 1_700_000_000;
const k1: Secret = { id: "k1", secret: "first secret of acme", algorithm: "sha1" };
const k2: Secret = { id: "k2", secret: "second secret of acme", algorithm: "sha256" };
const key = new NonceKey(Buffer.alloc(32, 1));

const customer = (changes: Partial<Customer> = {}): Customer => ({
  id: "acme",
  domains: ["acme.example"],
  secrets: [k1],
  keys: [],
  apiKeys: [],
  origins: [],
  maxTtl: 3600,
  clockSkew: 0,
  callFrom: [],
  numbers: [],
  dial: [],
  methods: [],
  inbound: {},
  passHeaders: [],
  limits: { connections: 1, registrations: 1, calls: 1, callsPerMinute: 1, callSeconds: 1 },
  ceilings: {},
  revoked: [],
  ...changes,
});

/** What a client is made of: its credential, and what it gets wrong. */
interface Client {
  readonly secret?: Secret;
  readonly user?: string;
  readonly ttl?: number;
  readonly password?: string;
  readonly realm?: string;
}

/** An authenticator over some customers, at a clock that a test can set, with its HMACs counted. */
class Bench {
  at = start;
  hmacs = 0;
  customers: Customers;
  readonly nonces: Nonces;
  readonly #authenticator: DigestAuthenticator;

  constructor(all: readonly Customer[] = [customer()], cacheSize?: number) {
    const clock = { now: () => this.at * 1000 };
    this.customers = new Customers(all);
    this.nonces = new Nonces(key, "c1", clock);
    this.#authenticator = new DigestAuthenticator({
      customers: () => this.customers,
      clock,
      sign: (...given) => {
        this.hmacs++;
        return sign(...given);
      },
      ...(cacheSize !== undefined && { cacheSize }),
    });
  }

  /** What the client answers to a challenge with this nonce. */
  answer(client: Client = {}, changes: Partial<DigestCredentials> = {}): DigestCredentials {
    const { secret = k1, user = "alice@acme.example", ttl = 300, realm = "acme.example" } = client;
    const minted = mint({ secret: secret.secret, user, ttl, algorithm: secret.algorithm, now: start });
    const plain = { nonce: this.nonces.issue(), uri: "sip:acme.example", nc: "00000001", cnonce: "c0", qop: "auth" };
    const given = { username: minted.username, realm, ...plain, ...changes };
    const hashed = ha1(given.username, given.realm, client.password ?? minted.password);
    return { ...given, response: changes.response ?? digestResponse({ ...given, ha1: hashed, method: "REGISTER" }) };
  }

  prove(credentials: DigestCredentials, changes: { method?: string; requestUri?: string; realm?: string } = {}): Proof {
    const request = { method: "REGISTER", requestUri: "sip:acme.example", realm: "acme.example", ...changes };
    const proof = this.#authenticator.prove({ kind: "digest", credentials, nonces: this.nonces, ...request });
    if (proof.kind === "not-mine") throw new TypeError("not mine");
    return proof;
  }

  /** HMACs that the proof cost. */
  price(credentials: DigestCredentials, changes: { realm?: string } = {}): number {
    const before = this.hmacs;
    this.prove(credentials, changes);
    return this.hmacs - before;
  }
}

const verdict = (proof: Proof): string => (proof.kind === "refused" ? proof.refusal.code : proof.kind);

describe("a right answer", () => {
  it("proves who it is, for which customer, by which secret, until when", () => {
    const acme = customer();
    const bench = new Bench([acme]);
    expect(bench.prove(bench.answer())).toEqual({
      kind: "proved",
      identity: {
        customer: acme,
        user: "alice",
        domain: "acme.example",
        provedBy: k1,
        expiry: start + 300,
        narrowing: {},
        names: [{ kind: "credential", value: `${start + 300}:alice@acme.example` }],
      },
    });
  });

  it("finds the customer by the username's domain, in any case, before the realm", () => {
    const bench = new Bench([customer(), customer({ id: "other", domains: ["other.example"], secrets: [k2] })]);
    const client = { user: "alice@ACME.example", realm: "other.example" };
    const proof = bench.prove(bench.answer(client), { realm: "other.example" });
    expect(proof).toMatchObject({ kind: "proved", identity: { customer: { id: "acme" }, domain: "acme.example" } });
  });

  it("finds the customer by the realm where the username has no domain", () => {
    const bench = new Bench([customer({ domains: ["acme.example", "acme.test"] })]);
    const proof = bench.prove(bench.answer({ user: "alice", realm: "acme.test" }), { realm: "acme.test" });
    expect(proof).toMatchObject({ kind: "proved", identity: { user: "alice", domain: "acme.test" } });
  });

  it("may not REGISTER as a customer as a whole, whose credential stands in a page, but as a user of that name", () => {
    const acme = customer({ methods: ["REGISTER", "INVITE", "OPTIONS"] });
    const bench = new Bench([acme]);
    const [whole, again] = [1, 2].map(() => bench.prove(bench.answer({ user: "acme" })));
    expect(whole).toMatchObject({
      kind: "proved",
      identity: { user: "acme", narrowing: { methods: ["INVITE", "OPTIONS"] } },
    });
    const narrowings = [whole, again].map((proof) => proof?.kind === "proved" && proof.identity.narrowing);
    expect(narrowings[0]).toBe(narrowings[1]);
    for (const user of ["acme@acme.example", "alice"]) {
      expect(bench.prove(bench.answer({ user }))).toHaveProperty("identity.narrowing", {});
    }
  });

  it("is computed over the realm as the client wrote it", () => {
    const bench = new Bench();
    expect(verdict(bench.prove(bench.answer({ realm: "Acme.EXAMPLE" })))).toBe("proved");
  });

  it("is one of any of the customer's secrets, whatever its hash", () => {
    const bench = new Bench([customer({ secrets: [k2, k1] })]);
    for (const secret of [k1, k2]) {
      expect(bench.prove(bench.answer({ secret }))).toMatchObject({ kind: "proved", identity: { provedBy: secret } });
    }
  });
});

describe("order of verdicts", () => {
  const wrong = { password: "wrong" };

  it("malformed comes first: the uri, then the username", () => {
    const bench = new Bench();
    const bad = { username: "alice:1700000300", nonce: "foreign", uri: "sip:other.example" };
    expect(verdict(bench.prove(bench.answer(wrong, bad)))).toBe("message-malformed");
    expect(verdict(bench.prove(bench.answer(wrong, { ...bad, uri: "sip:acme.example" })))).toBe("credential-malformed");
    expect(bench.hmacs).toBe(0);
  });

  it("names a stamp in milliseconds", () => {
    const bench = new Bench();
    const proof = bench.prove(bench.answer({}, { username: `${start + 300}000:alice@acme.example` }));
    expect(proof).toMatchObject({ refusal: { sentence: "the stamp counts milliseconds: use seconds" } });
  });

  it("stale comes before the proof", () => {
    const bench = new Bench();
    expect(verdict(bench.prove(bench.answer(wrong, { nonce: "foreign" })))).toBe("stale");
    const late = bench.answer(wrong);
    bench.at += 301;
    expect(verdict(bench.prove(late))).toBe("stale");
    expect(bench.hmacs).toBe(0);
  });

  it("stale is an answer that another connection was asked for", () => {
    const bench = new Bench();
    const nonce = new Nonces(key, "c2", { now: () => start * 1000 }).issue();
    expect(verdict(bench.prove(bench.answer({}, { nonce })))).toBe("stale");
  });

  it("rejected comes before expired and ttl, and says nothing of a customer", () => {
    const bench = new Bench([customer({ maxTtl: 1 })]);
    const proof = bench.prove(bench.answer(wrong));
    expect(proof).toEqual({ kind: "refused", refusal: expect.objectContaining({ code: "credential-rejected" }) });
    bench.at += 301;
    expect(verdict(bench.prove(bench.answer(wrong)))).toBe("credential-rejected");
  });

  it("a wrong answer does not use up the nonce", () => {
    const bench = new Bench();
    const nonce = bench.nonces.issue();
    expect(verdict(bench.prove(bench.answer(wrong, { nonce, nc: "0000ffff" })))).toBe("credential-rejected");
    expect(verdict(bench.prove(bench.answer({}, { nonce })))).toBe("proved");
  });

  it("replayed comes after the proof and before expired, and names the customer", () => {
    const acme = customer();
    const bench = new Bench([acme]);
    const answer = bench.answer({ ttl: 1 });
    expect(verdict(bench.prove(answer))).toBe("proved");
    bench.at += 2;
    const replay = bench.prove(answer);
    expect(replay).toMatchObject({ refusal: { code: "credential-replayed" }, customer: acme });
    const next = bench.prove(bench.answer({ ttl: 1 }, { nonce: answer.nonce, nc: "00000002" }));
    expect(next).toMatchObject({ refusal: { code: "credential-expired" }, customer: acme });
  });

  it("reads nc as hex: 9, a, 10 rise", () => {
    const bench = new Bench();
    const nonce = bench.nonces.issue();
    const counts = ["00000009", "0000000a", "00000010", "0000000f"];
    const verdicts = counts.map((nc) => verdict(bench.prove(bench.answer({}, { nonce, nc }))));
    expect(verdicts).toEqual(["proved", "proved", "proved", "credential-replayed"]);
  });

  it.each([
    ["the second of the stamp", {}, 300, "proved"],
    ["a second later", {}, 301, "credential-expired"],
    ["the last second of the skew", { clockSkew: 30 }, 330, "proved"],
    ["a second after the skew", { clockSkew: 30 }, 331, "credential-expired"],
    ["a second too long", { maxTtl: 299 }, 0, "credential-ttl"],
    ["as long as allowed", { maxTtl: 300 }, 0, "proved"],
  ])("lifetime: %s", (_, changes, late, code) => {
    const bench = new Bench([customer(changes)]);
    bench.at += late;
    expect(verdict(bench.prove(bench.answer()))).toBe(code);
  });
});

describe("what is not the credential's own request", () => {
  it.each([
    ["another method", { method: "INVITE" }, "credential-rejected"],
    ["another Request-URI", { requestUri: "sip:acme.example;x" }, "message-malformed"],
    ["a realm that was not asked for", { realm: "other.example" }, "credential-rejected"],
  ])("is refused: %s", (_, changes, code) => {
    const bench = new Bench();
    expect(verdict(bench.prove(bench.answer(), changes))).toBe(code);
  });

  it.each<[string, Partial<DigestCredentials>]>([
    ["username", { username: `${start + 301}:alice@acme.example` }],
    ["cnonce", { cnonce: "c1" }],
    ["nc", { nc: "00000002" }],
    ["response", { response: "0".repeat(32) }],
  ])("is refused: another %s than was hashed", (_, changes) => {
    const bench = new Bench();
    expect(verdict(bench.prove({ ...bench.answer(), ...changes }))).toBe("credential-rejected");
  });
});

describe("the price of a refusal", () => {
  const acme = customer({ secrets: [k1] });
  const three = customer({
    id: "three",
    domains: ["three.example"],
    secrets: ["a", "b", "c"].map((id) => ({ ...k1, id })),
  });
  const none = customer({ id: "none", domains: ["none.example"], secrets: [] });
  const late = customer({ id: "late", domains: ["late.example"], secrets: [{ ...k1, notAfter: start - 1 }] });
  const strangers: [string, Client][] = [
    ["an unknown customer", { user: "alice@nobody.example" }],
    ["a wrong password", { password: "wrong" }],
    ["a wrong secret", { secret: k2 }],
    ["a customer with three secrets", { user: "alice@three.example", password: "wrong" }],
    ["a customer without secrets", { user: "alice@none.example" }],
    ["a customer whose secret has ended", { user: "alice@late.example" }],
  ];

  it.each(strangers)("is the most secrets of any customer, and its words are the same: %s", (_, client) => {
    const bench = new Bench([acme, three, none, late]);
    expect(bench.price(bench.answer(client))).toBe(3);
    expect(bench.prove(bench.answer(client))).toEqual({
      kind: "refused",
      refusal: {
        code: "credential-rejected",
        sentence: "the credential is not right: check username, password, secret and algorithm",
      },
    });
  });

  it("is the same for a foreign realm and for what is remembered", () => {
    const bench = new Bench([acme, three, none, late]);
    expect(bench.price(bench.answer(), { realm: "other.example" })).toBe(3);
    expect(bench.price(bench.answer())).toBe(1);
    expect(bench.price(bench.answer())).toBe(0);
    expect(bench.price(bench.answer({ password: "wrong" }))).toBe(3);
  });

  it("is the same for 1 and for 50,000 customers, and so is the price of a right answer", () => {
    const many = Array.from({ length: 50_000 }, (_, i) => customer({ id: `c${i}`, domains: [`d${i}.example`] }));
    for (const all of [[acme], [...many, acme]]) {
      const bench = new Bench(all);
      for (const [, client] of strangers) expect(bench.price(bench.answer(client))).toBe(1);
      expect(bench.price(bench.answer())).toBe(1);
      expect(bench.price(bench.answer())).toBe(0);
    }
  });

  it("never lets the decoy that pads it prove anything", () => {
    const bench = new Bench([acme, three]);
    const decoy: Secret = { id: "decoy", secret: "no customer has this secret", algorithm: "sha1" };
    for (const user of ["alice@acme.example", "alice@nobody.example"]) {
      expect(verdict(bench.prove(bench.answer({ user, secret: decoy })))).toBe("credential-rejected");
    }
  });
});

describe("remembered proofs", () => {
  it("spare the HMAC, but neither the nonce's count nor the lifetime", () => {
    const bench = new Bench();
    const first = bench.answer();
    expect(verdict(bench.prove(first))).toBe("proved");
    expect(bench.price(bench.answer())).toBe(0);
    expect(verdict(bench.prove(first))).toBe("credential-replayed");
    bench.at += 301;
    expect(verdict(bench.prove(bench.answer()))).toBe("credential-expired");
    expect(bench.hmacs).toBe(1);
  });

  it("are of one username and realm", () => {
    const bench = new Bench();
    bench.prove(bench.answer());
    expect(bench.price(bench.answer({ user: "bob@acme.example" }))).toBe(1);
    expect(bench.price(bench.answer({ realm: "ACME.example" }))).toBe(1);
    expect(bench.price(bench.answer())).toBe(0);
  });

  it("end when the secret is removed", () => {
    const bench = new Bench();
    expect(verdict(bench.prove(bench.answer()))).toBe("proved");
    bench.customers = new Customers([customer({ secrets: [k2] })]);
    expect(verdict(bench.prove(bench.answer()))).toBe("credential-rejected");
    bench.customers = new Customers([customer({ secrets: [] })]);
    expect(verdict(bench.prove(bench.answer()))).toBe("credential-rejected");
  });

  it("end when the customer is removed or its domain goes to another", () => {
    const bench = new Bench();
    expect(verdict(bench.prove(bench.answer()))).toBe("proved");
    bench.customers = new Customers([]);
    expect(verdict(bench.prove(bench.answer()))).toBe("credential-rejected");
    bench.customers = new Customers([customer({ id: "heir", secrets: [k2] })]);
    expect(verdict(bench.prove(bench.answer()))).toBe("credential-rejected");
  });

  it("end with the secret's window", () => {
    const bench = new Bench([customer({ secrets: [{ ...k1, notAfter: start + 10 }] })]);
    expect(verdict(bench.prove(bench.answer()))).toBe("proved");
    bench.at += 10;
    expect(verdict(bench.prove(bench.answer()))).toBe("proved");
    bench.at += 1;
    expect(verdict(bench.prove(bench.answer()))).toBe("credential-rejected");
  });

  it("are made again when a reload made the secret anew", () => {
    const bench = new Bench();
    bench.prove(bench.answer());
    bench.customers = new Customers([customer({ secrets: [{ ...k1 }] })]);
    expect([bench.price(bench.answer()), bench.price(bench.answer())]).toEqual([1, 0]);
  });

  it("give way to another secret's proof of the same username", () => {
    const bench = new Bench([customer({ secrets: [k1, k2] })]);
    bench.prove(bench.answer({ secret: k1 }));
    expect(bench.prove(bench.answer({ secret: k2 }))).toMatchObject({ identity: { provedBy: k2 } });
    expect(bench.prove(bench.answer({ secret: k1 }))).toMatchObject({ identity: { provedBy: { id: "k1" } } });
  });

  it("are no more than cacheSize, the least used dropped first", () => {
    const bench = new Bench([customer()], 2);
    for (const user of ["a", "b", "c"]) bench.prove(bench.answer({ user: `${user}@acme.example` }));
    const prices = ["c", "b", "a"].map((user) => bench.price(bench.answer({ user: `${user}@acme.example` })));
    expect(prices).toEqual([0, 0, 1]);
  });

  it("are only of proofs that succeeded, so that strangers push none out", () => {
    const bench = new Bench([customer()], 1);
    bench.prove(bench.answer({ user: "bob@acme.example" }));
    bench.prove(bench.answer({ password: "wrong" }));
    expect(bench.price(bench.answer({ password: "wrong" }))).toBe(1);
    expect(verdict(bench.prove(bench.answer({ password: "wrong" })))).toBe("credential-rejected");
    expect(bench.price(bench.answer({ user: "bob@acme.example" }))).toBe(0);
  });

  it("are no password: the HA1 of nothing proves nothing", () => {
    const bench = new Bench();
    const answer = bench.answer();
    const response = digestResponse({ ...answer, ha1: "0".repeat(32), method: "REGISTER" });
    expect(verdict(bench.prove({ ...answer, response }))).toBe("credential-rejected");
  });
});
