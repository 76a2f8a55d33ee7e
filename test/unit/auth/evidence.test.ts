import { describe, expect, it } from "vitest";
import { evidenceOf, noRemoteKeys, ownerOf, provedByOf, stillProves } from "../../../src/auth/evidence.ts";
import { OwnKeys } from "../../../src/auth/own-keys.ts";
import { Customers } from "../../../src/core/customers.ts";
import type { Secret, VerificationKey } from "../../../src/core/identity.ts";
import { customer, identity } from "../../helpers/customers.ts";

const now = 1_700_000_000;
const keys = new OwnKeys({ chain: ["the chain secret"] });
const given = { keys, remote: noRemoteKeys, now };
const secret: Secret = { id: "k1", secret: "0123456789abcdef", algorithm: "sha1" };
const key: VerificationKey = { id: "k1", alg: "ES256", source: { kind: "pem", pem: "x" }, singleUse: false };
const acme = customer({ secrets: [secret], keys: [key] });

describe("what proved an identity, after the config was read anew", () => {
  it.each<[string, Partial<Secret>, boolean]>([
    ["the same text", {}, true],
    ["a window around now", { notBefore: now, notAfter: now }, true],
    ["a window that is over", { notAfter: now - 1 }, false],
    ["a window to come", { notBefore: now + 1 }, false],
    ["another text", { secret: "fedcba9876543210" }, false],
    ["another hash", { algorithm: "sha512" }, false],
    ["another id", { id: "k2" }, false],
    ["no text at all", { secret: "" }, false],
  ])("stands or not where the secret has %s", (_, changes, stands) => {
    const after = customer({ secrets: [{ ...secret, ...changes }] });
    expect(stillProves(after, identity(acme, { provedBy: secret }), now, noRemoteKeys)).toBe(stands);
    const evidence = evidenceOf(identity(acme), keys);
    expect(provedByOf(after, evidence, given)).toBe(stands ? after.secrets[0] : undefined);
  });

  it("is a key or a secret, never the one in the place of the other", () => {
    const [bySecret, byKey] = [identity(acme), identity(acme, { provedBy: key })].map((of) => evidenceOf(of, keys));
    expect([bySecret!.kind, byKey!.kind]).toEqual(["secret", "key"]);
    expect(provedByOf(acme, bySecret!, given)).toBe(secret);
    expect(provedByOf(acme, byKey!, given)).toBe(key);
    expect(provedByOf(acme, { ...bySecret!, kind: "key" }, given)).toBeUndefined();
    expect(provedByOf(acme, { ...byKey!, kind: "secret" }, given)).toBeUndefined();
    expect(stillProves(customer({ secrets: [secret] }), identity(acme, { provedBy: key }), now, noRemoteKeys)).toBe(
      false,
    );
    expect(stillProves(customer({ secrets: [], keys: [key] }), identity(acme), now, noRemoteKeys)).toBe(false);
  });

  it("is one of its own customer", () => {
    const evidence = evidenceOf(identity(acme), keys);
    const heir = customer({ id: "heir", secrets: [secret] });
    expect(provedByOf(heir, evidence, given)).toBeUndefined();
    expect(provedByOf(undefined, evidence, given)).toBeUndefined();
    expect(ownerOf(evidence, "acme.example", new Customers([heir]))).toBeUndefined();
    expect(ownerOf(evidence, "acme.example", new Customers([acme]))).toBe(acme);
    expect(ownerOf(evidence, "other.example", new Customers([acme]))).toBeUndefined();
  });

  it("is a key of a fetched set as long as the set has it, by its thumbprint", () => {
    const source = { kind: "remote", uri: "https://idp.example/keys" } as const;
    const fetched: VerificationKey = { id: "f1", alg: "ES256", source, singleUse: false };
    const of = customer({ keys: [fetched] });
    const has = (thumbprint: string) => ({
      generation: 1,
      has: (uri: string, alg: string, one: string) => uri === source.uri && alg === "ES256" && one === thumbprint,
    });
    const who = identity(of, { provedBy: fetched, jwk: "print" });
    const evidence = evidenceOf(who, keys);
    expect(stillProves(of, who, now, has("print"))).toBe(true);
    expect(stillProves(of, who, now, has("other"))).toBe(false);
    expect(stillProves(of, identity(of, { provedBy: fetched }), now, has("print"))).toBe(false);
    expect(provedByOf(of, evidence, { keys, now, remote: has("print") })).toBe(fetched);
    expect(provedByOf(of, evidence, { keys, now, remote: has("other") })).toBeUndefined();
    expect(provedByOf(of, evidence, given)).toBeUndefined();
  });
});
