import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { afterAll, describe, expect, it } from "vitest";
import { ConfigFolder, least } from "../helpers/config-file.ts";

const folder = new ConfigFolder();
afterAll(() => folder.remove());

const rsa = (modulusLength: number): KeyObject => generateKeyPairSync("rsa", { modulusLength }).publicKey;
const ec = (namedCurve: string): KeyObject => generateKeyPairSync("ec", { namedCurve }).publicKey;
const pairs: Readonly<Record<string, KeyObject>> = {
  "P-256": ec("P-256"),
  "P-384": ec("P-384"),
  "P-521": ec("P-521"),
  secp256k1: ec("secp256k1"),
  "RSA 1024": rsa(1024),
  "RSA 2048": rsa(2048),
  "RSA-PSS": generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey,
  Ed25519: generateKeyPairSync("ed25519").publicKey,
  Ed448: generateKeyPairSync("ed448").publicKey,
  X25519: generateKeyPairSync("x25519").publicKey,
};
const pemOf = (name: string): string => String(pairs[name]?.export({ format: "pem", type: "spki" }));
const jwkOf = (name: string): object => pairs[name]?.export({ format: "jwk" }) ?? {};

/** The faults of a customer with this one key, without what stands before the member's name. */
const faultsOf = (key: object): string[] => {
  const customers = JSON.stringify([{ id: "acme", keys: [{ id: "k", ...key }] }]);
  return folder
    .faults(`${least}customers: ${customers}\n`)
    .map(({ path, message }) => `${path.replace("customers[0].keys[0]", "")}: ${message}`);
};

describe("a key fits its algorithm", () => {
  it.each([
    ["ES256", "P-256"],
    ["ES384", "P-384"],
    ["ES512", "P-521"],
    ["RS256", "RSA 2048"],
    ["RS384", "RSA 2048"],
    ["RS512", "RSA 2048"],
    ["PS256", "RSA 2048"],
    ["PS384", "RSA 2048"],
    ["PS512", "RSA 2048"],
    ["EdDSA", "Ed25519"],
  ])("%s takes %s as PEM and as JWK", (alg, name) => {
    expect(faultsOf({ alg, pem: pemOf(name) })).toEqual([]);
    expect(faultsOf({ alg, jwk: jwkOf(name) })).toEqual([]);
  });

  it.each([
    ["ES256", "P-384"],
    ["ES256", "P-521"],
    ["ES384", "P-256"],
    ["ES512", "P-256"],
    ["ES256", "secp256k1"],
    ["ES256", "RSA 2048"],
    ["ES256", "Ed25519"],
    ["RS256", "P-256"],
    ["RS256", "RSA 1024"],
    ["PS512", "RSA 1024"],
    ["EdDSA", "P-256"],
    ["EdDSA", "Ed448"],
    ["EdDSA", "X25519"],
  ])("%s does not take %s", (alg, name) => {
    const told = `: give a key that was made for ${alg}`;
    for (const [member, key] of [
      ["pem", pemOf(name)],
      ["jwk", jwkOf(name)],
    ] as const) {
      const faults = faultsOf({ alg, [member]: key });
      expect(faults).toEqual([expect.stringMatching(`^\\.${member}: is .*${told}$`)]);
    }
  });

  it("PS256 does not take a key that OpenSSL holds for PSS alone: WebCrypto knows none", () => {
    expect(faultsOf({ alg: "PS256", pem: pemOf("RSA-PSS") })).toEqual([
      expect.stringMatching(/^\.pem: is of another type/),
    ]);
  });

  it.each(["HS256", "HS384", "HS512"])("%s takes a secret of 16 bytes, as every secret is, not of one less", (alg) => {
    expect(faultsOf({ alg, secret: "0123456789abcdef" })).toEqual([]);
    expect(faultsOf({ alg, secret: "0123456789abcde" })).toEqual([
      expect.stringMatching(/^\.secret: has fewer than 16 bytes/),
    ]);
  });

  it("takes no public key as a secret", () => {
    expect(faultsOf({ alg: "HS256", secret: pemOf("RSA 2048") })).toEqual([
      expect.stringMatching(/^\.secret: is a public key/),
    ]);
  });
});

describe("what a JWK says of itself", () => {
  it.each([[{ alg: "ES256" }], [{ use: "sig" }], [{ key_ops: ["verify"] }], [{ kid: "another", x5t: "ignored" }]])(
    "%j goes with ES256",
    (members) => {
      expect(faultsOf({ alg: "ES256", jwk: { ...jwkOf("P-256"), ...members } })).toEqual([]);
    },
  );

  it.each([
    [{ alg: "ES384" }, /is for another algorithm/],
    [{ alg: "ECDH-ES" }, /is for another algorithm/],
    [{ alg: 256 }, /is for another algorithm/],
    [{ use: "enc" }, /is not for signatures/],
    [{ key_ops: ["deriveKey"] }, /is not for verifying/],
    [{ key_ops: [] }, /is not for verifying/],
    [{ key_ops: "verify" }, /is not for verifying/],
    [{ d: "AA" }, /leave the private part out/],
    [{ kty: "RSA" }, /is no public key|is of another type/],
    [{ crv: "P-384" }, /is no public key|is of another type/],
  ])("%j does not", (members, message) => {
    const faults = faultsOf({ alg: "ES256", jwk: { ...jwkOf("P-256"), ...members } });
    expect(faults).toEqual([expect.stringMatching(message)]);
    expect(faults[0]).toMatch(/^\.jwk: /);
  });
});
