import { describe, expect, it } from "vitest";
import { type Fetched, KeySets } from "../../../src/auth/jwks.ts";
import { type PermissionAsked, PermissionTokens, type ReadPermission } from "../../../src/auth/permission-token.ts";
import { Customers } from "../../../src/core/customers.ts";
import type { Customer, JwtAlgorithm, VerificationKey } from "../../../src/core/identity.ts";
import { customer } from "../../helpers/customers.ts";
import { type Signer, signer, signToken, verificationKey } from "../../helpers/tokens.ts";

const now = 1_700_000_000;
const issuer = "wss://sip.acme.example";
const uri = "https://id.acme.example/keys";
const secret = "a-shared-secret-of-32-bytes-long";

class Bench {
  at = now * 1000;
  set: readonly unknown[] | "hangs" = [];
  fetched = 0;
  readonly tokens: PermissionTokens;
  readonly customer: Customer;

  constructor(keys: readonly VerificationKey[], changes: Partial<Customer> = {}) {
    this.customer = customer({ keys, ...changes });
    const nothing = (): void => undefined;
    const sets = new KeySets({
      fetch: async (): Promise<Fetched> => {
        this.fetched++;
        if (this.set === "hangs") return new Promise(() => undefined);
        return { kind: "answer", status: 200, body: Buffer.from(JSON.stringify({ keys: this.set })) };
      },
      clock: { now: () => this.at },
      log: { info: nothing, warn: nothing, error: nothing },
    });
    this.tokens = new PermissionTokens(sets);
  }

  prove(token: string): Promise<ReadPermission> {
    const asked: PermissionAsked = {
      customer: this.customer,
      user: "alice",
      domain: "acme.example",
      issuer,
      nonce: "n-1",
    };
    return this.tokens.prove(token, asked, new Customers([this.customer]), Math.floor(this.at / 1000));
  }

  async verdict(token: string): Promise<string> {
    const read = await this.prove(token);
    return read.kind === "permitted" ? read.permitted.provedBy.id : read.sentence;
  }
}

const claims = (changes: object = {}): object => ({
  ...{ userID: "alice", permissions: ["*", "*", "CreateConference"], aud: [issuer], nonce: "n-1", exp: now + 300 },
  ...changes,
});
const sign = (by: Signer, changes: object = {}, header: object = {}): Promise<string> =>
  signToken({ alg: by.alg, ...header }, claims(changes), by.private);

describe("a permission_token", () => {
  it.each<JwtAlgorithm>(["RS256", "PS384", "ES256", "ES512", "EdDSA"])("under a public key, %s", async (alg) => {
    const by = signer(alg);
    for (const source of [
      { kind: "pem", pem: by.pem },
      { kind: "jwk", jwk: by.jwk },
    ] as const) {
      const bench = new Bench([verificationKey(alg, source)]);
      expect(await bench.verdict(await sign(by))).toBe("j1");
      expect(await bench.verdict(await sign(signer(alg)))).toMatch(/signed by no key/);
    }
  });

  it("under a shared secret", async () => {
    const bench = new Bench([verificationKey("HS256", { kind: "secret", secret })]);
    expect(await bench.verdict(await signToken({ alg: "HS256" }, claims(), secret))).toBe("j1");
    expect(await bench.verdict(await signToken({ alg: "HS256" }, claims(), `${secret}x`))).toMatch(/signed by no key/);
    expect(await bench.verdict(await signToken({ alg: "HS512" }, claims(), `${secret}${secret}`))).toMatch(/no key/);
  });

  it("under a key of a set, which is fetched anew for one that it has not yet; by the issuer of the set alone", async () => {
    const [old, fresh] = [signer("ES256", "old"), signer("ES256", "fresh")];
    const key = verificationKey("ES256", { kind: "remote", uri }, { issuer: "https://id.acme.example" });
    const bench = new Bench([key]);
    const iss = { iss: "https://id.acme.example" };
    bench.set = [old.jwk];
    const read = await bench.prove(await sign(old, iss, { kid: "old" }));
    expect(read).toMatchObject({ kind: "permitted", permitted: { provedBy: key, jwk: expect.any(String) as string } });
    expect(await bench.verdict(await sign(old, {}, { kid: "old" }))).toMatch(/iss is not the issuer/);
    bench.set = [old.jwk, fresh.jwk];
    bench.at += 31_000;
    expect(await bench.verdict(await sign(fresh, iss, { kid: "fresh" }))).toBe("j1");
    const fetched = bench.fetched;
    expect(await bench.verdict(await sign(signer("ES256"), iss, { kid: "none" }))).toMatch(/signed by no key/);
    expect(bench.fetched).toBe(fetched);
  });

  it("waits a second for a set that hangs, and no longer", async () => {
    const bench = new Bench([verificationKey("ES256", { kind: "remote", uri }, { issuer: "https://id.acme.example" })]);
    bench.set = "hangs";
    const began = performance.now();
    expect(await bench.verdict(await sign(signer("ES256"), {}, { kid: "any" }))).toMatch(/signed by no key/);
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(bench.fetched).toBe(1);
  });

  it("says what it permits, without saying it twice, until its end and what its clock may be wrong", async () => {
    const by = signer("ES256");
    const key = verificationKey("ES256", { kind: "pem", pem: by.pem });
    const read = await new Bench([key], { clockSkew: 10 }).prove(
      await sign(by, { conferenceID: "c-1", jti: "p-1", exp: now + 300.9, maxSeconds: 60 }),
    );
    expect(read).toEqual({
      kind: "permitted",
      permitted: {
        ...{ user: "alice", domain: "acme.example", provedBy: key, expiry: now + 310 },
        names: [{ kind: "jti", value: "p-1" }],
        narrowing: { permissions: ["*", "CreateConference"], maxSeconds: 60, conference: "c-1" },
      },
    });
  });

  it.each<[string, object, RegExp | string]>([
    ["ended by no more than the clock may be wrong", { exp: now - 10 }, "j1"],
    ["ended before that", { exp: now - 11 }, /has ended/],
    ["made a moment from now", { iat: now + 15 }, "j1"],
    ["made later than that", { iat: now + 16 }, /not yet valid/],
    ["for us and others", { aud: ["https://elsewhere.example", issuer] }, "j1"],
    ["for nobody", { aud: [] }, /aud is not/],
    ["with a nonce that is a number", { nonce: 1 }, /nonce is not/],
    ["for a user whose name differs in case", { userID: "Alice" }, /userID is not/],
    ["that permits nothing", { permissions: [] }, "j1"],
    ["with permissions that are no texts", { permissions: [1] }, /permissions is no list/],
    ["with a conferenceID of 256", { conferenceID: "c".repeat(256) }, "j1"],
    ["with an empty conferenceID", { conferenceID: "" }, /conferenceID is not/],
    ["with a conferenceID that is a number", { conferenceID: 5 }, /conferenceID is not/],
  ])("%s", async (_, changes, expected) => {
    const by = signer("ES256");
    const bench = new Bench([verificationKey("ES256", { kind: "jwk", jwk: by.jwk })], { clockSkew: 10 });
    const said = await bench.verdict(await sign(by, changes));
    if (typeof expected === "string") expect(said).toBe(expected);
    else expect(said).toMatch(expected);
  });
});
