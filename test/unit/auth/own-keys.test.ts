import { describe, expect, it } from "vitest";
import { OwnKeys } from "../../../src/auth/own-keys.ts";
import type { Secret, VerificationKey } from "../../../src/core/identity.ts";

const keys = (chain: readonly string[] = ["chain secret, first"], exchange?: string): OwnKeys =>
  new OwnKeys({ chain, exchange });
const ours = keys(["chain secret, first"], "exchange secret");
const text = '{"narrowing":{}}';
const bound = "1700000300:alice@acme.example";

describe("what was sealed", () => {
  it("opens with the same two secrets, another gateway's too, and is never written the same way twice", () => {
    const [one, other] = [ours.seal(text, bound), ours.seal(text, bound)];
    expect(one).not.toBe(other);
    expect(one).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(Buffer.from(one, "base64url").includes("narrowing")).toBe(false);
    expect(keys(["chain secret, first"], "exchange secret").open(one, bound)).toBe(text);
    expect(ours.open(ours.seal("", ""), "")).toBe("");
    expect(ours.open(ours.seal("ä€😀", "ö"), "ö")).toBe("ä€😀");
  });

  it.each([
    ["another chain secret", keys(["chain secret, other"], "exchange secret")],
    ["another exchange secret", keys(["chain secret, first"], "another secret")],
    ["no exchange secret", keys()],
    ["an empty exchange secret", keys(["chain secret, first"], "")],
    ["the two exchanged for each other", keys(["exchange secret"], "chain secret, first")],
    ["the border between the two moved", keys(["chain secret, firs"], "texchange secret")],
    ["the two written as one", keys(['chain secret, first","exchange secret'], undefined)],
    ["only secrets that came later", keys(["chain secret, later", "chain secret, latest"], "exchange secret")],
  ])("does not open with %s", (_, others) => {
    expect(others.open(ours.seal(text, bound), bound)).toBeUndefined();
    expect(others.signatures(text)).not.toContain(ours.sign(text));
  });

  it("opens while its chain secret rotates out, and what is new is under the newest", () => {
    const rotating = keys(["chain secret, later", "chain secret, first"], "exchange secret");
    expect(rotating.open(ours.seal(text, bound), bound)).toBe(text);
    expect(rotating.signatures(text)[1]).toBe(ours.sign(text));
    expect(rotating.sign(text)).toBe(rotating.signatures(text)[0]);
    expect(ours.open(rotating.seal(text, bound), bound)).toBeUndefined();
    const after = keys(["chain secret, later"], "exchange secret");
    expect(after.open(rotating.seal(text, bound), bound)).toBe(text);
    expect(after.sign(text)).toBe(rotating.sign(text));
  });

  it.each(["", "1700000301:alice@acme.example", "1700000300:bob@acme.example", `${bound};`, bound.toUpperCase()])(
    "does not open for another text: %j",
    (other) => expect(ours.open(ours.seal(text, bound), other)).toBeUndefined(),
  );

  it("does not open with one bit of any byte changed, nor with any byte left out", () => {
    const sealed = Buffer.from(ours.seal(text, bound), "base64url");
    const opened = (bytes: Buffer): string | undefined => ours.open(bytes.toString("base64url"), bound);
    expect(opened(sealed)).toBe(text);
    for (let at = 0; at < sealed.length; at++) {
      for (const bit of [0x01, 0x80]) {
        const changed = Buffer.from(sealed);
        changed[at]! ^= bit;
        expect(opened(changed), `byte ${at}`).toBeUndefined();
      }
      expect(opened(Buffer.concat([sealed.subarray(0, at), sealed.subarray(at + 1)]))).toBeUndefined();
      expect(opened(sealed.subarray(0, at))).toBeUndefined();
      expect(opened(sealed.subarray(at + 1))).toBeUndefined();
    }
    expect(opened(Buffer.concat([sealed, Buffer.alloc(1)]))).toBeUndefined();
  });

  it("is taken in the one spelling it was given in", () => {
    // 2 bits of the last character are not used: two more spellings decode to the same bytes.
    let sealed = ours.seal("x", bound);
    while (!/[-_]/.test(sealed)) sealed = ours.seal("x", bound);
    expect(Buffer.from(sealed, "base64url").length % 3).not.toBe(0);
    expect(ours.open(sealed, bound)).toBe("x");
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const next = alphabet[alphabet.indexOf(sealed.at(-1)!) + 1]!;
    const standard = sealed.replaceAll("-", "+").replaceAll("_", "/");
    for (const other of [
      sealed.slice(0, -1) + next,
      standard,
      `${sealed}=`,
      `${sealed}==`,
      ` ${sealed}`,
      `${sealed}\n`,
    ]) {
      expect(Buffer.from(other, "base64url").equals(Buffer.from(sealed, "base64url"))).toBe(true);
      expect(ours.open(other, bound), other).toBeUndefined();
    }
  });

  it("is nothing of what strangers make up", () => {
    for (const made of ["", "A", "A".repeat(37), "A".repeat(38), "A".repeat(4000), "ä", "%%%", "\0"]) {
      expect(ours.open(made, bound)).toBeUndefined();
    }
  });
});

describe("a signature", () => {
  it("is of one text, under a key that seals nothing and is neither secret's own", () => {
    expect(ours.sign("a")).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(ours.sign("a")).toBe(ours.sign("a"));
    expect(ours.sign("a")).not.toBe(ours.sign("b"));
  });

  it("needs a chain secret", () => {
    expect(() => keys([])).toThrow(RangeError);
  });
});

describe("a fingerprint", () => {
  const secret: Secret = { id: "k1", secret: "0123456789abcdef", algorithm: "sha1" };
  const key: VerificationKey = { id: "k1", alg: "ES256", source: { kind: "pem", pem: "x" }, singleUse: false };

  it.each<[string, Secret]>([
    ["text", { ...secret, secret: "another secret of k1" }],
    ["hash", { ...secret, algorithm: "sha256" }],
    ["id", { ...secret, id: "k2" }],
  ])("tells a secret from one of another %s", (_, other) => {
    expect(ours.hasFingerprint(secret, ours.fingerprint(secret))).toBe(true);
    expect(ours.hasFingerprint(other, ours.fingerprint(secret))).toBe(false);
  });

  it.each<[string, VerificationKey]>([
    ["algorithm", { ...key, alg: "ES384" }],
    ["source", { ...key, source: { kind: "remote", uri: "x" } }],
    ["audience", { ...key, audience: "x" }],
    ["use", { ...key, singleUse: true }],
  ])("tells a key from one of another %s", (_, other) => {
    expect(ours.hasFingerprint(key, ours.fingerprint(key))).toBe(true);
    expect(ours.hasFingerprint(other, ours.fingerprint(key))).toBe(false);
  });

  it("is the same where only the window was moved, for that is how a secret is taken out", () => {
    expect(ours.hasFingerprint({ ...secret, notBefore: 1, notAfter: 2_000_000_000 }, ours.fingerprint(secret))).toBe(
      true,
    );
  });

  it("stands while the chain secret rotates, is no other gateway's, and shows nothing of the secret", () => {
    const rotating = keys(["chain secret, later", "chain secret, first"], "exchange secret");
    expect(rotating.hasFingerprint(secret, ours.fingerprint(secret))).toBe(true);
    expect(ours.hasFingerprint(secret, rotating.fingerprint(secret))).toBe(false);
    expect(ours.fingerprint(secret)).toMatch(/^[A-Za-z0-9_-]{16}$/);
    expect(ours.hasFingerprint(secret, "")).toBe(false);
  });
});
