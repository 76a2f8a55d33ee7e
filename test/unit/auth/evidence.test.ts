import { describe, expect, it } from "vitest";
import { evidenceOf, ownerOf, provedByOf, stillProves } from "../../../src/auth/evidence.ts";
import { OwnKeys } from "../../../src/auth/own-keys.ts";
import { Customers } from "../../../src/core/customers.ts";
import type { Secret, VerificationKey } from "../../../src/core/identity.ts";
import { customer, identity } from "../../helpers/customers.ts";

const now = 1_700_000_000;
const keys = new OwnKeys({ chain: ["the chain secret"] });
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
    expect(stillProves(after, secret, now)).toBe(stands);
    const evidence = evidenceOf(identity(acme), keys);
    expect(provedByOf(after, evidence, keys, now)).toBe(stands ? after.secrets[0] : undefined);
  });

  it("is a key or a secret, never the one in the place of the other", () => {
    const [bySecret, byKey] = [identity(acme), identity(acme, { provedBy: key })].map((of) => evidenceOf(of, keys));
    expect([bySecret!.kind, byKey!.kind]).toEqual(["secret", "key"]);
    expect(provedByOf(acme, bySecret!, keys, now)).toBe(secret);
    expect(provedByOf(acme, byKey!, keys, now)).toBe(key);
    expect(provedByOf(acme, { ...bySecret!, kind: "key" }, keys, now)).toBeUndefined();
    expect(provedByOf(acme, { ...byKey!, kind: "secret" }, keys, now)).toBeUndefined();
    expect(stillProves(customer({ secrets: [secret] }), key, now)).toBe(false);
    expect(stillProves(customer({ secrets: [], keys: [key] }), secret, now)).toBe(false);
  });

  it("is one of its own customer", () => {
    const evidence = evidenceOf(identity(acme), keys);
    const heir = customer({ id: "heir", secrets: [secret] });
    expect(provedByOf(heir, evidence, keys, now)).toBeUndefined();
    expect(provedByOf(undefined, evidence, keys, now)).toBeUndefined();
    expect(ownerOf(evidence, "acme.example", new Customers([heir]))).toBeUndefined();
    expect(ownerOf(evidence, "acme.example", new Customers([acme]))).toBe(acme);
    expect(ownerOf(evidence, "other.example", new Customers([acme]))).toBeUndefined();
  });
});
