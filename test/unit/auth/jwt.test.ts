import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { notMine, type Presented, type Proof } from "../../../src/auth/authenticator.ts";
import { rejectedToken } from "../../../src/auth/ephemeral.ts";
import { type Fetched, KeySets } from "../../../src/auth/jwks.ts";
import { JwtAuthenticator } from "../../../src/auth/jwt.ts";
import { ProofShare } from "../../../src/auth/proof-share.ts";
import { verifyJws } from "../../../src/auth/verification-keys.ts";
import { Customers } from "../../../src/core/customers.ts";
import type { Customer, Identity, JwtAlgorithm, VerificationKey } from "../../../src/core/identity.ts";
import { MemoryState } from "../../../src/state/memory.ts";
import type { State } from "../../../src/state/port.ts";
import { customer } from "../../helpers/customers.ts";
import { signer, signToken, verificationKey } from "../../helpers/tokens.ts";

const start = 1_700_000_000;
const uri = "https://idp.example/keys";
/** 64 bytes, enough for HS512. */
const secret = "acme's secret for tokens, long enough for every hash: 64 letters";
const hs = verificationKey("HS256", { kind: "secret", secret });
const es = signer("ES256", "e1");
const rsa = signer("RS256", "r1");
const set = (...keys: readonly unknown[]): Fetched => ({
  kind: "answer",
  status: 200,
  body: Buffer.from(JSON.stringify({ keys })),
});
const remote = (alg: JwtAlgorithm, id = "idp"): VerificationKey =>
  verificationKey(alg, { kind: "remote", uri }, { id, issuer: "https://idp.example", audience: "postern" });

/** An authenticator over some customers, at a clock that a test can set, its signature checks and fetches counted. */
class Bench {
  at = start;
  checks = 0;
  fetches = 0;
  fetched: Fetched = set(es.jwk);
  customers: Customers;
  readonly keySets: KeySets;
  readonly authenticator: JwtAuthenticator;

  constructor(
    all: readonly Customer[] = [customer({ keys: [hs] })],
    parts: { readonly state?: State; readonly cacheSize?: number } = {},
  ) {
    const clock = { now: () => this.at * 1000 };
    const quiet = (): void => {};
    this.customers = new Customers(all);
    this.keySets = new KeySets({
      fetch: async () => {
        this.fetches++;
        return this.fetched;
      },
      clock,
      log: { info: quiet, warn: quiet, error: quiet },
    });
    this.authenticator = new JwtAuthenticator({
      customers: () => this.customers,
      clock,
      state: parts.state ?? new MemoryState(clock),
      keySets: this.keySets,
      verifySignature: (...given) => {
        this.checks++;
        return verifyJws(...given);
      },
      ...(parts.cacheSize !== undefined && { cacheSize: parts.cacheSize }),
    });
  }

  show(token: string, changes: { readonly domain?: string; readonly holder?: string } = {}) {
    return this.authenticator.prove({
      kind: "token",
      token,
      domain: changes.domain,
      holder: changes.holder ?? "c1",
    });
  }

  /** `proved`, or the code of the refusal. */
  async verdict(token: string, changes: { readonly domain?: string; readonly holder?: string } = {}): Promise<string> {
    const proof = await this.show(token, changes);
    return proof.kind === "refused" ? proof.refusal.code : proof.kind;
  }

  /** Signature checks that one more look at it costs. */
  async cost(token: string): Promise<number> {
    const before = this.checks;
    await this.show(token);
    return this.checks - before;
  }
}

const usual = { appID: "acme", sub: "alice", exp: start + 300 };

const identityOf = (proof: { readonly kind: string; readonly identity?: Identity }): Identity | undefined =>
  proof.kind === "proved" ? proof.identity : undefined;

describe("a token of a customer", () => {
  const shared: readonly JwtAlgorithm[] = ["HS256", "HS384", "HS512"];
  const asymmetric: readonly JwtAlgorithm[] = ["ES256", "ES384", "ES512", "RS256", "RS512", "PS256", "PS384", "EdDSA"];

  it.each(shared)("is proved by %s under a secret, and by no other", async (alg) => {
    const bench = new Bench([customer({ keys: [verificationKey(alg, { kind: "secret", secret })] })]);
    const proof = await bench.show(await signToken({ alg }, usual, secret));
    expect(identityOf(proof)).toMatchObject({ user: "alice", domain: "acme.example", expiry: start + 300 });
    expect(identityOf(proof)?.provedBy).toBe(bench.customers.all[0]?.keys[0]);
    expect(await bench.verdict(await signToken({ alg }, usual, `${secret}.`))).toBe("credential-rejected");
  });

  it.each(asymmetric)("is proved by %s under PEM, JWK and JWK set, and by no other key", async (alg) => {
    const [own, other] = [signer(alg, "k1"), signer(alg, "k1")];
    const token = await signToken({ alg, kid: "k1", typ: "JWT" }, { ...usual, iss: "i", aud: "a" }, own.private);
    const foreign = await signToken({ alg, kid: "k1", typ: "JWT" }, { ...usual, iss: "i", aud: "a" }, other.private);
    const sources: readonly VerificationKey["source"][] = [
      { kind: "pem", pem: own.pem },
      { kind: "jwk", jwk: own.jwk },
      { kind: "remote", uri },
    ];
    for (const source of sources) {
      const key = verificationKey(alg, source, { id: "k1", issuer: "i", audience: "a" });
      const bench = new Bench([customer({ keys: [key] })]);
      bench.fetched = set(own.jwk);
      expect(await bench.verdict(token), source.kind).toBe("proved");
      expect(await bench.show(foreign), source.kind).toEqual({ kind: "refused", refusal: rejectedToken });
    }
  });

  it("is none of ours when it is no token", () => {
    const presented: Presented = { kind: "password", username: `${start + 300}:alice@acme.example`, password: "x" };
    expect(new Bench().authenticator.prove(presented)).toBe(notMine);
  });

  it.each(["JWT", "jwt", "at+jwt", "application/at+jwt", undefined])("may have typ %s", async (typ) => {
    const header = { alg: "HS256", ...(typ !== undefined && { typ }) };
    expect(await new Bench().verdict(await signToken(header, usual, secret))).toBe("proved");
  });

  it.each(["getPermissionToken+jwt", "logout+jwt", "dpop+jwt", "postern-access+jwt", ""])(
    "made for something else, typ %j, is refused",
    async (typ) => {
      const bench = new Bench();
      expect(await bench.verdict(await signToken({ alg: "HS256", typ }, usual, secret))).toBe("credential-rejected");
      expect(bench.checks).toBe(0);
    },
  );

  it("has its claims judged: what narrows it, and one call under a name of its own", async () => {
    const claims = { ...usual, methods: ["INVITE"], oneCall: true };
    const token = await signToken({ alg: "HS256" }, claims, secret);
    const signed = token.slice(0, token.lastIndexOf("."));
    const name = createHash("sha256").update(`acme ${signed}`).digest("base64url").slice(0, 22);
    const oneCall = { name, until: usual.exp + 3600 };
    expect(identityOf(await new Bench().show(token))?.narrowing).toEqual({ methods: ["INVITE"], oneCall });
  });

  it.each([
    ["ES256", 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n],
    ["ES384", 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n],
  ] as const)(
    "is one call under the other right signature of %s too: (r, n-s) is as right as (r, s)",
    async (alg, order) => {
      const { pem, private: key } = signer(alg);
      const bench = new Bench([customer({ keys: [verificationKey(alg, { kind: "pem", pem })] })]);
      const token = await signToken({ alg }, { ...usual, oneCall: true }, key);
      const at = token.lastIndexOf(".") + 1;
      const signature = Buffer.from(token.slice(at), "base64url");
      const half = signature.length / 2;
      const other = (order - BigInt(`0x${signature.subarray(half).toString("hex")}`))
        .toString(16)
        .padStart(2 * half, "0");
      const twin = Buffer.concat([signature.subarray(0, half), Buffer.from(other, "hex")]).toString("base64url");
      const [one, two] = [await bench.show(token), await bench.show(token.slice(0, at) + twin)];
      expect(identityOf(two)).toBeDefined();
      expect(identityOf(two)?.narrowing.oneCall).toEqual(identityOf(one)?.narrowing.oneCall);
    },
  );
});

describe("a token that is not right", () => {
  const acme = customer({ keys: [hs, verificationKey("RS256", { kind: "pem", pem: rsa.pem }, { id: "r1" })] });
  const beta = customer({
    id: "beta",
    domains: ["beta.example"],
    keys: [verificationKey("HS256", { kind: "secret", secret: "beta's own secret of 32 bytes or more" })],
  });
  const bench = new Bench([acme, beta]);
  const made = (claims: object, header: object = {}, key = secret): Promise<string> =>
    signToken({ alg: "HS256", ...header }, { ...usual, ...claims }, key);
  const looksLikeAnyOther = { kind: "refused", refusal: rejectedToken };

  it("is refused without its signature, and with one letter changed anywhere", async () => {
    const token = await made({});
    expect(await bench.verdict(token)).toBe("proved");
    expect(await bench.verdict(token.slice(0, token.lastIndexOf(".") + 1))).toBe("credential-malformed");
    for (let at = 0; at < token.length; at++) {
      const letter = token[at] === "A" ? "B" : "A";
      expect(await bench.verdict(token.slice(0, at) + letter + token.slice(at + 1))).toMatch(/malformed|rejected/);
    }
  });

  it("is refused under the key of another customer, for a customer that is none, and under a key that is none", async () => {
    expect(await bench.verdict(await made({}))).toBe("proved");
    expect(await bench.show(await made({ appID: "beta" }))).toEqual(looksLikeAnyOther);
    expect(await bench.show(await made({ appID: "gamma" }))).toEqual(looksLikeAnyOther);
    expect(await bench.show(await made({}, { kid: "j2" }))).toEqual(looksLikeAnyOther);
    expect(await bench.show(await made({ keyID: "j2" }))).toEqual(looksLikeAnyOther);
  });

  it("is refused where kid and keyID name two keys, taken where they name one", async () => {
    expect(await bench.verdict(await made({ keyID: "j1" }, { kid: "j1" }))).toBe("proved");
    expect(await bench.verdict(await made({ keyID: "j1" }))).toBe("proved");
    expect(await bench.show(await made({ keyID: "r1" }, { kid: "j1" }))).toEqual(looksLikeAnyOther);
  });

  it("is refused by HMAC under the text of a public key, however it is written", async () => {
    const forms = [rsa.pem, rsa.pem.trim(), rsa.pem.replaceAll("\n", "\r\n"), JSON.stringify(rsa.jwk)];
    for (const form of forms) {
      for (const kid of ["r1", "j1", undefined]) {
        const header = kid === undefined ? {} : { kid };
        expect(await bench.show(await made({}, header, form))).toEqual(looksLikeAnyOther);
      }
    }
    expect(await bench.verdict(await signToken({ alg: "RS256", kid: "r1" }, usual, rsa.private))).toBe("proved");
  });

  it("is refused by HMAC even where a public key was set as a secret", async () => {
    const careless = verificationKey("HS256", { kind: "secret", secret: rsa.pem });
    const careful = verificationKey("HS256", { kind: "secret", secret: rsa.pem.replaceAll("-", "_") });
    const at = (key: VerificationKey): Bench => new Bench([customer({ keys: [key] })]);
    expect(await at(careless).show(await made({}, {}, rsa.pem))).toEqual(looksLikeAnyOther);
    expect(await at(careful).verdict(await made({}, {}, rsa.pem.replaceAll("-", "_")))).toBe("proved");
  });

  it("is refused by another algorithm than the key's, also of its family", async () => {
    const keys = [verificationKey("RS256", { kind: "pem", pem: rsa.pem })];
    const of = new Bench([customer({ keys })]);
    expect(await of.verdict(await signToken({ alg: "RS256" }, usual, rsa.private))).toBe("proved");
    for (const alg of ["RS384", "RS512", "PS256", "PS512"]) {
      expect(await of.show(await signToken({ alg }, usual, rsa.private)), alg).toEqual(looksLikeAnyOther);
    }
    expect(await bench.show(await made({}, { alg: "HS512" }))).toEqual(looksLikeAnyOther);
  });

  it.each(["none", "NONE", "None", "nOnE"])("is refused with alg %s and any signature or none", async (alg) => {
    const [header, payload] = [{ alg }, usual].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
    expect(await bench.verdict(`${header}.${payload}.`)).toBe("credential-malformed");
    expect(await bench.verdict(`${header}.${payload}.c2ln`)).toBe("credential-rejected");
  });

  it.each(["HS1", "RS1", "ES256K", "HS256 ", "hs256", "A256GCM", "constructor", "__proto__"])(
    "is refused with alg %j, which is none of ours",
    async (alg) => {
      const [header, payload] = [{ alg }, usual].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
      const proof = await bench.show(`${header}.${payload}.c2ln`);
      expect(proof).toMatchObject({ refusal: { code: "credential-rejected" } });
    },
  );

  it("is refused when it brings its key, and nothing is fetched for it", async () => {
    const bringing = new Bench([customer({ keys: [verificationKey("ES256", { kind: "pem", pem: es.pem })] })]);
    const own = signer("ES256");
    for (const member of [{ jwk: own.jwk }, { jku: uri }, { x5u: uri }, { x5c: ["MIIB"] }]) {
      const forged = await signToken({ alg: "ES256", ...member }, usual, own.private);
      const right = await signToken({ alg: "ES256", ...member }, usual, es.private);
      expect(await bringing.verdict(forged)).toBe("credential-rejected");
      expect(await bringing.verdict(right)).toBe("credential-rejected");
    }
    expect(await bringing.verdict(await signToken({ alg: "ES256" }, usual, es.private))).toBe("proved");
    expect([bringing.checks, bringing.fetches]).toEqual([1, 0]);
  });

  it("is malformed before anything else, at no cost", async () => {
    const free = new Bench();
    const raw = (payload: string): string =>
      [Buffer.from('{"alg":"HS256"}'), Buffer.from(payload), Buffer.from("sig")]
        .map((part) => part.toString("base64url"))
        .join(".");
    const texts = [
      "",
      "x".repeat(10_000_000),
      raw('{"sub":"alice","sub":"bob","exp":1}'),
      raw(`{"sub":"alice","exp":${start},"a":${"[".repeat(3000)}${"]".repeat(3000)}}`),
      raw('{"sub":"alice","exp":"1700000000"}'),
      raw('{"sub":"alice"}'),
      raw('{"sub":"al ice","exp":1}'),
      raw('{"sub":"alice","exp":1,"permissions":["Everything"]}'),
    ];
    for (const text of texts) expect(await free.verdict(text), text.slice(0, 40)).toBe("credential-malformed");
    expect(free.checks).toBe(0);
  });

  it("in all spellings that cost a look says the same, and names no customer", async () => {
    const forged = await made(
      { exp: start - 100, sub: "alice@beta.example" },
      {},
      "a wrong secret, long enough for it all",
    );
    expect(await bench.show(forged)).toEqual(looksLikeAnyOther);
  });
});

describe("a token whose signature is right", () => {
  const judged = async (claims: object, changes: Partial<Customer> = {}, at = start): Promise<Proof> => {
    const bench = new Bench([customer({ keys: [hs], ...changes })]);
    bench.at = at;
    const proof = await bench.show(await signToken({ alg: "HS256" }, { ...usual, ...claims }, secret));
    if (proof.kind === "refused") expect(proof.customer).toBe(bench.customers.all[0]);
    return proof as Proof;
  };
  const code = async (...given: Parameters<typeof judged>): Promise<string> => {
    const proof = await judged(...given);
    return proof.kind === "refused" ? proof.refusal.code : proof.kind;
  };

  it("is told what is wrong with its times, and whose it is", async () => {
    expect(await code({ exp: start })).toBe("proved");
    expect(await code({ exp: start - 1 })).toBe("credential-expired");
    expect(await code({ exp: start - 1 }, { clockSkew: 1 })).toBe("proved");
    expect(await code({ nbf: start })).toBe("proved");
    expect(await code({ nbf: start + 1 })).toBe("credential-rejected");
    expect(await code({ iat: start + 6 })).toBe("credential-rejected");
    expect(await code({ iat: start + 6 }, { clockSkew: 1 })).toBe("proved");
    expect(await code({ iat: start + 5 })).toBe("proved");
    expect(await code({ exp: start + 3600 })).toBe("proved");
    expect(await code({ exp: start + 3601 })).toBe("credential-ttl");
    expect(await code({ exp: start, nbf: start })).toBe("proved");
    expect(await code({ exp: start, nbf: start }, {}, start + 1)).toBe("credential-expired");
  });

  it("is refused for its audience, issuer and domain before its times", async () => {
    for (const claims of [{ aud: "postern" }, { sub: "alice@beta.example" }]) {
      expect(await code({ ...claims, exp: start - 1 })).toBe("credential-rejected");
    }
    const keys = [{ ...hs, issuer: "https://idp.example", audience: "postern" }];
    const both = { iss: "https://idp.example", aud: ["postern"] };
    expect(await code(both, { keys })).toBe("proved");
    expect(await code({ ...both, iss: "https://evil.example" }, { keys })).toBe("credential-rejected");
    expect(await code({ ...both, aud: "evil" }, { keys })).toBe("credential-rejected");
    expect(await code({ ...both, aud: undefined }, { keys })).toBe("credential-rejected");
  });
});

describe("another look at a proved token", () => {
  it("is answered at once, with the very same identity and no signature check", async () => {
    const bench = new Bench();
    const token = await signToken({ alg: "HS256" }, usual, secret);
    const first = await bench.show(token);
    for (const holder of ["c1", "c2"]) {
      const again = bench.show(token, { holder });
      expect(again).not.toBeInstanceOf(Promise);
      expect(identityOf(again as Proof)).toBe(identityOf(first));
    }
    expect(bench.checks).toBe(1);
  });

  it("judges its times anew", async () => {
    const bench = new Bench();
    const token = await signToken({ alg: "HS256" }, { ...usual, nbf: start - 10 }, secret);
    expect(await bench.verdict(token)).toBe("proved");
    bench.at = start + 300.9;
    expect(await bench.verdict(token)).toBe("proved");
    bench.at = start + 301;
    const late = bench.show(token);
    expect(late).toMatchObject({ refusal: { code: "credential-expired" }, customer: { id: "acme" } });
    bench.at = start - 11;
    expect(await bench.verdict(token)).toBe("credential-rejected");
  });

  it("proves it anew after a reload, and refuses it where the key is gone or another", async () => {
    const bench = new Bench();
    const token = await signToken({ alg: "HS256", kid: "j1" }, usual, secret);
    await bench.show(token);
    bench.customers = new Customers([customer({ keys: [hs] })]);
    expect([await bench.verdict(token), bench.checks]).toEqual(["proved", 2]);
    expect(identityOf(bench.show(token) as Proof)?.customer).toBe(bench.customers.all[0]);
    const replaced = verificationKey("HS256", { kind: "secret", secret: `${secret} anew` });
    for (const all of [[customer({ keys: [replaced] })], [customer()], []]) {
      bench.customers = new Customers(all);
      expect(await bench.verdict(token)).toBe("credential-rejected");
    }
  });

  it("proves it anew after forgetAll", async () => {
    const bench = new Bench();
    const token = await signToken({ alg: "HS256" }, usual, secret);
    await bench.show(token);
    bench.authenticator.forgetAll();
    expect(bench.show(token)).toBeInstanceOf(Promise);
  });

  it("counts only for the From that it was proved with, where From alone told the customer", async () => {
    const beta = customer({ id: "beta", domains: ["beta.example"], keys: [hs] });
    const bench = new Bench([customer({ keys: [hs] }), beta]);
    const { appID: _appID, ...claims } = usual;
    const token = await signToken({ alg: "HS256" }, claims, secret);
    const of = async (domain: string): Promise<string | undefined> =>
      identityOf(await bench.show(token, { domain }))?.domain;
    expect([await of("acme.example"), await of("beta.example"), await of("acme.example")]).toEqual([
      "acme.example",
      "beta.example",
      "acme.example",
    ]);
    expect(await bench.verdict(token, { domain: "gamma.example" })).toBe("credential-rejected");
    expect(await bench.verdict(token)).toBe("credential-rejected");
  });

  it.each([
    ["ended", { exp: start - 1 }, "credential-expired"],
    ["too long-lived", { exp: start + 4000 }, "credential-ttl"],
    ["not yet good", { nbf: start + 100 }, "credential-rejected"],
  ])("costs no check either where its times are wrong: %s", async (_what, times, code) => {
    const bench = new Bench();
    const token = await signToken({ alg: "HS256" }, { ...usual, ...times }, secret);
    expect([await bench.cost(token), await bench.cost(token)]).toEqual([1, 0]);
    expect(await bench.verdict(token)).toBe(code);
  });

  it("is not there for what was never proved, and only for so many", async () => {
    const bench = new Bench(undefined, { cacheSize: 2 });
    const wrong = await signToken({ alg: "HS256" }, usual, "a wrong secret, long enough for it all");
    expect([await bench.cost(wrong), await bench.cost(wrong)]).toEqual([1, 1]);
    const tokens = await Promise.all([1, 2, 3].map((n) => signToken({ alg: "HS256" }, { ...usual, n }, secret)));
    for (const token of tokens) await bench.show(token);
    const costs: number[] = [];
    for (const token of [...tokens].reverse()) costs.push(await bench.cost(token));
    expect(costs).toEqual([0, 0, 1]);
  });
});

describe("what a refusal costs", () => {
  const pems = (count: number): VerificationKey[] =>
    Array.from({ length: count }, (_, i) => verificationKey("ES256", { kind: "pem", pem: es.pem }, { id: `p${i}` }));
  const many = customer({ id: "many", domains: ["many.example"], keys: pems(3) });
  const few = customer({ keys: [hs, ...pems(1)] });
  const none = customer({ id: "none", domains: ["none.example"], keys: [] });
  const other = signer("ES256");

  it.each([
    ["without a name, as much as the customer with most keys has", {}, 3],
    ["with kid, one check", { kid: "p0" }, 1],
    ["with a kid that nobody has, one check", { kid: "zzz" }, 1],
  ])("is the same for every customer and for nobody: %s", async (_what, header, checks) => {
    const bench = new Bench([many, few, none]);
    for (const appID of ["many", "acme", "none", "nobody"]) {
      const token = await signToken({ alg: "ES256", ...header }, { ...usual, appID }, other.private);
      expect([appID, await bench.cost(token)]).toEqual([appID, checks]);
    }
  });

  it("leaves room for the right key of each, among keys of other algorithms too", async () => {
    const bench = new Bench([many, few, none]);
    for (const appID of ["many", "acme"]) {
      expect(await bench.verdict(await signToken({ alg: "ES256" }, { ...usual, appID }, es.private))).toBe("proved");
    }
    expect(await bench.verdict(await signToken({ alg: "HS256" }, usual, secret))).toBe("proved");
    expect(await bench.cost(await signToken({ alg: "HS256" }, usual, `${secret}.`))).toBe(1);
  });

  it.each<JwtAlgorithm>(["HS512", "RS256", "PS512", "ES384", "ES512", "EdDSA"])(
    "is one check where nobody has a key for %s",
    async (alg) => {
      const key = alg.startsWith("HS") ? secret : signer(alg).private;
      const bench = new Bench([few]);
      expect(await bench.cost(await signToken({ alg }, usual, key))).toBe(1);
      expect(await bench.cost(await signToken({ alg }, { ...usual, appID: "nobody" }, key))).toBe(1);
    },
  );

  it("is the same by fetches: who has no key set is given another's, no more often than it", async () => {
    const withSet = customer({ id: "set", domains: ["set.example"], keys: [remote("ES256")] });
    for (const appID of ["set", "acme", "none", "nobody"]) {
      const bench = new Bench([few, none, withSet]);
      bench.authenticator.prepare();
      await bench.keySets.consult(uri);
      const token = await signToken({ alg: "ES256", kid: "p0" }, { ...usual, appID }, other.private);
      const costs = [await bench.cost(token), bench.fetches];
      bench.at += 30;
      costs.push(await bench.cost(token), bench.fetches, await bench.cost(token), bench.fetches);
      expect([appID, ...costs]).toEqual([appID, 1, 1, 1, 2, 1, 2]);
    }
  });
});

describe("the sets that are asked for by claims of a stranger", () => {
  const uris = Array.from({ length: 8 }, (_, i) => `https://idp${i}.example/keys`);
  const all = uris.map((of, i) => {
    const source = { kind: "remote", uri: of } as const;
    const key = verificationKey("ES256", source, { issuer: "https://idp.example", audience: "postern" });
    return customer({ id: `c${i}`, domains: [`c${i}.example`], keys: [key] });
  });

  /** Those asked for by each of these claims, alone. */
  async function askedBy(claims: readonly object[], of = all): Promise<string[][]> {
    let asked: string[] = [];
    const clock = { ms: start * 1000, now: () => clock.ms };
    const quiet = (): void => {};
    const fetch = async (from: string): Promise<Fetched> => {
      asked.push(from);
      return set(es.jwk);
    };
    const keySets = new KeySets({ fetch, clock, log: { info: quiet, warn: quiet, error: quiet } });
    const customers = new Customers(of);
    const parts = { customers: () => customers, clock, state: new MemoryState(clock), keySets };
    const authenticator = new JwtAuthenticator(parts);
    authenticator.prepare();
    await Promise.all(uris.map((uri) => keySets.consult(uri)));
    const found: string[][] = [];
    for (const more of claims) {
      clock.ms += 30_000;
      asked = [];
      const token = await signToken(
        { alg: "ES256", kid: "e1" },
        { exp: start + 3000, ...more },
        signer("ES256").private,
      );
      await authenticator.prove({ kind: "token", token, domain: undefined, holder: "h" });
      found.push(asked);
    }
    return found;
  }

  const always = (found: readonly string[][]): number =>
    uris.filter((of) => found.every((asked) => asked.includes(of))).length;
  const guesses = Array.from({ length: 30 }, (_, i) => `guess${i}`);

  it.each(["c3.example", "nobody.example"])(
    "are one of the domain and one of an iss that varies: %s",
    async (domain) => {
      const found = await askedBy(guesses.map((iss) => ({ sub: `alice@${domain}`, iss })));
      expect(always(found)).toBe(1);
      expect(new Set(found.flat()).size).toBeGreaterThan(2);
    },
  );

  it.each(["c3", "nobody"])("are one of the iss and one of a domain that varies: %s", async (iss) => {
    const found = await askedBy(guesses.map((name) => ({ sub: `alice@${name}.example`, iss })));
    expect(always(found)).toBe(1);
    expect(new Set(found.flat()).size).toBeGreaterThan(2);
  });

  it.each(["c3", "nobody"])("are one alone where the claims give one name: %s", async (name) => {
    const iss = "https://idp.example";
    const found = await askedBy([
      { sub: "alice", appID: name },
      { sub: "alice@c5.example", appID: name },
      { sub: `alice@${name}.example`, iss },
      { sub: `alice@${name}.example`, iss: "https://other.example" },
    ]);
    expect(found.map((asked) => asked.length)).toEqual([1, 1, 1, 1]);
    expect([found[1], found[3]]).toEqual([found[0], found[2]]);
  });

  it("are another's for one that is suspended, as for nobody", async () => {
    const of = all.map((one, i) => (i === 3 ? { ...one, suspended: "end" as const } : one));
    const found = await askedBy(
      [
        { sub: "alice", appID: "c3" },
        { sub: "alice", appID: "nobody" },
        { sub: "alice", appID: "c5" },
      ],
      of,
    );
    expect(found.map((asked) => asked.length)).toEqual([1, 1, 1]);
    expect(found[0]).not.toEqual([uris[3]]);
    expect(found[2]).toEqual([uris[5]]);
  });
});

describe("a token under a key set", () => {
  const acme = customer({ keys: [remote("ES256")] });
  const claims = { ...usual, iss: "https://idp.example", aud: "postern" };
  const by = (of = es, header: object = { kid: of.jwk.kid }): Promise<string> =>
    signToken({ alg: "ES256", ...header }, claims, of.private);
  const es2 = signer("ES256", "e2");

  it("is proved with the first look, for the set is waited for", async () => {
    const bench = new Bench([acme]);
    expect([await bench.verdict(await by()), bench.fetches]).toEqual(["proved", 1]);
    expect(identityOf(await bench.show(await by()))?.provedBy).toBe(acme.keys[0]);
  });

  it("is proved without kid where the set has few keys, and must name one of many", async () => {
    const bench = new Bench([acme]);
    const others = Array.from({ length: 8 }, (_, i) => signer("ES256", `o${i}`).jwk);
    bench.fetched = set(...others.slice(0, 7), es.jwk);
    expect(await bench.verdict(await by(es, {}))).toBe("proved");
    bench.authenticator.forgetAll();
    bench.fetched = set(...others, es.jwk);
    bench.at += 300;
    await bench.keySets.refresh();
    expect(await bench.verdict(await by(es, {}))).toBe("credential-rejected");
    expect(await bench.verdict(await by())).toBe("proved");
  });

  it("may name its key by keyID, alone or beside kid as the key set's own id", async () => {
    const bench = new Bench([acme]);
    const named = async (header: object, keyID: string): Promise<string> =>
      bench.verdict(await signToken({ alg: "ES256", ...header }, { ...claims, keyID }, es.private));
    expect(await named({}, "e1")).toBe("proved");
    expect(await named({ kid: "e1" }, "e1")).toBe("proved");
    expect(await named({ kid: "e1" }, "idp")).toBe("proved");
    expect(await named({ kid: "e1" }, "e2")).toBe("credential-rejected");
  });

  it("under a key that is new there is proved at once, though not within 30 s of the last fetch", async () => {
    const bench = new Bench([acme]);
    await bench.show(await by());
    bench.fetched = set(es.jwk, es2.jwk);
    bench.at += 29;
    expect([await bench.verdict(await by(es2)), bench.fetches]).toEqual(["credential-rejected", 1]);
    bench.at += 1;
    expect([await bench.verdict(await by(es2)), bench.fetches]).toEqual(["proved", 2]);
  });

  it("is forgotten when its key is dropped there, and kept while it stands", async () => {
    const bench = new Bench([acme]);
    const token = await signToken({ alg: "ES256", kid: "e1" }, { ...claims, exp: start + 3000 }, es.private);
    const after300 = async (fetched: Fetched): Promise<void> => {
      bench.fetched = fetched;
      bench.at += 300;
      await bench.keySets.refresh();
    };
    await bench.show(token);
    await after300(set(es2.jwk, es.jwk));
    expect(bench.show(token)).toMatchObject({ kind: "proved" });
    await after300(set(es2.jwk));
    expect(await bench.verdict(token)).toBe("credential-rejected");
    await after300(set(es.jwk));
    expect([await bench.cost(token), await bench.verdict(token)]).toEqual([1, "proved"]);
  });

  it("is proved by the last good set while the server is down", async () => {
    const bench = new Bench([acme]);
    await bench.show(await by());
    bench.fetched = { kind: "failed", reason: "time", sentence: "there was no answer" };
    bench.at += 250;
    bench.authenticator.forgetAll();
    await bench.show(await by(es2));
    expect([await bench.verdict(await by()), bench.fetches]).toEqual(["proved", 2]);
  });

  it("cannot make us fetch more often than every 30 s, however many strangers ask", async () => {
    const bench = new Bench([acme]);
    const forged = await Promise.all(
      Array.from({ length: 50 }, (_, i) => signToken({ alg: "ES256", kid: `x${i}` }, claims, es2.private)),
    );
    await Promise.all(forged.map((token) => bench.show(token)));
    for (const token of forged) await bench.show(token);
    expect(bench.fetches).toBe(1);
  });

  it("is proved by what is there while its customer is suspended, whose set nobody asks for; its twin's is", async () => {
    const bench = new Bench([acme]);
    await bench.show(await by());
    for (const [suspended, fetches] of [
      [{ suspended: "finish" }, 1],
      [{}, 2],
    ] as const) {
      bench.customers = new Customers([{ ...acme, ...suspended }]);
      bench.at += 60;
      expect(await bench.verdict(await by(es2))).toBe("credential-rejected");
      expect([await bench.verdict(await by()), bench.fetches]).toEqual(["proved", fetches]);
    }
    const suspended = new Bench([{ ...acme, suspended: "end" }]);
    expect([await suspended.verdict(await by()), suspended.fetches]).toEqual(["credential-rejected", 0]);
  });

  it("is fetched once for customers that share it", async () => {
    const beta = customer({ id: "beta", domains: ["beta.example"], keys: [remote("ES256", "other")] });
    const bench = new Bench([acme, beta]);
    await bench.show(await by());
    const token = await signToken({ alg: "ES256", kid: "e1" }, { ...claims, appID: "beta" }, es.private);
    expect([await bench.verdict(token), bench.fetches]).toEqual(["proved", 1]);
  });
});

describe("ever new tokens of one customer", () => {
  const beta = customer({ id: "beta", domains: ["beta.example"], keys: [hs] });
  let made = 0;
  const fresh = (appID: string, by = secret): Promise<string> =>
    signToken({ alg: "HS256" }, { ...usual, appID, jti: String(made++) }, by);
  const flood = async (bench: Bench, count: number, by = secret): Promise<Record<string, number>> => {
    const verdicts: Record<string, number> = {};
    for (let at = 0; at < count; at++) {
      const verdict = await bench.verdict(await fresh("acme", by));
      verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
    }
    return verdicts;
  };

  it("have their part of the time, and no check beyond it; a neighbour's, and those proved before, are proved", async () => {
    const bench = new Bench([customer({ keys: [hs] }), beta]);
    const known = await fresh("acme");
    expect(await bench.verdict(known)).toBe("proved");
    expect(await flood(bench, 1_050)).toEqual({ proved: 1_000, "limit-reached": 50 });
    expect(await bench.cost(await fresh("acme"))).toBe(0);
    expect(await bench.verdict(known)).toBe("proved");
    expect(await bench.verdict(await fresh("beta"))).toBe("proved");
    bench.at += 1;
    expect(await flood(bench, 260)).toEqual({ proved: 250, "limit-reached": 10 });
  });

  it("that somebody else has signed use up nothing of it", async () => {
    const bench = new Bench([customer({ keys: [hs] }), beta]);
    expect(await flood(bench, 1_100, `${secret}.`)).toEqual({ "credential-rejected": 1_100 });
    expect(await bench.verdict(await fresh("acme"))).toBe("proved");
  });

  it("are remembered of twenty thousand customers, the least heard of forgotten", () => {
    const share = new ProofShare({ now: () => 0 });
    for (let at = 0; at <= 1_000; at++) share.proved("first", "ES256");
    for (let at = 1; at < 20_000; at++) share.proved(`customer ${at}`, "ES256");
    expect(share.isUsedUp("first")).toBe(true);
    for (let at = 0; at < 20_000; at++) share.proved(`another ${at}`, "ES256");
    expect(share.isUsedUp("first")).toBe(false);
  });

  it("count by what their check costs", () => {
    const share = new ProofShare({ now: () => 0 });
    const until = (alg: JwtAlgorithm): number => {
      let proved = 0;
      for (; !share.isUsedUp(alg); proved++) share.proved(alg, alg);
      return proved;
    };
    expect([until("HS256"), until("ES256"), until("RS256"), until("PS512"), until("ES512")]).toEqual([
      1_001, 1_001, 501, 501, 167,
    ]);
  });
});

describe("a token for single use", () => {
  const once = customer({ keys: [{ ...hs, singleUse: true }], clockSkew: 5 });
  const token = (jti: string | undefined, changes: object = {}): Promise<string> =>
    signToken({ alg: "HS256" }, { ...usual, ...(jti !== undefined && { jti }), ...changes }, secret);

  it("serves the holder that showed it first, as often as it likes, and no other", async () => {
    const bench = new Bench([once]);
    const text = await token("1");
    expect(await bench.verdict(text, { holder: "c1" })).toBe("proved");
    expect(bench.show(text, { holder: "c1" })).toMatchObject({ kind: "proved" });
    expect(bench.show(text, { holder: "c2" })).toMatchObject({
      refusal: { code: "credential-replayed" },
      customer: { id: "acme" },
    });
    expect(await bench.verdict(await token("2"), { holder: "c2" })).toBe("proved");
  });

  it("is known by its jti, not by its text, and by its customer", async () => {
    const beta = customer({ id: "beta", domains: ["beta.example"], keys: once.keys });
    const bench = new Bench([once, beta]);
    await bench.show(await token("1"));
    expect(await bench.verdict(await token("1", { extra: 1 }), { holder: "c2" })).toBe("credential-replayed");
    expect(await bench.verdict(await token("1", { appID: "beta" }), { holder: "c2" })).toBe("proved");
  });

  it("stays used until the last second that it could be shown in", async () => {
    const bench = new Bench([once]);
    const text = await token("1");
    await bench.show(text);
    bench.at = start + 305.999;
    expect(await bench.verdict(text, { holder: "c2" })).toBe("credential-replayed");
    bench.at = start + 306;
    expect(await bench.verdict(text, { holder: "c2" })).toBe("credential-expired");
  });

  it("is taken by one of many that show it at the same moment", async () => {
    const bench = new Bench([once]);
    const text = await token("1");
    const verdicts = await Promise.all(Array.from({ length: 20 }, (_, i) => bench.verdict(text, { holder: `c${i}` })));
    expect(verdicts.filter((verdict) => verdict === "proved")).toHaveLength(1);
    expect(verdicts.filter((verdict) => verdict === "credential-replayed")).toHaveLength(19);
  });

  it("needs a jti; another key's token needs none and is not used up", async () => {
    const bench = new Bench([once]);
    expect(await bench.verdict(await token(undefined))).toBe("credential-malformed");
    const often = new Bench();
    const text = await token("1");
    for (const holder of ["c1", "c2"]) expect(await often.verdict(text, { holder })).toBe("proved");
  });

  it("is judged expired and too long-lived before it is judged used, and uses nothing up then", async () => {
    const bench = new Bench([once]);
    expect(await bench.verdict(await token("1", { exp: start - 6 }))).toBe("credential-expired");
    expect(await bench.verdict(await token("1", { exp: start + 3606 }))).toBe("credential-ttl");
    expect(await bench.verdict(await token("1"), { holder: "c2" })).toBe("proved");
  });

  it("is refused for lack of room, which is no fault of its own", async () => {
    const bench = new Bench([once], { state: new MemoryState({ now: () => start * 1000 }, { jti: 1 }) });
    expect(await bench.verdict(await token("1"))).toBe("proved");
    expect(await bench.verdict(await token("2"))).toBe("limit-reached");
    expect(await bench.verdict(await token("1"))).toBe("proved");
  });
});
