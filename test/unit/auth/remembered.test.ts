import { describe, expect, it } from "vitest";
import { AccessTokenAuthenticator, mintAccessToken } from "../../../src/auth/access-token.ts";
import type { Authenticator } from "../../../src/auth/authenticator.ts";
import { IssuedAuthenticator, issue } from "../../../src/auth/issued.ts";
import { KeySets } from "../../../src/auth/jwks.ts";
import { JwtAuthenticator } from "../../../src/auth/jwt.ts";
import { OwnKeys } from "../../../src/auth/own-keys.ts";
import { Customers } from "../../../src/core/customers.ts";
import type { Identity, Narrowing } from "../../../src/core/identity.ts";
import { MemoryState } from "../../../src/state/memory.ts";
import { customer, identity } from "../../helpers/customers.ts";
import { signToken } from "../../helpers/tokens.ts";

const now = 1_700_000_000;
const clock = { now: () => now * 1000 };
const exchange = { secret: "the exchange secret", algorithm: "sha1" } as const;
const keys = new OwnKeys({ chain: ["the chain secret"], exchange: exchange.secret });
const shared = "a secret of acme's that is long enough";
const acme = customer({
  secrets: [{ id: "k1", secret: shared, algorithm: "sha1" }],
  keys: [{ id: "j1", alg: "HS256", source: { kind: "secret", secret: shared }, singleUse: false }],
});
const customers = new Customers([acme]);
const issuer = "wss://sip.acme.example";
const of = (at: number, narrowing: Narrowing = {}): Identity =>
  identity(acme, { user: `u${at}`, expiry: now + 3_600, narrowing });

const access = (): Authenticator =>
  new AccessTokenAuthenticator({ customers: () => customers, clock, keys: () => keys, issuer: () => issuer });
const accessToken = (at: number, narrowing?: Narrowing): string =>
  mintAccessToken({ identity: of(at, narrowing), keys, issuer, ttl: 300, now });

/** The identity that it proves: the same object where the proof is remembered. */
async function proves(authenticator: Authenticator, token: string): Promise<Identity> {
  const proof = await authenticator.prove({ kind: "token", token, domain: undefined, holder: "c1" });
  if (proof.kind !== "proved") throw new Error(proof.kind);
  return proof.identity;
}

const wide: Narrowing = { numbers: Array.from({ length: 50 }, (_, at) => `+3225887${String(at).padStart(12, "0")}*`) };

describe("what is remembered of proofs", () => {
  it("is the identity of 10,000 access tokens, the least shown forgotten first", async () => {
    const authenticator = access();
    const token = accessToken(0);
    const kept = await proves(authenticator, token);
    for (let at = 1; at < 10_000; at++) await proves(authenticator, accessToken(at));
    expect(await proves(authenticator, token)).toBe(kept);
    for (let at = 0; at < 10_000; at++) await proves(authenticator, accessToken(20_000 + at));
    expect(await proves(authenticator, token)).not.toBe(kept);
  });

  it("is fewer access tokens where they narrow much: 8,000,000 characters of it", async () => {
    const authenticator = access();
    const token = accessToken(0, wide);
    const kept = await proves(authenticator, token);
    const each = 200 + JSON.stringify(wide).length;
    const room = Math.floor(8_000_000 / each) - 1;
    for (let at = 1; at <= room; at++) await proves(authenticator, accessToken(at, wide));
    expect(await proves(authenticator, token)).toBe(kept);
    for (let at = 0; at <= room; at++) await proves(authenticator, accessToken(10_000 + at, wide));
    expect(await proves(authenticator, token)).not.toBe(kept);
  });

  it("is the identity of 2,000 exchanged credentials", async () => {
    const authenticator = new IssuedAuthenticator({
      customers: () => customers,
      clock,
      exchange: () => exchange,
      keys: () => keys,
    });
    const show = (credential: { username: string; password: string }): Identity => {
      const proof = authenticator.prove({ kind: "password", ...credential });
      if (proof.kind !== "proved") throw new Error(proof.kind);
      return proof.identity;
    };
    const issued = (at: number) => issue({ identity: of(at), exchange, keys, ttl: 300, now });
    const first = issued(0);
    const kept = show(first);
    for (let at = 1; at < 2_000; at++) show(issued(at));
    expect(show(first)).toBe(kept);
    for (let at = 0; at < 2_000; at++) show(issued(3_000 + at));
    expect(show(first)).not.toBe(kept);
  });

  it("is the identity of customers' tokens of 16,000,000 characters together", async () => {
    const quiet = (): void => {};
    const log = { info: quiet, warn: quiet, error: quiet };
    const keySets = new KeySets({ fetch: () => Promise.reject(new Error("asked for")), clock, log });
    const state = new MemoryState(clock);
    // Time goes on, or so many new ones would be more than the customer's part of it.
    let at = now * 1000;
    const slow = {
      now: () => {
        at += 4;
        return at;
      },
    };
    const authenticator = new JwtAuthenticator({ customers: () => customers, clock: slow, state, keySets });
    const token = (n: number): Promise<string> =>
      signToken({ alg: "HS256" }, { sub: "alice@acme.example", exp: now + 300, n, pad: "x".repeat(5_900) }, shared);
    const first = await token(0);
    const kept = await proves(authenticator, first);
    const room = Math.floor(16_000_000 / (first.length + 8)) - 1;
    for (let at = 1; at <= room; at++) await proves(authenticator, await token(at));
    expect(await proves(authenticator, first)).toBe(kept);
    for (let at = 0; at <= room + 10; at++) await proves(authenticator, await token(10_000 + at));
    expect(await proves(authenticator, first)).not.toBe(kept);
  });
});
